"""The table that ``deep_dream_image`` shows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import torch

from phosphene.render import Recipe, Result

_HEADINGS = ("Iteration", "Activation Strength", "Pyramid Level")


def tell(result: Result, recipe: Recipe, verbose: bool | Callable[[str], object]) -> None:
    """Write the table of a result line by line: to standard output, to a function of the caller's, or not at all."""
    if verbose is False:
        return
    write = verbose if callable(verbose) else _to_standard_output
    for line in lines(result, recipe):
        write(line)


def lines(result: Result, recipe: Recipe) -> Iterator[str]:
    """The table's lines: iterations count from 1 in each level; the activation strength is the L2 norm of the
    channels' mean activations at the start of the iteration.
    """
    widths = [len(heading) for heading in _HEADINGS]
    yield "  ".join(_HEADINGS)
    n_steps = min(len(curve) for curve in result.scores)
    curves = torch.stack([curve[:n_steps] for curve in result.scores])
    strengths = iter(torch.linalg.vector_norm(curves.double(), dim=0).tolist())
    for level, steps in enumerate(recipe.stage_steps, start=1):
        for iteration, strength in zip(range(1, steps + 1), strengths, strict=False):
            cells = (str(iteration), f"{strength:.2f}", str(level))
            yield "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))


def _to_standard_output(line: str) -> None:
    sys.stdout.write(line + "\n")
