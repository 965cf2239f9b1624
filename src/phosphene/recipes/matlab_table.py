"""The table that ``deep_dream_image`` shows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from numbers import Integral

import numpy as np
import torch

from phosphene.errors import ArgumentError
from phosphene.render import Recipe, Result

_HEADINGS = ("Iteration", "Activation Strength", "Pyramid Level")


def teller(verbose: object) -> Callable[[str], object] | None:
    """What writes a line of the table: to standard output, a function of the caller's, or None for nothing.

    Raises:
        ArgumentError: neither true or false, also as 1 or 0, nor a function.
    """
    if callable(verbose):
        return verbose
    if not isinstance(verbose, bool | np.bool_ | Integral) or verbose not in (0, 1):
        raise ArgumentError(f"verbose is {verbose!r}; expected True, False, or a function that takes a line")
    return _to_standard_output if verbose else None


def tell(result: Result, recipe: Recipe, write: Callable[[str], object] | None) -> None:
    """Write the table of a result line by line."""
    if write is not None:
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
