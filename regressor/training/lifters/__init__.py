"""Training of the networks from 2D to 3D: what `python -m regressor.train lifter` is made of."""
