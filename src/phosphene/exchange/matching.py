"""Which responses belong to which stimuli."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from phosphene.errors import ParameterError
from phosphene.exchange.blocks import Block
from phosphene.exchange.responses import Responses, bad_content, select_channels

_SUFFIX = re.compile(r"\.(png|bmp|jpe?g|tiff?|gif|webp)$")
_SHOWN = 5  # names in a message


@dataclass(frozen=True)
class Trial:
    """One response.

    Attributes:
        stimulus: the stimulus' name, as it was written for the rig.
        number: the trial's number, if the file has one.
        values: the response of each channel; NaN for a lost trial.
        row: where it stands in the file; two trials that differ in nothing else are equal.
    """

    stimulus: str
    number: int | None
    values: tuple[float, ...]
    row: int = field(compare=False)

    def score(self, channels: int | tuple[int, ...] | None = None) -> float:
        """One number, see :func:`select_channels`.

        Raises:
            ParameterError: there is no such channel.
        """
        return float(select_channels(np.array([self.values], np.float64), channels)[0])

    @property
    def is_lost(self) -> bool:
        """Whether a channel has no response."""
        return any(map(math.isnan, self.values))


@dataclass(frozen=True)
class Matched:
    """What a file says of the stimuli of a block.

    Attributes:
        trials: of each stimulus, in the block's order; by number, then by value, however the file was ordered.
        missing: stimuli without any trial.
        unknown: names that the file gives stimuli of no such block, in alphabetical order.
        n_duplicates: how often a trial was said again, with the same number and response; it counts once.
        source: the file.
        columns: what it calls its channels; empty where they have no names.
    """

    trials: Mapping[str, tuple[Trial, ...]]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    n_duplicates: int
    source: str
    columns: tuple[str, ...] = ()


def match(responses: Responses, expected: Block | Sequence[str], *, strict: bool = False) -> Matched:
    """Sort responses to the stimuli of a block.

    Args:
        responses: of a file; trials may come in any order, several for a stimulus, and may be missing.
        expected: the block, or the stimuli's names.
        strict: names must be those of the stimuli or of their files to the letter, and none may be unknown; otherwise
            case, folders and a picture's suffix do not count, and names that are not expected are reported.

    Raises:
        ParameterError: one trial of a stimulus has two responses; a name is unknown and ``strict``; no name is known;
            all responses are NaN and a name is unknown; or two expected names differ in nothing that counts.
    """
    names = expected.names if isinstance(expected, Block) else tuple(expected)
    found, unknown = _sorted_out(responses, names, strict)
    if unknown and (strict or not any(found.values())):
        name, row = next(iter(unknown.items()))
        expectation = f"a stimulus of this block, such as {', '.join(names[:_SHOWN])}"
        raise bad_content(responses.source, f"there is no stimulus {name[:80]!r}", expectation, row=row)
    if unknown and np.isnan(responses.values).all():
        what = f"all {len(responses.stimuli)} responses are NaN, and there is no stimulus {next(iter(unknown))[:80]!r}"
        raise bad_content(responses.source, what, "stimuli of this block, where no trial has a response")
    distinct = {name: _distinct(responses.source, trials) for name, trials in found.items()}
    n_duplicates = sum(len(found[name]) - len(distinct[name]) for name in names)
    missing = tuple(name for name in names if not found[name])
    ignored, source = tuple(sorted(unknown)), responses.source
    return Matched(MappingProxyType(distinct), missing, ignored, n_duplicates, source, responses.columns)


def _sorted_out(
    responses: Responses, names: Sequence[str], strict: bool
) -> tuple[dict[str, list[Trial]], dict[str, int]]:
    """The trials of each expected name, and the unknown names with the rows in which they are first."""
    known = _known(names, strict)
    found: dict[str, list[Trial]] = {name: [] for name in names}
    unknown = dict[str, int]()
    for trial in _trials(responses):
        name = known.get(_key(trial.stimulus, strict))
        if name is None:
            unknown.setdefault(trial.stimulus, trial.row)
        else:
            found[name].append(replace(trial, stimulus=name))
    return found, unknown


def _trials(responses: Responses) -> Iterable[Trial]:
    rows = (tuple(values) for values in responses.values.tolist())
    return map(Trial, responses.stimuli, responses.trials, rows, responses.rows)


def _known(names: Sequence[str], strict: bool) -> dict[str, str]:
    """The expected name for each way to write it."""
    known = dict[str, str]()
    for name in names:
        for written in {_key(name, strict), _key(f"{name}.png", strict)}:
            if written in known:
                raise ParameterError(
                    f"stimuli are called {known[written]!r} and {name!r}; expected names that differ in more than "
                    "case and suffix"
                )
            known[written] = name
    return known


def _key(name: str, strict: bool) -> str:
    return name if strict else _SUFFIX.sub("", re.split(r"[/\\]", name)[-1].strip().lower())


def _distinct(source: str, trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """The trials in an order of their own, each number once."""
    numbered = dict[int, Trial]()
    others = list[Trial]()
    for trial in trials:
        if trial.number is None:
            others.append(trial)
            continue
        first = numbered.setdefault(trial.number, trial)
        if not _same(first.values, trial.values):
            what = f"trial {trial.number} of {trial.stimulus!r} has the response {_said(trial)}"
            raise bad_content(source, what, f"{_said(first)}, as row {first.row} says of the same trial", row=trial.row)
    return tuple(sorted((*numbered.values(), *others), key=_order))


def _same(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return all(x == y or (math.isnan(x) and math.isnan(y)) for x, y in zip(a, b, strict=True))


def _said(trial: Trial) -> str:
    shown = ", ".join(f"{value:g}" for value in trial.values[:_SHOWN])
    return f"({shown}, …)" if len(trial.values) > _SHOWN else f"({shown})"


def _order(trial: Trial) -> tuple[int, tuple[tuple[bool, float], ...]]:
    number = -1 if trial.number is None else trial.number
    return number, tuple((math.isnan(v), 0.0 if math.isnan(v) else v) for v in trial.values)
