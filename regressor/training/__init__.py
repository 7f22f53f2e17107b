"""Training of the image regressor: what `python -m regressor.train dsr` is made of.

Lightning is imported by `module`, `timing` and `run` alone; the rest does without it.
"""
