"""The favourite picture among those that a generator can draw (Nguyen et al. 2016; Lucent's ``param/gan.py``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from phosphene._algebra import Objective
from phosphene.models.network import Network
from phosphene.optimizers import Adam
from phosphene.parameterizations import Generator, Latent, LatentConstraint
from phosphene.render import Recipe, Result, render

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def generator_recipe(
    generator: Generator,
    height: int = 224,
    width: int = 224,
    *,
    sd: float = 1.0,
    constraint: LatentConstraint | None = None,
    lr: float = 0.05,
) -> Recipe:
    """The latent code of a generator is what is optimised, by Adam, without transforms: the generator is the prior.

    Args:
        generator: such as ``ph.parameterizations.UpconvGAN("fc6", path=…)`` or ``DCGAN()``.
        height: image rows, in pixels; the generator's pictures are resized.
        width: image columns, in pixels.
        sd: standard deviation of the code at the start; Lucent's notebook shows 1 to 2.
        constraint: where the code must stay: ``UnitNorm``, ``CappedNorm`` or ``GaussianPrior``.
        lr: learning rate of Adam.
    """
    return Recipe(
        name="generator",
        parameterization=Latent(generator, height, width, sd=sd, constraint=constraint),
        optimizer=Adam(lr=lr),
        steps=256,
        follows=("nguyen2016synthesizing", "dosovitskiy2016generating", "kiat2020lucent"),
    )


def generated(
    net: Network,
    objective: Objective | Sequence[Objective],
    generator: Generator,
    *,
    recipe: Recipe | None = None,
    options: Mapping[str, Any] = _NOTHING,
) -> Result:
    """What a unit likes most among the pictures that a generator can draw.

    Args:
        net: the network.
        objective: what is wanted; of a list, each gets a picture.
        generator: what draws.
        recipe: instead of :func:`generator_recipe` at the network's input size.
        options: further arguments of :func:`phosphene.render`, such as ``{"seed": 1}``.

    Raises:
        WeightsError: the generator's weights cannot be read.
        ParameterError: it draws pictures of other channels than the network takes.
    """
    return render(net, objective, recipe=recipe or generator_recipe(generator, *net.input_size), **options)
