"""The gradient by way of the image: conditioned, accumulated, or computed tile by tile."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene.conditioners import Conditioner, Tile, Tiles
from phosphene.functional.random import Generators
from phosphene.render.problem import Look

if TYPE_CHECKING:
    from phosphene.render.problem import Problem


class WholeImage:
    """The scores' gradient in the images, in one backward pass."""

    def __call__(self, problem: Problem, image: Float[Tensor, "n c h w"], look: Look) -> tuple[Tensor, Tensor]:
        leaf = image.detach().requires_grad_()
        scores = problem.score_of(leaf, look, (leaf,))
        return scores.detach(), slope_in(scores, leaf)


class Tiled:
    """The scores' gradient in the images, tile by tile; the score is the mean over the tiles.

    Every image is rolled by a random shift of its own at each step, so that the seams are somewhere else each time
    (TensorFlow's ``calc_grad_tiled``; MATLAB's ``deepDreamImage``).
    """

    def __init__(self, tiles: Tiles, noise: Generators) -> None:
        self.tiles, self.noise = tiles, noise
        self._drawn: tuple[object, ...] = ()
        self._shifts: list[tuple[int, int]] = []

    def __call__(self, problem: Problem, image: Float[Tensor, "n c h w"], look: Look) -> tuple[Tensor, Tensor]:
        image = image.detach()
        size = (image.shape[2], image.shape[3])
        shifts = self._shift(size, look.step)
        slope, scores = torch.zeros_like(image), torch.zeros(image.shape[0], device=image.device)
        places = self.tiles.places(*size)
        for tile in places:
            spots = [_Spot.of(tile, size, shift, image.device) for shift in shifts]
            leaf = torch.stack([spot.cut(row) for spot, row in zip(spots, image, strict=True)]).requires_grad_()
            score = problem.score_of(leaf, look, (leaf,))
            share = self._share(places, tile, leaf)
            for spot, row, part in zip(spots, slope, slope_in(score, leaf).mul_(share), strict=True):
                spot.add(row, part)
            scores += score.detach() / len(places)
        return scores, slope

    def _share(self, places: Sequence[Tile], tile: Tile, like: Tensor) -> Float[Tensor, "1 1 h w"]:
        """One over the number of tiles that see each pixel of a tile; they form a grid."""
        rows = _covered({(other.top, other.bottom) for other in places}, tile.top, tile.bottom)
        columns = _covered({(other.left, other.right) for other in places}, tile.left, tile.right)
        return (1 / (rows[:, None] * columns)).to(like)[None, None]

    def _shift(self, size: tuple[int, int], step: int) -> Sequence[tuple[int, int]]:
        """The step's shifts, the same for every evaluation of the step; stages differ in size."""
        if (size, step) != self._drawn:
            (low_y, high_y), (low_x, high_x) = self.tiles.shift_range(*size)
            low = torch.tensor([low_y, low_x])
            drawn = low + (self.noise.uniform(2) * (torch.tensor([high_y, high_x]) - low + 1)).floor()
            self._shifts = [(int(y), int(x)) for y, x in drawn.tolist()]
            self._drawn = (size, step)
        return self._shifts


@dataclass(frozen=True)
class _Spot:
    """Where a tile of a rolled image lies in the image itself, so that the image is never copied.

    Attributes:
        rows: the tile's rows in the image; those of the padding are left out.
        columns: its columns.
        padding: columns and rows of zeros at its ends, as :func:`torch.nn.functional.pad` wants them.
    """

    rows: Tensor
    columns: Tensor
    padding: tuple[int, int, int, int]

    @classmethod
    def of(cls, tile: Tile, size: tuple[int, int], shift: tuple[int, int], device: torch.device) -> _Spot:
        bottom, right = min(tile.bottom, size[0]), min(tile.right, size[1])
        rows = (torch.arange(tile.top, bottom, device=device) - shift[0]) % size[0]
        columns = (torch.arange(tile.left, right, device=device) - shift[1]) % size[1]
        return cls(rows, columns, (0, tile.right - right, 0, tile.bottom - bottom))

    def cut(self, image: Float[Tensor, "c h w"]) -> Float[Tensor, "c p q"]:
        """The tile's pixels."""
        return F.pad(image.index_select(1, self.rows).index_select(2, self.columns), self.padding)

    def add(self, image: Float[Tensor, "c h w"], part: Float[Tensor, "c p q"]) -> None:
        """Add a tile to what the image holds there."""
        image[:, self.rows[:, None], self.columns] += part[:, : len(self.rows), : len(self.columns)]


def _covered(spans: Iterable[tuple[int, int]], first: int, end: int) -> Float[Tensor, " k"]:
    """By how many of the spans each place from ``first`` to before ``end`` is covered."""
    at = torch.arange(first, end)
    return torch.stack([(at >= low) & (at < high) for low, high in spans]).sum(0).to(torch.float64)


def slope_in(scores: Tensor, leaf: Tensor) -> Tensor:
    """The gradient of the scores' sum, zero where they do not depend on the image."""
    total = scores.sum()
    if not total.requires_grad:
        return torch.zeros_like(leaf)
    return torch.autograd.grad(total, [leaf], allow_unused=True, materialize_grads=True)[0]


class ThroughImage:
    """The gradient in the images, conditioned there, then pulled back to the parameters.

    Attributes:
        accumulated: sum over all steps so far of the gradient's magnitude (n, 1, h, w), at the size of the last stage
            that took a step; None before the first.
    """

    def __init__(self, in_image: WholeImage | Tiled, conditioners: Sequence[Conditioner], *, accumulates: bool) -> None:
        self.in_image, self.conditioners = in_image, tuple(conditioners)
        self.accumulates = accumulates
        self.accumulated: Tensor | None = None
        self._look: Look | None = None
        self._magnitude: Tensor | None = None

    def __call__(self, problem: Problem, look: Look) -> tuple[Tensor, Sequence[Tensor | None]]:
        image = problem.canvas()
        scores, slope = self.in_image(problem, image, look)
        # Where the step starts: further evaluations of a line search see the same look.
        if self.accumulates and look is not self._look:
            self._look, self._magnitude = look, slope.abs().sum(1, keepdim=True)
        with torch.no_grad():
            for conditioner in self.conditioners:
                slope = conditioner.condition(slope, max(0, look.step))
        return scores, torch.autograd.grad(image, problem.parameters, grad_outputs=slope, allow_unused=True)

    def accumulate(self) -> None:
        """Add the magnitude of the step that was done; what earlier stages brought is resized to its size."""
        if self._magnitude is None:
            return
        if self.accumulated is None:
            self.accumulated = self._magnitude
        else:
            self.accumulated = resized(self.accumulated, self._magnitude) + self._magnitude
        self._magnitude = None


def resized(values: Float[Tensor, "n 1 h w"], like: Float[Tensor, "n _ p q"]) -> Float[Tensor, "n 1 p q"]:
    """The values at another image's size."""
    if values.shape[2:] == like.shape[2:]:
        return values
    return F.interpolate(values, size=like.shape[2:], mode="bilinear", align_corners=False)
