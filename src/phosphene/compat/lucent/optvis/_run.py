"""A run of ``render_vis``: Lucent's parts put together and handed to the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from phosphene.compat.lucent.optvis._engine import Closures, Loss, Painted, TorchOptimizer, Views
from phosphene.compat.lucent.optvis._network import Trial, names_of, network
from phosphene.compat.lucent.optvis.objectives_util import Getter, scalar
from phosphene.compat.lucent.optvis.transform import Drawn
from phosphene.errors import ArgumentError, ImageError
from phosphene.render import Result
from phosphene.render import render as climb
from phosphene.render.recipe import Recipe

_SEEDS = 2**31


class Report:
    """Tells the losses at some steps while a run goes on; of no steps, nothing."""

    def __init__(self, steps: Sequence[int]) -> None:
        self._waiting, self._silent = set(steps), not steps

    def start(self, loss: Tensor) -> None:
        """The loss of the start."""
        if not self._silent:
            tqdm.write(f"Initial loss: {float(loss):.3f}")

    def __call__(self, step: int, loss: Tensor) -> None:
        """The loss from which step number ``step``, counted from 0, starts; told once."""
        if step + 1 in self._waiting:
            self._waiting.discard(step + 1)
            tqdm.write(f"Loss at step {step + 1}: {float(loss):.3f}")


@dataclass(frozen=True)
class Run:
    """What is optimised, and how.

    Attributes:
        model: the caller's model.
        canvas: the caller's image.
        optimizer: one of torch's, which holds the image's parameters.
        chain: from images to what the model sees, before its normalisation.
        preprocess: whether the model wants images normalised.
    """

    model: nn.Module
    canvas: Painted
    optimizer: torch.optim.Optimizer
    chain: Drawn
    preprocess: bool

    def climb(
        self, objective: Callable[[Getter], Tensor], steps: Sequence[int], *, report: Report, progress: bool
    ) -> Result:
        """Optimise up to the last of ``steps``, and keep the images after each of them."""
        seed = int(torch.randint(_SEEDS, (1,), device="cpu"))
        with torch.no_grad():
            image = self.canvas()
        # A caller's own transforms may draw from torch's generator; a trial shall not use up their draws.
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            views = self.chain(image, torch.Generator().manual_seed(seed))
        net = network(self.model, views, preprocess=self.preprocess)
        names = names_of(self.model)
        trial = Trial(net, names, image, views)
        report.start(scalar(objective(trial)))
        loss = Loss(objective, lambda: names, tuple(trial.asked), report)
        return climb(
            net,
            [loss] * len(image),
            recipe=self._recipe(image, views.shape[1], steps[-1]),
            snapshots=set(steps),
            seed=seed,
            device=image.device,
            dtype=torch.float64 if image.dtype == torch.float64 else torch.float32,
            progress=progress,
        )

    def _recipe(self, image: Tensor, view_channels: int, steps: int) -> Recipe:
        _, channels, height, width = image.shape
        return Recipe(
            name="lucent",
            parameterization=Closures(height, width, channels, lambda: self.canvas),
            transforms=(Views(lambda images, generator: self.chain(images, generator), view_channels - channels),),
            optimizer=TorchOptimizer(lambda: self.optimizer, lambda: self.canvas.params),
            steps=steps,
            follows=("kiat2020lucent",),
        )


def painted(params: Iterable[Tensor], image_f: Callable[[], Tensor], device: torch.device | None) -> Painted:
    """The canvas of what ``param_f`` gave.

    Raises:
        ArgumentError: nothing in it can be optimised, or the image is elsewhere than the model.
        ImageError: the image is no batch of images.
    """
    given = [tensor for tensor in params if tensor.requires_grad]
    if not given:
        raise ArgumentError("param_f gave no tensors that require a gradient; expected (params, image_f)")
    with torch.no_grad():
        image = image_f()
    if image.ndim != 4 or 0 in image.shape:
        raise ImageError(f"param_f's image has shape {tuple(image.shape)}; expected (n, channels, height, width)")
    if device is not None and image.device != device:
        raise ArgumentError(f"param_f's image is on {image.device}, but the model on {device}; move one of them")
    return Painted(given, image_f, image)
