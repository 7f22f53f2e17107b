"""Trainings: what `python -m regressor.train` is made of.

`learning`, `timing`, `trainer`, `order` and `schedule` serve all networks, `lifters` trains
lifters, the rest the image regressor. Lightning is imported by `learning` and what builds on it.
"""
