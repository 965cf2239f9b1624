"""No prior at all: what a network makes of pixels when nothing holds it back."""

from __future__ import annotations

from phosphene.optimizers import Adam
from phosphene.parameterizations import Pixels
from phosphene.recipes.method import Method
from phosphene.render import Recipe


def naive(height: int = 224, width: int = 224, channels: int = 3) -> Recipe:
    """Pixels without decorrelation and without transforms: the noise that Distill's article begins with.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
    """
    return Recipe(
        name="naive",
        follows=("olah2017feature",),
        parameterization=Pixels(height, width, channels=channels, decorrelate="none"),
        optimizer=Adam(lr=0.05),
        steps=512,
    )


METHODS = (Method("naive", naive, "Olah, Mordvintsev and Schubert, Distill: the article's first figures", 2017),)
