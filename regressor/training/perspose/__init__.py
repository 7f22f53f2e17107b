"""Training of PersPose."""
