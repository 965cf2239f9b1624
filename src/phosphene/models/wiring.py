"""Which channels reach which by weights: a network's layers as it computes them, found while one image goes through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from phosphene.models.capture import find_modules, first_tensor, observed
from phosphene.models.guard import evaluating
from phosphene.models.layout import channel_axis
from phosphene.models.network import Network
from phosphene.models.wiring_maps import Map, Maps, total
from phosphene.models.wiring_rules import traced
from phosphene.models.wiring_traces import UNKNOWN, Call, Trace, along, counted


@dataclass(frozen=True)
class Wiring:
    """How strongly channels of layers reach those of others through weights.

    A strength is what a change of the one channel, the same at all positions, does to the other one, far from borders
    and as if what lies between were linear: for one convolution the signed sum of its kernel, times the scales of batch
    norms between; for several in a row the sum over all paths ("expanded weights": Voss and others, Visualizing
    Weights, Distill 2021). Activations and pools pass on, gates count as open, and paths through attention are left
    out. Only the nearest of the layers are told.

    Attributes:
        inputs: by layer, the layers that reach it, each with a map from their channels to its own.
        outputs: by layer, the layers that it reaches, each with a map from its own channels to theirs.
    """

    inputs: Mapping[str, Maps]
    outputs: Mapping[str, Maps]


def wiring(net: Network, layers: Sequence[str]) -> Wiring:
    """The wiring among ``layers`` of a network, from one forward pass with one image.

    A layer that runs more than once, or has no channels that are known, has none.

    Raises:
        UnknownLayerError: a layer does not exist.
        NetworkError: a layer never runs, or is a script of torch.jit.
    """
    shapes = {layer: net.layer(layer) for layer in layers}
    known = {layer: shape for layer, shape in shapes.items() if shape.layout and shape.n_calls == 1}
    constants = [*net.module.parameters(), *net.module.buffers()]
    tracer = _Tracer({layer: channel_axis(shape.layout) for layer, shape in known.items()}, constants)
    weight = next(net.module.parameters(), torch.empty(0))
    images = torch.full((1, net.n_channels, *net.input_size), 0.5, device=weight.device)
    given = net.preprocess(images).to(weight.dtype)
    tracer.note(given, UNKNOWN)
    with evaluating(net.module), torch.no_grad(), observed(find_modules(net.module, known), tracer.mark), tracer:
        net.module(given)
    return Wiring(MappingProxyType(tracer.inputs), MappingProxyType(_outputs(tracer)))


class _Tracer(TorchFunctionMode):
    """Follows channels through every operation while the block lasts.

    Attributes:
        inputs: by layer in the order in which they ran, maps from the layers before it.
        direct: of these, the ones that lead through no other layer.
        relays: by layer, the layers before it whose channels it only passes on.
    """

    def __init__(self, axes: Mapping[str, int], constants: Iterable[Tensor]) -> None:
        super().__init__()
        self._axes = axes
        self._tensors: list[Tensor] = []  # kept, so that no other one gets its id
        self._traces: dict[int, Trace | None] = {id(tensor): None for tensor in constants}
        self._is_marking = False
        self.inputs: dict[str, Maps] = {}
        self.direct: dict[str, Maps] = {}
        self.relays: dict[str, Maps] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = dict(kwargs or {})
        output = func(*args, **given)
        if self._is_marking:
            return output
        first = self._first([*args, *given.values()])
        if first is not None and getattr(func, "__name__", "") == "__setitem__":
            self.note(args[0], UNKNOWN)
        else:
            self._follow(func, (tuple(args), given), output, first)
        return output

    def look(self, value: object) -> Trace | None:
        """What is known of a value: None of a constant; of a tensor that nobody saw being made, nothing."""
        return self._traces.get(id(value), UNKNOWN) if isinstance(value, Tensor) else None

    def note(self, tensor: Tensor, trace: Trace | None) -> None:
        """From now on, this is known of a tensor."""
        self._tensors.append(tensor)
        self._traces[id(tensor)] = trace

    def mark(self, layer: str, _: Sequence[Any], output: object) -> None:
        """A layer has put something out: its channels are where others are reached from."""
        tensor = first_tensor(output)
        if tensor is None:
            return
        self._is_marking = True
        try:
            self._mark(layer, tensor, self._axes[layer])
        finally:
            self._is_marking = False

    def _mark(self, layer: str, tensor: Tensor, axis: int) -> None:
        found = self.look(tensor)
        trace = counted(found, axis) if found is not None and found.maps else None
        maps = {} if trace is None else trace.maps
        self.direct[layer] = {name: one for name, one in maps.items() if one.weighted}
        self.relays[layer] = {name: one for name, one in maps.items() if not one.weighted}
        passed = [_after(self.inputs[name], one) for name, one in self.relays[layer].items()]
        self.inputs[layer] = total([self.direct[layer], *passed])
        own = Trace(torch.empty(0), {layer: Map(torch.ones(tensor.shape[axis]))}, tensor.shape[axis])
        self.note(tensor, along(own, tuple(tensor.shape), axis))

    def _first(self, values: Iterable[object]) -> Trace | None:
        """What is known of the first tensor whose channels are known, or else of the first that is no constant."""
        found = [trace for tensor in _tensors(values) if (trace := self.look(tensor)) is not None]
        return next((trace for trace in found if trace.maps), found[0] if found else None)

    def _follow(self, func: Any, given: tuple[Any, dict[str, Any]], output: Any, first: Trace | None) -> None:
        """Note what an operation put out; of constants come constants."""
        name = str(getattr(func, "__name__", "")).strip("_")
        parts = cast("Sequence[object]", output) if isinstance(output, tuple | list) else (output,)
        for i, part in enumerate(parts):
            if isinstance(part, Tensor):
                one = func if part is output else _item(func, i)
                self.note(part, first and traced(Call(name, one, *given, part, self.look), first))


def _item(func: Callable[..., Any], i: int) -> Callable[..., Any]:
    return lambda *args, **kwargs: func(*args, **kwargs)[i]


def _tensors(values: Iterable[object]) -> Iterable[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, tuple | list):
            yield from _tensors(cast("Sequence[object]", value))


def _after(maps: Maps, one: Map) -> Maps:
    return {layer: each.then(one) for layer, each in maps.items()}


def _outputs(tracer: _Tracer) -> dict[str, Maps]:
    """By layer what it reaches: directly, and from where its channels are only passed on to."""
    found: dict[str, dict[str, Map]] = {layer: {} for layer in tracer.direct}
    for layer in reversed(tracer.direct):
        for source, one in tracer.direct[layer].items():
            found[source] = total([found[source], {layer: one}])
        for source, relay in tracer.relays[layer].items():
            onwards = {target: relay.then(one) for target, one in found[layer].items()}
            found[source] = total([found[source], onwards])
    return dict(found)
