"""What goes to and fro between a session and an experiment: stimuli to be shown, trials, and what became of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.errors import ArgumentError
from phosphene.optimizers.candidates import numbers

#: The far end of sensible responses, in channels.
MAX_CHANNELS = 10**6
_LARGEST_TRIAL = 10**9


@dataclass(frozen=True)
class Trial:
    """A response to one presentation of a stimulus.

    Attributes:
        stimulus: the stimulus' name.
        response: a number for each channel; NaN for one that was lost, a single NaN for a trial that was lost wholly.
        trial: which presentation of the stimulus it was, from 1: a trial that is told twice counts once. None takes
            the next number that is free, so that it counts every time that it is told.

    Raises:
        ArgumentError: a value of the wrong kind.
        ParameterError: an infinite response, or a number out of range.
    """

    stimulus: str
    response: tuple[float, ...]
    trial: int | None = None

    def __post_init__(self) -> None:
        given: tuple[Any, Any] = (self.stimulus, self.trial)  # whatever a caller has passed
        if not isinstance(given[0], str):
            raise ArgumentError(f"a trial's stimulus is {given[0]!r:.60}; expected the name of a stimulus")
        object.__setattr__(self, "response", _response(self.response, self.stimulus))
        name = f"trial of stimulus {self.stimulus!r:.120}"
        if given[1] is not None and (not isinstance(given[1], int) or isinstance(given[1], bool)):
            raise ArgumentError(f"{name} is {given[1]!r:.60}; expected a whole number, or None")
        check(self.trial is None or 1 <= self.trial <= _LARGEST_TRIAL, name, self.trial, "a whole number from 1")

    @property
    def is_lost(self) -> bool:
        """Whether no channel has a response."""
        return all(map(math.isnan, self.response))


@dataclass(frozen=True, eq=False)
class Showing:
    """A presentation that waits.

    Attributes:
        stimulus: the name under which its trial is told, such as ``a_g0003c017``.
        image: (c, h, w) in [0, 1], float32.
        position: its place in the block's order, from 1.
        trial: which presentation of this stimulus it is, from 1.
        n_missing: trials that the stimulus waits for, this one included.
        thread: the thread that made it; empty for a reference image.
        candidate: the search's own name for it, such as ``g0003c017``; empty for a reference image.
        is_reference: whether it is a reference image.
    """

    stimulus: str
    image: Float[Tensor, "c h w"]
    position: int
    trial: int
    n_missing: int
    thread: str = ""
    candidate: str = ""
    is_reference: bool = False


@dataclass(frozen=True, eq=False)
class Present:
    """The round that waits, with all that it shows, trials that came already included.

    Attributes:
        block: the generation's number.
        round: 0, or how often stimuli of it are shown again.
        seed: of the order.
        repeats: how often each stimulus is shown.
        stimuli: a showing for each stimulus: its first in this round.
        first: the number of each stimulus' first trial in this round.
        order: stimulus and trial, from 1 within the round, of each presentation.
        codes: a digest of the candidates' codes.
    """

    block: int
    round: int
    seed: int
    repeats: int
    stimuli: tuple[Showing, ...]
    first: Mapping[str, int]
    order: tuple[tuple[str, int], ...]
    codes: str = ""


@dataclass(frozen=True)
class Past:
    """A round on record that no longer waits.

    Attributes:
        block: the generation's number.
        round: 0, or how often stimuli of it were shown again.
        first: the number of each stimulus' first trial in this round.
    """

    block: int
    round: int
    first: Mapping[str, int]


@dataclass(frozen=True)
class Receipt:
    """What became of trials that were told; what it counts is on the disk.

    Attributes:
        n_new: trials that count for the present block.
        n_ignored: trials that had been told before; a lost one is replaced by a response that is told later.
        n_late: trials of generations that are over: they are on record, but no search learns from them.
        updated: threads that learned from a generation by this call.
        n_conflicting: of the trials that were ignored, those that are on record with another response.
        conflict: the first of these in a sentence.
    """

    n_new: int
    n_ignored: int
    n_late: int = 0
    updated: tuple[str, ...] = ()
    n_conflicting: int = 0
    conflict: str = ""


@dataclass(frozen=True, eq=False)
class Pick:
    """An image that a search found.

    Attributes:
        image: (c, h, w) in [0, 1], float32.
        code: its code (dim,), float32.
        score: its score; None where it was never shown.
        n_reps: trials behind the score.
        candidate: the search's name for it; empty where it was never shown.
    """

    image: Float[Tensor, "c h w"]
    code: Float[Tensor, " dim"]
    score: float | None = None
    n_reps: int = 0
    candidate: str = ""


def _response(value: Any, stimulus: str) -> tuple[float, ...]:
    name = f"the response to stimulus {stimulus!r:.120}"
    values = value.tolist() if hasattr(value, "tolist") else value
    values = values if isinstance(values, tuple | list) else [values]
    if any(isinstance(item, str | bytes | bool) for item in cast("list[Any]", values)):
        raise ArgumentError(f"{name} is {value!r:.60}; expected a number for each channel")
    response = tuple(numbers(values, name))
    check(0 < len(response) <= MAX_CHANNELS, name, f"{len(response)} numbers", f"from 1 to {MAX_CHANNELS} channels")
    finite = not any(map(math.isinf, response))
    check(finite, name, response[:8], "finite numbers, or NaN for one that was lost")
    return response
