"""DeepDream as it was first published, for Caffe (Mordvintsev, Olah and Tyka 2015; google/deepdream, ``dream.ipynb``):
what a layer sees in a photograph, drawn into it; also led by a second photograph.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import add

import torch
import torch.nn.functional as F

from phosphene._types import FrozenArray
from phosphene.conditioners import Tiles
from phosphene.errors import ArgumentError, ParameterError
from phosphene.models.network import Network
from phosphene.models.prepare import prepare
from phosphene.objectives import Guide, Objective
from phosphene.objectives.layouts import channels_of
from phosphene.optimizers import NormalizedAscent
from phosphene.projections import Clip
from phosphene.recipes.method import Method
from phosphene.recipes.photograph import photograph, pixels_of, started_from
from phosphene.render import Frames, Recipe, Result, render
from phosphene.render.progress import Progress
from phosphene.stages import Octaves
from phosphene.transforms import Jitter
from phosphene.units import Layer

_JITTER = 32


def deepdream(  # noqa: PLR0913 - the parameters of the published functions, keyword-only
    image: object,
    *,
    steps: int = 10,
    step: float = 1.5 / 255,
    octaves: int = 4,
    scale: float = 1.4,
    jitter: int | None = None,
    clip: bool = True,
    tiles: Tiles | None = None,
) -> Recipe:
    """DeepDream in Caffe: octaves from coarse to fine, what was drawn on one carried to the next as detail.

    Render it with ``ph.Layer(name)``, the layer's squared activations, or a sum of several layers; :func:`dream` does
    that. The published program climbs ``½ Σ a²``; the mean of the squares, which phosphene climbs, has the same
    direction, and of several layers none counts more for being larger. It divides by the mean absolute gradient
    without a guard, and so does this; a gradient of exactly zero stops the image, and the result says so.

    Args:
        image: the photograph, (c, h, w) in [0, 1].
        steps: steps in each octave.
        step: mean change of a value in a step, in units of [0, 1].
        octaves: number of octaves.
        scale: size of an octave over the one before it.
        jitter: largest shift, in pixels, by which the image is rolled before a step, either way; None is 32, as
            published, or beside tiles their own shift.
        clip: whether values are held in [0, 1]. Otherwise they go where they will, and the picture is
            ``image / percentile(image, 99.98)``.
        tiles: compute the gradient tile by tile, for images that memory would not hold with all their activations;
            tiles roll the image by themselves, by less than a tile, so no jitter is taken beside them. The published
            program has none.

    Raises:
        ArgumentError: a jitter was given beside tiles.
        ImageError: no image (c, h, w) with values in [0, 1].
    """
    if tiles is not None and jitter is not None:
        raise ArgumentError(f"jitter is {jitter}, but tiles shift the image by themselves; leave one of them out")
    return Recipe(
        name="deepdream",
        follows=("mordvintsev2015inceptionism",),
        parameterization=pixels_of(image),
        transforms=() if tiles is not None else (Jitter(_JITTER if jitter is None else jitter, mode="roll"),),
        optimizer=NormalizedAscent(lr=step, norm="mean_abs", eps=0.0),
        steps=steps,
        stages=Octaves(n=octaves, scale=scale, convention="ndzoom"),
        tiles=tiles,
        projections=(Clip(),) if clip else (),
        finish="clip" if clip else "percentile",
    )


def guided_by(net: Network, image: object, layer: str) -> Guide:
    """Guided DeepDream: draw more of what resembles the features of a guide image; an objective.

    Args:
        net: the network.
        image: the guide, (c, h, w) in [0, 1], of any size; a network of fixed size sees it at that size.
        layer: where features are compared, position by position.

    Raises:
        ImageError: the guide is no image.
        UnknownLayerError, LayoutError: there is no such layer, or it has no channels.
    """
    guide = photograph(image).tensor()[None]
    if not net.any_size and tuple(guide.shape[2:]) != net.input_size:
        guide = F.interpolate(guide, net.input_size, mode="bicubic", align_corners=False, antialias=True).clamp(0, 1)
    features = channels_of(net.layer(layer))
    with prepare(net, [layer]) as forward, torch.no_grad():
        return Guide(layer, FrozenArray.of(features(forward(guide)[layer])[0]))


def dream_of(net: Network, layers: str | Objective | Iterable[str | Objective], guide: object = None) -> Objective:
    """What a dream climbs: the layers' squared activations, or their likeness to those of a guide image.

    Args:
        net: the network.
        layers: a layer's name, or several, which are added; other objectives may stand among them.
        guide: a guide image (c, h, w) in [0, 1], if the dream is led by one; then every layer is given by its name.

    Raises:
        ParameterError: there are no layers.
        ArgumentError: neither a layer's name nor an objective; or an objective beside a guide.
        UnknownLayerError: there is no such layer.
    """
    given = [layers] if isinstance(layers, str | Objective) else list(layers)
    if not given:
        raise ParameterError("there is nothing to dream of: give the name of a layer, such as 'blocks.5'")
    return reduce(add, (_dreamed(net, one, guide) for one in given))


def _dreamed(net: Network, layer: object, guide: object) -> Objective:
    if guide is not None:
        name = layer.layer if isinstance(layer, Layer) else layer
        if not isinstance(name, str):
            raise ArgumentError(f"a guide leads whole layers; give a layer's name, not {layer}")
        return guided_by(net, guide, name)
    if isinstance(layer, Objective):
        return layer
    if not isinstance(layer, str):
        raise ArgumentError(f"expected the name of a layer, such as 'blocks.5', or an objective; got {layer!r}")
    net.layer(layer)
    return Layer(layer)


def dream(  # noqa: PLR0913 - an entry point, keyword-only
    net: Network,
    image: object,
    layers: str | Objective | Iterable[str | Objective],
    *,
    guide: object = None,
    recipe: Recipe | None = None,
    snapshots: Iterable[int] | int | Frames = (),
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: Progress = True,
) -> Result:
    """Dream of layers into a photograph.

    Args:
        net: the network.
        image: the photograph, (c, h, w) in [0, 1], of any size that the network takes.
        layers: a layer's name, or several, which are added; other objectives, such as channels, may stand among them.
        guide: a second image (c, h, w) in [0, 1] of any size: the dream takes up its features.
        recipe: how, such as ``ph.recipes.deepdream(image, octaves=3)`` or ``ph.recipes.tf_deepdream(image)``, started
            from ``image``; by default :func:`deepdream` at its defaults.
        snapshots: as in :func:`phosphene.render`.
        seed: seed of the shifts.
        device: where to compute; by default where the network is.
        progress: as in :func:`phosphene.render`.

    Raises:
        ImageError, ParameterError, ArgumentError: an argument does not fit.
        UnknownLayerError, LayoutError: a layer does not exist, or has no channels.
    """
    how = deepdream(image) if recipe is None else started_from(recipe, image)
    climbed = dream_of(net, layers, guide)
    return render(net, climbed, recipe=how, snapshots=snapshots, seed=seed, device=device, progress=progress)


METHODS = (
    Method("deepdream", deepdream, "Mordvintsev, Olah and Tyka; google/deepdream, dream.ipynb", 2015, "photograph"),
)
