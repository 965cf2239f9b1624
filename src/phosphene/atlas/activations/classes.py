"""What activations say of the classes."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.atlas.activations.sampling import Floats
from phosphene.blocks.places import Places, places_of
from phosphene.models.network import Network
from phosphene.models.prepare import ForwardPass, prepare

_BATCH = 16


def class_attributions(net: Network, layer: str, vectors: Floats, *, reference: Floats) -> Floats:
    """How much more of each class's logit there is when a layer puts out one vector everywhere than when it puts out
    another, ``logit(vector) - logit(reference)``: the integral of the logit's gradient along the way between them.

    Behind a layer with an average pool and a matrix W after it, that is ``W (vector - reference)``. The slope at single
    images (activation times gradient), which Carter and others take, is zero or negative where a later ReLU6 is
    saturated by the very evidence: at ``blocks.14`` of EfficientNet-Lite0 it puts the class of a photograph at rank
    691 of 1000 in the median, this one at 7 (``docs/activation_atlas.md``).

    What reaches the classes beside the layer, and tokens before a grid of patches, are what a grey image gives.

    Args:
        net: the network; it computes where its weights are.
        layer: the layer.
        vectors: of the layer's activation space (n, channels).
        reference: a vector (channels,).

    Returns (n, classes); no columns where the network's output is no row of classes, or does not depend on the layer.

    Raises:
        UnknownLayerError, LayoutError: there is no such layer, or it has no channels that are known.
    """
    places = places_of(net.layer(layer), net.input_size)
    output = net.output_layer
    if net.layer(output).layout != "NC" or not len(vectors):
        return np.zeros((len(vectors), 0), np.float32)
    device = net.device
    with (
        torch.inference_mode(False),
        torch.no_grad(),
        prepare(net, list(dict.fromkeys([layer, output])), device=device) as forward,
    ):
        filled = _Filled(net, layer, places, forward)
        start = filled(torch.from_numpy(reference)[None].to(device))
        parts = [filled(part.to(device)) for part in torch.from_numpy(vectors).split(_BATCH)]
    found = (torch.cat(parts) - start).cpu().numpy()
    return found if found.any() else found[:, :0]


class _Filled:
    """A network whose layer puts out one vector at every position."""

    def __init__(self, net: Network, layer: str, places: Places, forward: ForwardPass) -> None:
        self._net, self._layer, self._places, self._forward = net, layer, places, forward

    def __call__(self, vectors: Float[Tensor, "n c"]) -> Float[Tensor, "n classes"]:
        """The logits that each vector leads to."""
        n_calls, calls = self._net.layer(self._layer).n_calls, list[None]()

        def fill(output: Tensor) -> Tensor:
            calls.append(None)
            return output if len(calls) != n_calls else self._fill(output, vectors)

        grey = vectors.new_full((len(vectors), self._net.n_channels, *self._net.input_size), 0.5)
        with self._forward.replacing({self._layer: fill}):
            return self._forward(grey)[self._net.output_layer].float()

    def _fill(self, output: Tensor, vectors: Tensor) -> Tensor:
        n_prefix = self._places.n_prefix
        filled = self._places.spread(vectors.to(output)).expand_as(output).clone()
        if n_prefix:
            filled[:, :n_prefix] = output[:, :n_prefix]
        return filled
