"""SMPL: the body model, the default body, and fitting it to joints."""

from regressor.smpl.body import Body, load_body

__all__ = ["Body", "load_body"]
