"""Lucent's parts as parts of the engine: ``(params, image_f)``, transforms, a torch optimizer, a loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene._algebra import Objective
from phosphene.compat.lucent.optvis._network import Names, inside
from phosphene.compat.lucent.optvis.objectives_util import Getter, scalar
from phosphene.errors import ArgumentError
from phosphene.functional.random import Generators
from phosphene.objectives import Scene, Scorer
from phosphene.objectives.compile import NetworkLike, compile_kind
from phosphene.optimizers.base import Evaluate, Optimizer, Stepper
from phosphene.parameterizations import Canvas, Parameterization
from phosphene.transforms.base import Draws, Photometric, ViewFunction

#: Seeds of the generators that the transforms of one step draw from.
_SEEDS = 2**62


class Painted(Canvas):
    """The caller's image as a canvas; its parameters are the caller's own tensors, which all images share."""

    def __init__(self, params: Sequence[Tensor], image_f: Callable[[], Tensor], like: Tensor) -> None:
        super().__init__()
        self.params, self.image_f = tuple(params), image_f
        self.size = like.shape[2], like.shape[3]
        # The engine counts images by a parameter that has one row for each; nothing is in it.
        self.rows = nn.Parameter(like.new_zeros(len(like), 0))

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, nn.Parameter]]:
        yield "rows", self.rows
        for i, tensor in enumerate(self.params):
            yield f"params.{i}", tensor  # pyright: ignore[reportReturnType]

    @property
    def shared(self) -> frozenset[str]:
        return frozenset(f"params.{i}" for i in range(len(self.params)))

    def forward(self) -> Float[Tensor, "n c h w"]:
        return self.image_f()

    def disturb(self, rows: Tensor, noise: Generators, strength: float) -> None:
        """The parameters start where the caller put them, even where nothing can be climbed from there."""


@dataclass(frozen=True)
class Closures(Parameterization, base=True):
    """The caller's ``(params, image_f)``, which is there already.

    Attributes:
        channels: channels of the image.
        canvas: gives the canvas.
    """

    channels: int
    canvas: Callable[[], Canvas]

    @property
    def image_channels(self) -> int:
        return self.channels

    @property
    def couples(self) -> bool:
        return True

    def build(self, n: int, noise: Generators, *, device: torch.device, dtype: torch.dtype) -> Canvas:
        """The caller's canvas."""
        return self.canvas()


@dataclass(frozen=True)
class Views(Photometric, base=True):
    """Transforms as Lucent draws them, once for a whole batch; the draw stays the same within a step, so that a line
    search compares like with like.

    Attributes:
        function: images and a generator to views.
        added: channels that the views have more than the images.
    """

    function: Callable[[Tensor, torch.Generator], Tensor]
    added: int = 0

    def channels(self, channels: int) -> int:
        return channels + self.added

    def sample(self, draws: Draws, device: torch.device) -> Callable[[int], ViewFunction]:
        """See :meth:`Photometric.sample`."""
        seeds = torch.randint(_SEEDS, (draws.n_steps,), generator=draws.generators.cpu[0]).tolist()

        def at(step: int) -> ViewFunction:
            return lambda images: self.function(images, torch.Generator().manual_seed(seeds[step]))

        return at


@dataclass(frozen=True)
class TorchOptimizer(Optimizer, base=True):
    """One of torch's optimizers, which goes down where the engine climbs.

    Attributes:
        made: gives the optimizer, which holds the caller's parameters already.
        params: gives these parameters.
    """

    made: Callable[[], torch.optim.Optimizer]
    params: Callable[[], Sequence[Tensor]]

    def start(self, parameters: Sequence[Tensor], noise: Generators | None = None) -> Stepper:
        """See :meth:`Optimizer.start`."""
        return _Descent(self.made(), self.params())


class _Descent(Stepper):
    def __init__(self, optimizer: torch.optim.Optimizer, params: Sequence[Tensor]) -> None:
        self.optimizer, self.params = optimizer, params

    def step(self, evaluate: Evaluate) -> Float[Tensor, " n"]:
        seen: list[Tensor] = []

        def closure() -> Tensor:
            seen.append(evaluate())
            for parameter in self.params:
                if parameter.grad is not None:
                    parameter.grad.neg_()
            return -seen[-1].sum()

        self.optimizer.step(closure)  # pyright: ignore[reportCallIssue, reportArgumentType]
        if not seen:
            raise ArgumentError(f"{type(self.optimizer).__name__} did not call the closure that its step was given")
        return seen[0]


@dataclass(frozen=True)
class Loss(Objective, base=True):
    """A loss of ``T`` for a whole batch, each image with its share of minus the loss as its score.

    Attributes:
        function: ``T`` to the loss.
        names: the names of the model's layers.
        paths: the layers that it reads.
        told: called with each step and its loss.
    """

    function: Callable[[Getter], Tensor]
    names: Callable[[], Names]
    paths: tuple[str, ...]
    told: Callable[[int, Tensor], None]

    @property
    def coupled(self) -> bool:
        return True

    def __str__(self) -> str:
        return getattr(self.function, "name", None) or getattr(self.function, "__name__", "objective")


@compile_kind.register
def _(first: Loss, objectives: Sequence[Loss], net: NetworkLike) -> Scorer:
    layers = {path: net.layer(inside(path)).name for path in first.paths}
    names = first.names()

    def score(scene: Scene) -> Float[Tensor, "n 1"]:
        if scene.step < 0:
            # Pictures are measured on views that the caller's function does not expect.
            return torch.full_like(scene.image[:, 0, 0, :1], torch.nan)

        def given(name: str) -> Tensor:
            if name == "input":
                return scene.image
            path = names.path(name)
            if path not in layers:
                raise ArgumentError(f"the objective reads {name!r} now, but did not when it was tried; read it always")
            return scene.activations[layers[path]].contiguous()

        loss = scalar(first.function(given)).to(scene.image)
        first.told(scene.step, loss.detach())
        return (-loss / len(scene.image)).expand(len(scene.image))[:, None]

    return Scorer(frozenset(layers.values()), score)
