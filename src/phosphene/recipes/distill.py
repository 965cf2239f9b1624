"""Distill's "Feature Visualization" (Olah, Mordvintsev and Schubert 2017): the settings of the article's figures, and
those of its notebook on regularization, at 64 pixels.
"""

from __future__ import annotations

from phosphene.objectives import Objective
from phosphene.optimizers import Adam
from phosphene.parameterizations import Fourier, Parameterization, Pixels
from phosphene.recipes.method import Method
from phosphene.render import Recipe
from phosphene.transforms import Jitter, Pad, Rotate, Scale, ToCanvas, Transform

FOLLOWS = ("olah2017feature",)
SOURCE = "Olah, Mordvintsev and Schubert, Distill"
NOTEBOOK = f"{SOURCE}; Lucid's notebook on regularization"
YEAR = 2017
#: The notebook's last threshold.
STEPS = 2048


def distill(height: int = 224, width: int = 224, channels: int = 3, *, steps: int = 2560) -> Recipe:
    """The settings of the article's figures: 2560 steps of Adam 0.05 on decorrelated colours and frequencies, seen
    padded by 16, shifted by 16, scaled by up to 5 %, turned by up to 5°, shifted by 8, the padding cut off.

    The padding is grey, as that of Lucid's standard set; the article does not say.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        steps: number of steps.
    """
    return Recipe(
        name="distill",
        follows=FOLLOWS,
        parameterization=Fourier(height, width, channels=channels),
        transforms=(
            Pad(16, mode="constant", value=0.5),
            Jitter(16, mode="crop"),
            Scale(options=(1.0, 0.975, 1.025, 0.95, 1.05)),
            Rotate(options_deg=whole_angles(5)),
            Jitter(8, mode="crop"),
            ToCanvas(),
        ),
        optimizer=Adam(lr=0.05),
        steps=steps,
    )


def unregularized(
    height: int = 64, width: int = 64, channels: int = 3, *, lr: float = 0.05, steps: int = STEPS
) -> Recipe:
    """Nothing but pixels: what the notebook on regularization begins with.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        lr: learning rate.
        steps: number of steps.
    """
    return setting("unregularized", plain_pixels(height, width, channels), lr=lr, steps=steps)


def preconditioned(
    height: int = 64, width: int = 64, channels: int = 3, *, lr: float = 0.05, steps: int = STEPS
) -> Recipe:
    """Decorrelated frequencies and colours, and nothing else: the gradient is preconditioned.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        lr: learning rate.
        steps: number of steps.
    """
    return setting("preconditioned", Fourier(height, width, channels=channels), lr=lr, steps=steps)


def whole_angles(most: float) -> tuple[float, ...]:
    """Every whole degree up to ``most`` either way, and ``most`` itself."""
    below = [float(a) for a in range(int(most) + 1)]
    angles = below if most == int(most) else [*below, most]
    return tuple(sorted({-a for a in angles} | set(angles)))


def plain_pixels(height: int, width: int, channels: int) -> Pixels:
    """Pixels with nothing decorrelated."""
    return Pixels(height, width, channels=channels, decorrelate="none")


def setting(
    name: str,
    canvas: Parameterization,
    *,
    steps: int,
    lr: float = 0.05,
    transforms: tuple[Transform, ...] = (),
    regularizer: Objective | None = None,
) -> Recipe:
    """A setting of the notebook: Adam on ``canvas``, with what it adds to that."""
    return Recipe(
        name=name,
        follows=FOLLOWS,
        parameterization=canvas,
        transforms=transforms,
        optimizer=Adam(lr=lr),
        steps=steps,
        regularizer=regularizer,
    )


METHODS = (
    Method("distill", distill, SOURCE, YEAR),
    Method("unregularized", unregularized, NOTEBOOK, YEAR, canvas="own"),
    Method("preconditioned", preconditioned, NOTEBOOK, YEAR, canvas="own"),
)
