"""Textures and styles of photographs (Gatys, Ecker and Bethge 2016; Mordvintsev and others, "Differentiable Image
Parameterizations", Distill 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import add

from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.functional.gram import gram
from phosphene.models.network import Network
from phosphene.objectives import ActivationDifference, Objective, Style
from phosphene.objectives.layouts import channels_of
from phosphene.recipes.inversion import activations_of, inversion_recipe
from phosphene.recipes.seeing import fitted_photograph
from phosphene.render import Recipe, Result, render
from phosphene.render.progress import Progress


def texture(
    net: Network,
    image: object,
    layers: str | Sequence[str],
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
    progress: Progress = True,
) -> Result:
    """An image of a photograph's texture: in every layer the same channels go together, wherever that is (Gatys).

    Climbs minus the sum of the mean absolute differences of the layers' Gram matrices.

    Args:
        net: the network.
        image: the photograph, (c, h, w) in [0, 1]; its middle is cut out at the network's input size.
        layers: a layer, or several, which are matched in one picture.
        recipe: how; by default :func:`inversion_recipe`.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`.

    Raises:
        ImageError: no image (c, h, w) in [0, 1], or another number of channels than the network's.
        UnknownLayerError, LayoutError: there is no such layer, or it has no channels.
        ParameterError: no layer is given.
    """
    photo = fitted_photograph(net, image)
    how = replace(inversion_recipe(photo), name="texture", follows=("gatys2016style",)) if recipe is None else recipe
    return render(net, -_style_of(net, photo, layers), recipe=how, seed=seed, progress=progress)


def style_transfer(  # noqa: PLR0913 - an entry point, keyword-only
    net: Network,
    content: object,
    style: object,
    *,
    style_layers: str | Sequence[str],
    content_layers: str | Sequence[str],
    content_weight: float = 100.0,
    recipe: Recipe | None = None,
    seed: int = 0,
    progress: Progress = True,
) -> Result:
    """One photograph in the style of another (Gatys; Lucid's notebook ``style_transfer_2d``).

    Climbs minus the sum of the style layers' mean absolute differences of Gram matrices and of ``content_weight`` times
    the content layers' mean absolute differences of activations. The notebook takes conv2d2, mixed3a, 4a, 4b and 4c of
    InceptionV1 for style and mixed3b for content; its weight of 100 is for these. Gram matrices grow with the square of
    the activations, so networks of smaller ones need less: 5 for the bundled one.

    Args:
        net: the network.
        content: the photograph that is shown, (c, h, w) in [0, 1]; its middle is cut out at the network's input size.
        style: the photograph in whose style.
        style_layers: a layer, or several.
        content_layers: a layer, or several.
        content_weight: weight of the content, from 0.
        recipe: how; by default :func:`inversion_recipe`, whose shifts and turns keep out fine noise.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`.

    Raises:
        ImageError: no image (c, h, w) in [0, 1], or another number of channels than the network's.
        UnknownLayerError, LayoutError: there is no such layer, or it has no channels.
        ParameterError: no layer is given, or a weight below 0.
    """
    check(0 <= content_weight < float("inf"), "content_weight", content_weight, "a number from 0")
    shown, painted = fitted_photograph(net, content), fitted_photograph(net, style)
    plain = replace(inversion_recipe(shown), name="style_transfer", follows=("gatys2016style",))
    apart = [ActivationDifference(name, seen) for name, seen in activations_of(net, shown, content_layers).items()]
    loss = reduce(add, (content_weight * distance for distance in apart), _style_of(net, painted, style_layers))
    return render(net, -loss, recipe=recipe or plain, seed=seed, progress=progress)


def _style_of(net: Network, photo: FrozenArray, layers: str | Sequence[str]) -> Objective:
    """How far the layers' Gram matrices are from a photograph's, summed."""
    styles: list[Objective] = []
    for name, seen in activations_of(net, photo, layers).items():
        matrix = gram(channels_of(net.layer(name))(seen.tensor()[None]))[0]
        styles.append(Style(name, FrozenArray.of(matrix)))
    return reduce(add, styles)
