"""Rendering: the loop, its guard, its results and how they are replayed."""

from phosphene.render.api import Replay, render, replay
from phosphene.render.defaults import channel_recipe, class_recipe, default_recipe
from phosphene.render.recipe import Recipe
from phosphene.render.result import Result

__all__ = ["Recipe", "Replay", "Result", "channel_recipe", "class_recipe", "default_recipe", "render", "replay"]
