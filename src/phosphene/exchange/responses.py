"""Responses of a rig, a row for each trial, however they were filed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from phosphene.errors import ParameterError

Array = np.ndarray[Any, np.dtype[Any]]

#: Trials of a file.
MAX_ROWS = 1_000_000
#: Values of a file: 512 MiB of float64.
MAX_VALUES = 2**26
_LONGEST_NAME = 1000  # characters; a path with its name
_LARGEST_TRIAL = 2**53  # what a double, and so MATLAB, counts to


@dataclass(frozen=True, eq=False)
class Responses:
    """What a file says, before it is asked which stimuli it speaks of.

    Attributes:
        source: the file, for messages.
        stimuli: the name that each trial gives its stimulus, n of them.
        trials: the number that each trial has, from 0; None where the file has none.
        values: the responses (n, k) of k channels, NaN for a trial that was lost; not to be written to.
        rows: where each trial stands in the file, from 1: the line of a table, the entry of an array.
        columns: what a table calls its channels; empty for arrays.
    """

    source: str
    stimuli: tuple[str, ...]
    trials: tuple[int | None, ...]
    values: Float64[np.ndarray, "n k"]
    rows: tuple[int, ...]
    columns: tuple[str, ...] = ()

    @property
    def n_channels(self) -> int:
        """How many channels each trial has."""
        return self.values.shape[1]

    def scores(self, channels: int | tuple[int, ...] | None = None) -> Float64[np.ndarray, " n"]:
        """One number for each trial, see :func:`select_channels`.

        Raises:
            ParameterError: there is no such channel; the message names the file.
        """
        try:
            return select_channels(self.values, channels)
        except ParameterError as error:
            raise ParameterError(f"{self.source}: {error}") from None


def select_channels(
    values: Float64[np.ndarray, "n k"], channels: int | tuple[int, ...] | None = None
) -> Float64[np.ndarray, " n"]:
    """One number for each trial: a channel, or the mean of several; NaN where one of them is.

    Args:
        values: the responses of k channels.
        channels: the number of a channel, from 0; several; or None for all.

    Raises:
        ParameterError: there is no such channel.
    """
    n_channels = values.shape[1]
    chosen = tuple(range(n_channels)) if channels is None else channels if isinstance(channels, tuple) else (channels,)
    if not chosen or not all(0 <= channel < n_channels for channel in chosen):
        raise ParameterError(
            f"channels is {channels!r}, but the responses have {n_channels} channel(s); "
            f"expected numbers from 0 to {n_channels - 1}"
        )
    return values[:, list(chosen)].mean(axis=1)


def bad_content(source: str, what: str, expected: str, *, row: int | None = None) -> ParameterError:
    """The error of a file that can be read and does not hold what it should; ``row`` counts from 1."""
    place = source if row is None else f"{source}, row {row}"
    return ParameterError(f"{place}: {what}; expected {expected}")


def checked(responses: Responses) -> Responses:
    """The responses themselves, whose rows have been read one by one, when they hold what they should.

    Raises:
        ParameterError: there is no row, too many, no name, or an infinite response.
    """
    source, names, values = responses.source, responses.stimuli, responses.values
    if not names or not values.size:
        raise bad_content(source, "it holds no responses", "a row for each trial")
    if len(names) > MAX_ROWS or values.size > MAX_VALUES:
        raise bad_content(source, f"it holds {len(names)} rows", f"at most {MAX_ROWS}, and {MAX_VALUES} values")
    nameless = next((i for i, name in enumerate(names) if not 0 < len(name) <= _LONGEST_NAME or "\0" in name), None)
    if nameless is not None:
        what = f"the stimulus is called {names[nameless][:40]!r}"
        raise bad_content(source, what, "the name of a stimulus", row=responses.rows[nameless])
    infinite = np.isinf(values).any(axis=1)
    if infinite.any():
        first = int(infinite.argmax())
        what = f"the response of {names[first]!r} is infinite"
        raise bad_content(source, what, "a finite number, or NaN for a lost trial", row=responses.rows[first])
    return responses


def from_arrays(source: str, names: Sequence[str], *, values: Array, trials: Array | None) -> Responses:
    """Responses from arrays: n names; (n,), (1, n) or (n, k) numbers; perhaps n trial numbers.

    Raises:
        ParameterError: kinds, shapes or values that do not fit; see also :func:`checked`.
    """
    n = len(names)
    numbers = _table(source, values, n)
    counts = [None] * n if trials is None else _trials(source, _column(source, trials, n))
    stripped = tuple(name.strip() for name in names)
    return checked(Responses(source, stripped, tuple(counts), frozen(numbers), tuple(range(1, n + 1))))


def frozen(values: Array) -> Float64[np.ndarray, "n k"]:
    """A copy in double precision that cannot be written to."""
    values = values.astype(np.float64)
    values.flags.writeable = False
    return values


def checked_trial(source: str, value: float, row: int) -> int:
    """The number of a trial.

    Raises:
        ParameterError: it is no whole number from 0.
    """
    if not 0 <= value <= _LARGEST_TRIAL or value != int(value):
        raise bad_content(source, f"the trial is {value:g}", "a whole number from 0", row=row)
    return int(value)


def _trials(source: str, values: Array) -> list[int]:
    return [checked_trial(source, float(value), i + 1) for i, value in enumerate(values)]


def _table(source: str, values: Array, n: int) -> Array:
    _check_numbers(source, values, "responses")
    shape = values.shape
    if values.ndim < 2 or (values.ndim == 2 and shape == (1, n)):
        values = values.reshape(-1, 1)
    if values.ndim == 2 and len(values) == n:
        return values
    what = f"the responses have the shape {shape} for {n} stimuli"
    row = None if values.ndim != 2 else min(n, len(values)) + 1
    raise bad_content(source, what, f"({n},), or ({n}, channels): a row for each trial", row=row)


def _column(source: str, trials: Array, n: int) -> Array:
    _check_numbers(source, trials, "trials")
    if trials.size != n or max((*trials.shape, 1)) != n:
        raise bad_content(source, f"the trials have the shape {trials.shape} for {n} stimuli", f"({n},)")
    return trials.reshape(-1)


def _check_numbers(source: str, values: Array, name: str) -> None:
    if values.dtype.kind not in "biuf":
        raise bad_content(source, f"the {name} are of type {values.dtype}", "real numbers")
