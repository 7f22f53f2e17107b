"""Synthetic clothed people: bodies that a caller shapes and poses are dressed, lit and drawn."""

from .backgrounds import Pictures
from .outfits import Label, Layer
from .render import People, PeopleOptions, render_people
from .surface import Surface, build_surface
from .views import ViewOptions, Views

__all__ = [
    "Label",
    "Layer",
    "People",
    "PeopleOptions",
    "Pictures",
    "Surface",
    "ViewOptions",
    "Views",
    "build_surface",
    "render_people",
]
