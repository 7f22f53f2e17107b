"""The parts of scripts/animate.py."""
