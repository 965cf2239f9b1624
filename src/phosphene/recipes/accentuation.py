"""Feature accentuation: what in a photograph a unit responds to, drawn more strongly (Hamblin et al. 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from phosphene._algebra import Objective
from phosphene.errors import ArgumentError
from phosphene.models.network import Network
from phosphene.objectives import Accentuation
from phosphene.optimizers import Adam
from phosphene.parameterizations import Phase
from phosphene.recipes.method import Method
from phosphene.recipes.photograph import photograph
from phosphene.render import Recipe, Result, render
from phosphene.transforms import RandomCrop, ScheduledNoise, ToInput

#: The published noise of 0.02 is in units of a range of 4.
_NOISE = 0.02 / 4
_NOTHING: Mapping[str, Any] = MappingProxyType({})


def accentuation(image: object, *, crops: int = 16, steps: int = 99, lr: float = 0.05) -> Recipe:
    """Feature accentuation, from a photograph: its phases are optimised, and a learnt gate may only take magnitude
    away.

    The objective is :class:`phosphene.objectives.Accentuation`, as :func:`accentuate` makes it. Difference from the
    published code: ``result.transparency`` sums the gradient of the whole objective, not of the feature alone.

    Args:
        image: (c, h, w) in [0, 1].
        crops: windows of 0.05 to 0.99 of the image's side in each step.
        steps: number of steps.
        lr: learning rate of Adam.
    """
    start = photograph(image)
    channels, height, width = start.shape
    return Recipe(
        name="accentuation",
        parameterization=Phase(
            height, width, channels=channels, magnitude="image", standardize=False, gate=5.0, start=start
        ),
        transforms=(RandomCrop(0.05, 0.99), ToInput(), ScheduledNoise(_NOISE)),
        views=crops,
        optimizer=Adam(lr=lr),
        steps=steps,
        transparency="gradients",
        follows=("hamblin2024accentuation",),
    )


def accentuate(  # noqa: PLR0913 - an entry point, keyword-only
    net: Network,
    objective: Objective,
    image: object,
    *,
    layer: str,
    strength: float = 0.3,
    balance: float | None = None,
    recipe: Recipe | None = None,
    options: Mapping[str, Any] = _NOTHING,
) -> Result:
    """Draw more of a feature into a photograph, while ``layer`` keeps seeing that photograph.

    Args:
        net: the network.
        objective: the feature.
        image: (c, h, w) in [0, 1].
        layer: where the picture must stay like the photograph; matched windows of both are compared.
        strength: how much that counts, relative to the feature. The published 1 balances both, and leaves the
            photograph nearly as it was: for the bundled network's class "tabby" and layer blocks.8, 60 steps of 4
            windows changed a cat's picture by 0.007 on average, and by 0.042 with 0.3.
        balance: the factor that balances the gradients; by default measured once, at the first step that has both.
        recipe: instead of :func:`accentuation` at its defaults.
        options: further arguments of :func:`phosphene.render`, such as ``{"seed": 1}``.

    Raises:
        ImageError: no image (c, h, w) in [0, 1].
        UnknownLayerError: the network has no such layer.
        ArgumentError: the options hold one of the other arguments.
    """
    if taken := [name for name in ("net", "objective", "recipe") if name in options]:
        raise ArgumentError(f"options has {taken[0]!r}; give it as accentuate({taken[0]}=…)")
    wanted = Accentuation(objective, layer, photograph(image), strength, balance, "positions")
    return render(net, wanted, recipe=recipe or accentuation(image), **options)


METHODS = (
    Method(
        "accentuation",
        accentuation,
        "Hamblin et al., Feature Accentuation; chrishamblin7/faccent",
        2024,
        start="photograph",
    ),
)
