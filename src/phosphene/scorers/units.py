"""Units of any torch network as a black box: asked for activations, never for a gradient."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._algebra import Objective
from phosphene._component import check
from phosphene._types import JSON
from phosphene.errors import ArgumentError, ParameterError
from phosphene.models.network import Network
from phosphene.models.prepare import ForwardPass, prepare
from phosphene.objectives import Scene, check_positions, compile_objectives
from phosphene.objectives import Scorer as Compiled
from phosphene.scorers.base import MAX_BATCH, BlackBox, Respond, check_count, checked_images, padded_batches
from phosphene.scorers.fitting import Fitting

#: Images at a time, as in a render on a CPU.
BATCH = 8
#: Objectives that a name lists.
_NAMED = 3


@dataclass(frozen=True, eq=False)
class UnitScorer(BlackBox):
    """The values of objectives, such as the activations of units, for clean images at the network's input size.

    Attributes:
        net: the network.
        objectives: one for each response.
        batch_size: images that the network is shown at a time, at most 4096; always as many, the last ones filled up.
        resize: resize images to the network's input size; otherwise they are shown as they are, which only networks
            that take any size allow for other sizes than their own.
    """

    net: Network
    objectives: tuple[Objective, ...]
    batch_size: int = BATCH
    resize: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.net, Network):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(f"net must come from ph.load or ph.wrap; got {type(self.net).__name__}")
        object.__setattr__(self, "objectives", tuple(self.objectives))
        check_count("batch_size", self.batch_size, MAX_BATCH)
        check(
            len(self.objectives) > 0, "objectives", self.objectives, "at least one, such as ph.Channel('blocks.8', 7)"
        )
        for objective in self.objectives:
            self._check(objective)

    def _check(self, objective: object) -> None:
        if not isinstance(objective, Objective):
            raise ArgumentError(f"expected an objective such as ph.Channel('blocks.8', 7); got {objective!r:.80}")
        if objective.coupled:
            raise ParameterError(f"{objective} scores images by their company; a black box scores each on its own")
        compile_objectives([objective], self.net)
        check_positions(objective, self.net)

    @property
    def name(self) -> str:
        names = [str(objective) for objective in self.objectives]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return ", ".join(names[:_NAMED]) + more

    @property
    def n_responses(self) -> int:
        return len(self.objectives)

    @contextmanager
    def open(self, device: torch.device) -> Generator[Respond, None, None]:
        """See :meth:`BlackBox.open`; answers never require a gradient, and the network is left as it was found."""
        scorers = [compile_objectives([objective] * self.batch_size, self.net) for objective in self.objectives]
        layers = frozenset[str]().union(*(scorer.layers for scorer in scorers))
        with ExitStack() as stack:
            with torch.inference_mode(False), torch.no_grad():
                forward = stack.enter_context(prepare(self.net, sorted(layers), device=device))
            yield _Responding(self, forward, scorers, device=device)

    def describe(self) -> dict[str, JSON]:
        """See :meth:`BlackBox.describe`: how to load the network, the SHA-256 of its weights, and the objectives."""
        return {
            "kind": "units",
            "network": {**self.net.source, "digest": self.net.digest},
            "objectives": [objective.to_json() for objective in self.objectives],
            "batch_size": self.batch_size,
            "resize": self.resize,
        }


class _Responding:
    """An open pass through a network, and what reads it."""

    def __init__(
        self, box: UnitScorer, forward: ForwardPass, scorers: Sequence[Compiled], *, device: torch.device
    ) -> None:
        self.forward, self.scorers, self.device = forward, scorers, device
        self.batch_size = box.batch_size
        size = box.net.input_size if box.resize else None
        self.fit = Fitting(size, box.batch_size, device)

    def __call__(self, images: Tensor) -> Float[Tensor, "n k"]:
        with torch.inference_mode(False), torch.no_grad():
            seen = checked_images(images).to(self.device)
            found = [torch.empty(0, len(self.scorers), dtype=torch.float64)]
            found += [self._batch(batch)[:n] for batch, n in padded_batches(seen, self.batch_size)]
            return torch.cat(found)

    def _batch(self, images: Tensor) -> Float[Tensor, "b k"]:
        def see(others: Tensor) -> Mapping[str, Tensor]:
            return self.forward(self.fit(others))

        scene = Scene(images, see(images), 1, see=see)
        return torch.stack([score(scene).to("cpu", torch.float64) for score in self.scorers], 1)


def units(net: Network, *objectives: Objective, batch_size: int = BATCH, resize: bool = True) -> UnitScorer:
    """Units of a network as a black box with a response for each.

    Args:
        net: the network.
        objectives: such as ``ph.Channel("blocks.8", 7)``; several are a population.
        batch_size: images that the network is shown at a time.
        resize: resize images to the network's input size.

    Raises:
        UnknownLayerError, UnknownClassError, UnitRangeError, LayoutError: an objective does not fit the network.
        ArgumentError, ParameterError: an argument is of the wrong kind or out of range.
    """
    return UnitScorer(net, objectives, batch_size, resize)
