"""Rendering: the loop, its guard, its results and how they are replayed."""

from phosphene.render.api import render
from phosphene.render.defaults import channel_recipe, class_recipe, default_recipe
from phosphene.render.frames import Frames
from phosphene.render.recipe import Recipe
from phosphene.render.replaying import Replay, replay
from phosphene.render.result import Result

__all__ = [
    "Frames",
    "Recipe",
    "Replay",
    "Result",
    "channel_recipe",
    "class_recipe",
    "default_recipe",
    "render",
    "replay",
]
