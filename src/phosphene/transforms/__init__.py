"""Transforms: image and randomness make a view, to demand that a picture works from every point of view."""

from phosphene.transforms.alpha import CollapseAlpha
from phosphene.transforms.base import Custom, Transform
from phosphene.transforms.geometric import (
    CropOrPad,
    Flip,
    Jitter,
    Pad,
    RandomCrop,
    Resize,
    Rotate,
    Scale,
    ToCanvas,
    ToInput,
)
from phosphene.transforms.photometric import ColorJitter, GaussianBlur, GaussianNoise
from phosphene.transforms.pipeline import ViewPipeline, ViewPlan, as_transform
from phosphene.transforms.scheduled import ScheduledCrop, ScheduledNoise
from phosphene.transforms.sets import held_out_views, lucid, random_views

__all__ = [
    "CollapseAlpha",
    "ColorJitter",
    "CropOrPad",
    "Custom",
    "Flip",
    "GaussianBlur",
    "GaussianNoise",
    "Jitter",
    "Pad",
    "RandomCrop",
    "Resize",
    "Rotate",
    "Scale",
    "ScheduledCrop",
    "ScheduledNoise",
    "ToCanvas",
    "ToInput",
    "Transform",
    "ViewPipeline",
    "ViewPlan",
    "as_transform",
    "held_out_views",
    "lucid",
    "random_views",
]
