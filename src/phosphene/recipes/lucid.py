"""Lucid's defaults (Olah, Mordvintsev and Schubert, "Feature Visualization", Distill 2017; lucid/optvis/render.py)."""

from __future__ import annotations

from phosphene.optimizers import Adam
from phosphene.parameterizations import Fourier
from phosphene.recipes.method import Method
from phosphene.render import Recipe
from phosphene.transforms import lucid as lucid_transforms


def lucid(height: int = 128, width: int = 128, channels: int = 3) -> Recipe:
    """Lucid's ``render_vis`` at its defaults: 128 px, Fourier and colour decorrelation, standard transforms, Adam 0.05,
    512 steps.

    Differences, on purpose: see :func:`phosphene.transforms.lucid`; ReLU gradients are not redirected (dead starts are
    restarted instead).

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
    """
    return Recipe(
        name="lucid",
        follows=("olah2017feature",),
        parameterization=Fourier(height, width, channels=channels),
        transforms=lucid_transforms(),
        optimizer=Adam(lr=0.05),
        steps=512,
    )


METHODS = (Method("lucid", lucid, "Olah, Mordvintsev and Schubert, Distill; tensorflow/lucid", 2017, canvas="own"),)
