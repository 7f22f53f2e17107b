"""Trainings: what `python -m regressor.train` is made of.

`learning`, `timing`, `trainer`, `order`, `schedule`, `checks` and what `options` says of a run
serve all networks, `images` and `kept` all image regressors; `lifters` trains lifters, `adapt` does
for footage without 3D, `perspose` PersPose, the rest the regressor of `train dsr`. Lightning is
imported by `learning` and what builds on it.
"""
