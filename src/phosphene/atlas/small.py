"""The recipes of an atlas's pictures where nobody names one: small pictures, as there are thousands."""

from __future__ import annotations

from dataclasses import replace

from phosphene.blocks.icons import icon_of_channel
from phosphene.models.network import Network
from phosphene.render.defaults import class_recipe
from phosphene.render.recipe import Recipe
from phosphene.transforms import GaussianNoise, RandomCrop, Rotate, ToCanvas

#: Of a class: found by looking at eight classes of EfficientNet-Lite0 at 96 pixels. With one view of nearly the whole
#: picture they show textures in pieces, and six of eight are the network's first answer; so they show things, and seven
#: are.
_CLASS_WINDOW, _CLASS_ANGLE_DEG, _CLASS_VIEWS = (0.5, 1.1), 15.0, 2


def small_recipe(net: Network, layer: str, *, size: int | None, is_output: bool) -> Recipe:
    """How the units of a layer are shown: by :func:`~phosphene.blocks.icon_of_channel`; classes through two views that
    are moved, scaled and turned more, from the noise of :func:`~phosphene.render.class_recipe`.

    Args:
        net: the network.
        layer: the layer.
        size: height and width in pixels; by default 96 to 128, as the layer's positions are far apart.
        is_output: whether its units are classes.
    """
    plain = icon_of_channel(net, layer, size=size)
    if not is_output:
        return plain
    views = (
        RandomCrop(*_CLASS_WINDOW),
        Rotate(-_CLASS_ANGLE_DEG, _CLASS_ANGLE_DEG),
        ToCanvas(),
        GaussianNoise(0.02),
    )
    noise = class_recipe(*plain.sizes[0], net.n_channels).parameterization
    return replace(plain, name="small class", parameterization=noise, transforms=views, views=_CLASS_VIEWS)
