"""One forward pass that looks at every layer: what each puts out, how often it runs, and where its channels are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.errors import NetworkError
from phosphene.models.capture import first_tensor, named_modules, observed, unwrap_parallel
from phosphene.models.guard import evaluating
from phosphene.models.layout import Layout, channel_axis, layout_of


@dataclass(frozen=True)
class LayerShape:
    """What a layer puts out at the network's input size.

    Attributes:
        name: the module's name in the network; ``""`` is the whole network.
        type: the module's class.
        shape: shape of the first tensor of its last call, for one image.
        n_channels: number of channels.
        layout: what the axes mean: ``"NC"``, ``"NCHW"``, ``"NHWC"``, ``"NLC"``, or ``""`` when it is none of these.
        n_calls: how often the layer runs in one forward pass.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    n_channels: int
    layout: Layout
    n_calls: int


@dataclass
class _Seen:
    """A layer's calls so far; ``output`` keeps the tensor alive, so that its identity stays its own."""

    module: nn.Module
    output: Tensor
    layout: Layout
    n_calls: int


def probe(module: nn.Module, images: Float[Tensor, "1 c h w"]) -> tuple[dict[str, LayerShape], str]:
    """Every layer that puts out a tensor, in execution order, the root (``""``) last; and the name of the layer whose
    output is the root's.

    The module is run once in eval mode without gradients and left as it was.

    Raises:
        NetworkError: the module cannot process an image of this shape.
    """
    root = unwrap_parallel(module)
    modules = named_modules(root)
    seen: dict[str, _Seen] = {}
    size = (images.shape[2], images.shape[3])

    def look(name: str, inputs: Sequence[Any], output: object) -> None:
        tensor = first_tensor(output)
        if tensor is None:
            return
        before = seen.pop(name, None)
        children = [entry for key, entry in seen.items() if _is_inside(key, name)]
        earlier: list[tuple[Tensor, Layout]] = [(entry.output, entry.layout) for entry in (children or seen.values())]
        layout = layout_of(modules[name], tensor, first_tensor(inputs), earlier=earlier, input_size=size)
        seen[name] = _Seen(modules[name], tensor, layout, 1 + (before.n_calls if before else 0))

    with evaluating(root), torch.no_grad(), observed(modules, look):
        _try(root, images)
    return {name: _describe(name, entry) for name, entry in seen.items()}, _output_layer(seen)


def _is_inside(name: str, parent: str) -> bool:
    return bool(name) and (not parent or name.startswith(parent + "."))


def _try(module: nn.Module, images: Tensor) -> None:
    try:
        module(images)
    except (RuntimeError, ValueError, TypeError, AssertionError, IndexError, AttributeError) as error:
        raise NetworkError(
            f"{type(module).__name__} cannot process an image of shape {tuple(images.shape)} (n c h w): {error}. "
            "Give the input_size, and mean and std with one value per input channel, that it was made for"
        ) from error


def _describe(name: str, entry: _Seen) -> LayerShape:
    shape = tuple(entry.output.shape)
    n_channels = shape[channel_axis(entry.layout)] if entry.layout else (shape[1] if len(shape) > 1 else 0)
    return LayerShape(name, type(entry.module).__name__, shape, n_channels, entry.layout, entry.n_calls)


def _output_layer(seen: Mapping[str, _Seen]) -> str:
    """The deepest layer whose output tensor is the network's output itself; ``""`` if only the root has it."""
    root = seen.get("")
    same = [name for name, entry in seen.items() if name and root is not None and entry.output is root.output]
    return same[0] if same else ""
