"""What layers make of a photograph (Lucid; Olah and others, "The Building Blocks of Interpretability", Distill 2018;
lucid/recipes/caricature.py): feature inversion and caricature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from phosphene._types import FrozenArray
from phosphene.errors import ParameterError
from phosphene.models.network import Network
from phosphene.models.prepare import prepare
from phosphene.objectives import CaricatureOf
from phosphene.recipes.lucid import lucid
from phosphene.recipes.method import Method
from phosphene.recipes.photograph import photograph
from phosphene.recipes.seeing import fitted_photograph
from phosphene.render import Recipe, Result, render
from phosphene.render.progress import Progress
from phosphene.transforms import Pad, ToCanvas

_SOURCE = "Lucid, recipes/caricature.py; Olah and others, Distill"


def inversion_recipe(image: object) -> Recipe:
    """Lucid's defaults at an image's size, the views cropped to it: how images are found that layers take for that
    image, or for more of it.

    Where the published code differs: it pads with grey, against which the photograph's edge is a feature that gets
    exaggerated to a light frame; here the padding is mirrored.

    Args:
        image: the photograph, (c, h, w) in [0, 1]; only its size and channels are taken.

    Raises:
        ImageError: no image (c, h, w) in [0, 1].
        ArgumentError: no array of numbers.
    """
    channels, height, width = photograph(image).shape
    made = lucid(height, width, channels)
    follows = ("olah2018building", "mordvintsev2018differentiable")
    views = (Pad(12), *made.transforms[1:], ToCanvas())
    return replace(made, name="feature_inversion", transforms=views, follows=follows)


def caricature_recipe(image: object) -> Recipe:
    """The recipe of a caricature, which is that of an inversion; see :func:`inversion_recipe`.

    Args:
        image: the photograph, (c, h, w) in [0, 1]; only its size and channels are taken.

    Raises:
        ImageError: no image (c, h, w) in [0, 1].
        ArgumentError: no array of numbers.
    """
    return replace(inversion_recipe(image), name="caricature")


def feature_inversion(
    net: Network,
    image: object,
    layers: str | Sequence[str],
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
    progress: Progress = True,
) -> Result:
    """What layers keep of a photograph: for each layer the image whose activations have the greatest dot product with
    the photograph's.

    See :func:`caricature`, whose power 0 it is. The dot product rewards strong features, so this exaggerates too.

    Args:
        net: the network.
        image: the photograph, (c, h, w) in [0, 1]; its middle is cut out at the network's input size.
        layers: a layer, or several, each of which gets a picture.
        recipe: how; by default :func:`inversion_recipe`.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`.

    Raises:
        ImageError: no image (c, h, w) in [0, 1], or another number of channels than the network's.
        UnknownLayerError, LayoutError: there is no such layer, or it has no channels.
        ParameterError: no layer is given.
    """
    photo = fitted_photograph(net, image)
    how = inversion_recipe(photo) if recipe is None else recipe
    return render(net, [CaricatureOf(name, photo) for name in _named(layers)], recipe=how, seed=seed, progress=progress)


def caricature(  # noqa: PLR0913 - an entry point, keyword-only
    net: Network,
    image: object,
    layers: str | Sequence[str],
    *,
    cossim_power: float = 1.0,
    recipe: Recipe | None = None,
    seed: int = 0,
    progress: Progress = True,
) -> Result:
    """What layers see in a photograph, exaggerated: ``dot · max(0.1, cosine)^p`` with the photograph's activations.

    The photograph is seen through the shifts and turns of each step, as the picture is. Where the published code
    differs: it leaves the photograph's norm out of the cosine (``CaricatureOf(…, cosine="lucid")``); its default is the
    power 0, its notebook shows 0, 0.5, 1 and 2.

    Args:
        net: the network.
        image: the photograph, (c, h, w) in [0, 1]; its middle is cut out at the network's input size.
        layers: a layer, or several, each of which gets a picture.
        cossim_power: p, from 0: the larger, the more the whole picture counts beside its strongest features.
        recipe: how; by default :func:`caricature_recipe`.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`.

    Raises:
        ImageError: no image (c, h, w) in [0, 1], or another number of channels than the network's.
        UnknownLayerError, LayoutError: there is no such layer, or it has no channels.
        ParameterError: no layer is given, or the power is below 0.
    """
    photo = fitted_photograph(net, image)
    how = caricature_recipe(photo) if recipe is None else recipe
    objectives = [CaricatureOf(name, photo, cossim_power=cossim_power) for name in _named(layers)]
    return render(net, objectives, recipe=how, seed=seed, progress=progress)


def activations_of(net: Network, photo: FrozenArray, layers: str | Sequence[str]) -> dict[str, FrozenArray]:
    """What each layer answers to a photograph (c, h, w).

    Raises:
        ParameterError: there are no layers.
    """
    names = _named(layers)
    with torch.no_grad(), prepare(net, names) as forward:
        answers = forward(photo.tensor()[None])
        return {name: FrozenArray.of(answers[name][0].clone()) for name in names}


def _named(layers: str | Sequence[str]) -> list[str]:
    """The layers' names.

    Raises:
        ParameterError: there are none.
    """
    names = [layers] if isinstance(layers, str) else list(layers)
    if not names:
        raise ParameterError("there is no layer to look at; give its name, such as 'blocks.8', or several")
    return names


METHODS = (
    Method("feature_inversion", inversion_recipe, _SOURCE, 2018, start="photograph"),
    Method("caricature", caricature_recipe, _SOURCE, 2018, start="photograph"),
)
