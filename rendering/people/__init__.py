"""Synthetic clothed people: bodies that a caller shapes and poses are dressed, lit and drawn."""

from .backgrounds import Pictures
from .outfits import Label, Layer
from .render import People, PeopleOptions, render_people
from .surface import Surface, build_surface
from .turned import Turned, TurnedViews
from .views import ViewOptions, Views
from .wide import FramedViews, WideViews

__all__ = [
    "FramedViews",
    "Label",
    "Layer",
    "People",
    "PeopleOptions",
    "Pictures",
    "Surface",
    "Turned",
    "TurnedViews",
    "ViewOptions",
    "Views",
    "WideViews",
    "build_surface",
    "render_people",
]
