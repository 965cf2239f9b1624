"""The renderers compared: phosphene in its variants, the bare pass, and the peers, each behind one call."""

from __future__ import annotations

import copy
import importlib
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from peers.common import Job
from torch import Tensor

import phosphene as ph

if TYPE_CHECKING:
    from phosphene import Network

SIZE = 224
PEERS = {"torch-lucent": "peers.lucent", "dreamlens": "peers.dreamlens", "torch-dreams": "peers.torch_dreams"}
CLASSIFIER = "classifier"
N_VIEWS = 4
"""Views of the default recipe for classes."""

Renderer = Callable[["Network", str, tuple[int, ...], int, int], Tensor]
"""(network, layer, channels, steps, seed) to images (n 3 224 224) in [0, 1]."""


def peer_renderer(name: str) -> Renderer:
    """A peer's renderer; it works on a copy of the network, since some leave their hooks behind."""
    adapter = importlib.import_module(PEERS[name])

    def render(net: Network, layer: str, channels: tuple[int, ...], steps: int, seed: int) -> Tensor:
        job = Job(copy.deepcopy(net.module).eval(), net.preprocess, layer, channels, SIZE, steps, seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return adapter.render(job)

    return render


def phosphene_renderer(**options: Any) -> Renderer:
    """phosphene with its default recipe for the unit, apart from `options` of `ph.render`."""

    def render(net: Network, layer: str, channels: tuple[int, ...], steps: int, seed: int) -> Tensor:
        units = [unit(layer, channel) for channel in channels]
        return ph.render(net, units, steps=steps, seed=seed, progress=False, **options).images

    return render


def unit(layer: str, channel: int) -> ph.Unit:
    """The classifier's channels are class logits; all others are channels."""
    return ph.Logit(channel) if layer == CLASSIFIER else ph.Channel(layer, channel)


RENDERERS: dict[str, Callable[[], Renderer]] = {
    "phosphene": lambda: phosphene_renderer(views=1),
    "phosphene bfloat16": lambda: phosphene_renderer(views=1, dtype=torch.bfloat16),
    "phosphene 4 views": lambda: phosphene_renderer(views=N_VIEWS),
    **{name: lambda name=name: peer_renderer(name) for name in PEERS},
}
"""What `speed.py` times, by the name in its table."""
