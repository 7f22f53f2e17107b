"""Training of lifters for footage without 3D: what `python -m regressor.train adapt` is made of."""
