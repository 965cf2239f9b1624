"""What a network answers to a photograph."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._types import FrozenArray
from phosphene.errors import ImageError
from phosphene.models.network import Network
from phosphene.models.prepare import prepare
from phosphene.recipes.photograph import photograph
from phosphene.recipes.spectrum_fit import fitted


def fitted_photograph(net: Network, image: object) -> FrozenArray:
    """The middle of a photograph at the network's input size; one of that size as it is.

    Raises:
        ImageError: no image (c, h, w) in [0, 1], or another number of channels than the network's.
        ArgumentError: no array of numbers.
    """
    photo = photograph(image)
    if photo.shape[0] != net.n_channels:
        raise ImageError(f"the image has {photo.shape[0]} channels; {net.name} takes {net.n_channels}")
    if photo.shape[1:] == tuple(net.input_size):
        return photo
    return FrozenArray.of(fitted(photo.tensor(), *net.input_size))


def activation_of(net: Network, image: FrozenArray, layer: str) -> Float[Tensor, "..."]:
    """What ``layer`` answers to an image (c, h, w) in [0, 1], in the layer's own layout without the batch axis,
    float32 on the CPU.

    Raises:
        UnknownLayerError, NetworkError: see :func:`phosphene.models.prepare`.
    """
    with torch.no_grad(), prepare(net, [layer]) as forward:
        return forward(image.tensor()[None])[layer][0].clone()
