"""An image that passes through a network, whole or from a layer on, so that gradients in layers can be taken."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._algebra import Objective
from phosphene.blocks.places import Places, places_of
from phosphene.blocks.pools import SmoothedPools
from phosphene.errors import ParameterError
from phosphene.models.network import Network
from phosphene.models.overrides import overriding
from phosphene.models.prepare import ForwardPass, prepare
from phosphene.objectives import Scene, compile_objectives
from phosphene.recipes.seeing import fitted_photograph


@contextmanager
def opened(
    net: Network,
    image: object,
    layers: str | Sequence[str],
    targets: Sequence[Objective],
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Generator[Passing, None, None]:
    """While the block lasts, an image can be passed through a copy of the network, whole or from a layer on. Gradients
    are this block's own business, whatever mode the caller is in.

    Raises:
        UnknownLayerError, LayoutError, ImageError, ParameterError: see :func:`phosphene.blocks.inside.look_inside`.
    """
    names = list(dict.fromkeys([layers] if isinstance(layers, str) else layers))
    if not names:
        raise ParameterError("there is no layer to look into; give its name, such as 'blocks.8', or several")
    places = {name: places_of(net.layer(name), net.input_size) for name in names}
    photo = fitted_photograph(net, image)
    read = frozenset[str]().union(*(compile_objectives([target], net).layers for target in targets))
    own = net.device
    where = torch.device(own if device is None else device)
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        prepare(net, [*names, *sorted(read - set(names))], device=where, dtype=dtype) as forward,
    ):
        yield Passing(net, forward, photo.tensor(where, dtype)[None], places, targets)


class Seen(NamedTuple):
    """What one pass has shown, in the layers' own layouts.

    Attributes:
        scores: (targets,).
        activations: layer to its output (1, …).
        slopes: for each target, layer to the score's gradient in its output (1, …).
        n_smoothed: layer to the number of max-pools behind it whose gradient was smoothed; None where none was to be.
    """

    scores: Float[Tensor, " t"]
    activations: Mapping[str, Tensor]
    slopes: Sequence[Mapping[str, Tensor]]
    n_smoothed: Mapping[str, int] | None


class Passing:
    """An image that passes through a network, opened by :func:`opened`.

    Attributes:
        places: where the layers' positions are.
        targets: what is scored.
    """

    def __init__(
        self,
        net: Network,
        forward: ForwardPass,
        image: Float[Tensor, "1 c h w"],
        places: Mapping[str, Places],
        targets: Sequence[Objective],
    ) -> None:
        self.places, self.targets = places, tuple(targets)
        self._net, self._forward, self._image = net, forward, image
        self._may_widen: dict[str, bool] = {}

    def look(self, pools: SmoothedPools | None = None) -> Seen:
        """Activations of all layers and gradients of all scores in them.

        Raises:
            ParameterError: a score does not depend on a layer.
        """
        nodes: dict[str, Tensor] = {}
        met: dict[str, int] = {}
        with (
            torch.set_grad_enabled(bool(self.targets)),
            self._forward.replacing(self._keeping(nodes, met, pools)),
            overriding(*([] if pools is None else [pools])),
        ):
            found = self._forward(self._image)
        scores = self.scores(found, 1)
        slopes = [self._slopes(score, nodes, target) for score, target in zip(scores, self.targets, strict=True)]
        n_smoothed = None if pools is None else {name: len(pools.met) - n for name, n in met.items()}
        values = torch.cat([self._image.new_empty(0), *scores]).detach()
        return Seen(values, {name: node.detach() for name, node in nodes.items()}, slopes, n_smoothed)

    def _keeping(
        self, nodes: dict[str, Tensor], met: dict[str, int], pools: SmoothedPools | None
    ) -> dict[str, Callable[[Tensor], Tensor]]:
        """Functions that make each layer's output, of its last call, a node of its own: a module such as Identity
        returns a tensor that others read too.
        """

        def keep(name: str) -> Callable[[Tensor], Tensor]:
            def function(output: Tensor) -> Tensor:
                node = output.clone()
                nodes[name] = node if node.requires_grad or not self.targets else node.requires_grad_()
                met[name] = 0 if pools is None else len(pools.met)
                return nodes[name]

            return function

        return {name: keep(name) for name in self.places}

    def _slopes(self, score: Tensor, nodes: Mapping[str, Tensor], target: Objective) -> dict[str, Tensor]:
        found: Sequence[Tensor | None] = [None] * len(nodes)
        if score.requires_grad:
            found = torch.autograd.grad(score, list(nodes.values()), retain_graph=True, allow_unused=True)
        slopes = {name: slope for name, slope in zip(nodes, found, strict=True) if slope is not None}
        for name in nodes:
            if name not in slopes:
                raise independent(target, name)
        return slopes

    def scores(self, found: Mapping[str, Tensor], n: int) -> list[Float[Tensor, " n"]]:
        """For each target, the scores of ``n`` activations."""
        images = self._image.expand(n, -1, -1, -1)
        scorers = [compile_objectives([target] * n, self._net) for target in self.targets]
        return [scorer(Scene(images, found, 1)) for scorer in scorers]

    def raw(self, layer: str) -> Tensor:
        """The layer's activations in its own layout (1, …)."""
        with torch.no_grad():
            return self._forward(self._image)[layer].clone()

    def onward(self, layer: str, given: Tensor) -> dict[str, Tensor]:
        """What all layers answer when ``layer`` puts out ``given`` (n, …), in its own layout; differentiable in it.

        The part before the layer is passed with one image only, wherever the part after it takes that.
        """
        if layer not in self._may_widen:
            self._may_widen[layer] = len(given) > 1 and self._widens(layer, given[:2].detach())
        return self._go_on(layer, given, 1 if self._may_widen[layer] else len(given))

    def _go_on(self, layer: str, given: Tensor, n_images: int) -> dict[str, Tensor]:
        last = self._net.layer(layer).n_calls
        calls: list[None] = []

        def function(output: Tensor) -> Tensor:
            calls.append(None)
            return given if len(calls) == last else output

        with self._forward.replacing({layer: function}):
            return self._forward(self._image.expand(n_images, -1, -1, -1))

    def _widens(self, layer: str, given: Tensor) -> bool:
        """Whether one image before the layer does for several activations after it: tried, not believed."""
        try:
            with torch.no_grad():
                expected = self._go_on(layer, given, len(given))
                found = self._go_on(layer, given, 1)
        except Exception:  # a module that was promised one image may fail in any way
            return False
        return all(
            answer.shape == expected[name].shape and torch.allclose(answer, expected[name], rtol=1e-4, atol=1e-5)
            for name, answer in found.items()
        )


def independent(what: object, layer: str) -> ParameterError:
    """The error of a score that does not depend on a layer."""
    return ParameterError(
        f"{what} does not depend on layer {layer!r}, which comes after it or beside it; choose a layer before it"
    )


def at_least_two(layers: Sequence[str]) -> None:
    """Refuse what is not at least two layers.

    Raises:
        ParameterError: there are fewer.
    """
    if isinstance(layers, str) or len(set(layers)) < 2:
        raise ParameterError(f"layers are {layers!r}; expected at least two, from shallow to deep")
