"""States of searches: tensors and JSON values by name, read with care."""

from __future__ import annotations

import contextlib
import copy
import json
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from phosphene.errors import ParameterError
from phosphene.optimizers.candidates import Observed, parse_id

#: The state of a search: tensors and JSON values by name.
State = dict[str, Any]
#: The last generation that names of candidates have room for.
MAX_GENERATION = 10**9 - 1


def copied(state: State) -> State:
    """A state that shares nothing with what it describes."""
    return {name: value.clone() if isinstance(value, Tensor) else copy.deepcopy(value) for name, value in state.items()}


def check_same_spec(found: object, expected: str) -> None:
    """Refuse a state that an optimizer with other settings gave.

    Args:
        found: the JSON text of its optimizer, as far as the state has one.
        expected: the JSON text of the optimizer that is to take it over.

    Raises:
        ParameterError: they differ; the message says in what.
    """
    if found == expected:
        return
    theirs, ours = _settings(found), _settings(expected)
    differ = [name for name in sorted({**theirs, **ours}) if theirs.get(name) != ours.get(name)]
    parts = [f"{name} {json.dumps(theirs.get(name))} instead of {json.dumps(ours.get(name))}" for name in differ]
    raise ParameterError(
        f"state['spec'] is of another optimizer: {'; '.join(parts) or repr(found)}; load it with the one that gave it"
    )


def _settings(text: object) -> dict[str, Any]:
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(text) if isinstance(text, str) else None
        return found if isinstance(found, dict) else {}
    return {}


def tensor_of(state: Mapping[str, Any], name: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A copy of a state's tensor; -1 in ``shape`` fits any length.

    Raises:
        KeyError: there is none.
        ValueError: its shape is another, or it holds what is not finite.
    """
    value = state[name]
    if not isinstance(value, Tensor):
        raise ValueError(f"{name} is {type(value).__name__}; expected a tensor")
    fits = value.ndim == len(shape) and all(b in (-1, a) for a, b in zip(value.shape, shape, strict=True))
    if not fits:
        raise ValueError(f"{name} has the shape {tuple(value.shape)}; expected {shape}")
    if not bool(value.isfinite().all()):
        raise ValueError(f"{name} holds values that are not finite")
    return value.detach().to("cpu", dtype).clone()


def number_of(state: Mapping[str, Any], name: str, least: float = -math.inf) -> float:
    """A state's finite number, from ``least`` on.

    Raises:
        KeyError: there is none.
        ValueError: it is too small, or no finite number.
    """
    value = state[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < math.inf:
        raise ValueError(f"{name} is {value!r}; expected a number from {least}")
    return value


def positive_of(state: Mapping[str, Any], name: str) -> float:
    """A state's finite number above 0.

    Raises:
        KeyError: there is none.
        ValueError: it is 0 or less, or no finite number.
    """
    value = number_of(state, name, 0.0)
    if not value:
        raise ValueError(f"{name} is {value!r}; expected a number above 0")
    return value


def whole_of(state: Mapping[str, Any], name: str, most: float = math.inf, *, signed: bool = False) -> int:
    """A state's whole number from 0 (any, where it may be ``signed``) to ``most``.

    Raises:
        KeyError: there is none.
        ValueError: it is another.
    """
    value = state[name]
    if type(value) is not int or value > most or (value < 0 and not signed):
        raise ValueError(f"{name} is {value!r}; expected a whole number from 0 to {most}")
    return value


def scores_of(state: Mapping[str, Any], n_asked: int) -> list[tuple[float, float]]:
    """Scores (NaN where lost) and repeats of the candidates that ``state["scored"]`` numbers.

    Raises:
        KeyError: there are none.
        ValueError: a number is twice there, or none of a candidate that was asked for; or the scores are damaged.
    """
    scored, scores = state["scored"], state["scores"]
    known = all(type(i) is int and 0 <= i < n_asked for i in scored) and len(set(scored)) == len(scored)
    if not known:
        raise ValueError(f"scored names others than the {n_asked} candidates that were asked for, or one twice")
    if not isinstance(scores, Tensor) or scores.shape != (len(scored), 2) or bool(scores.isinf().any()):
        raise ValueError(f"scores are not {len(scored)} finite or lost ones with their repeats")
    return [(float(score), float(n)) for score, n in scores.tolist()]


def observed_of(state: Mapping[str, Any], dim: int, dtype: torch.dtype) -> Observed | None:
    """The best candidate that was observed, if any was.

    Raises:
        KeyError: a part is missing.
        ValueError: a part is damaged.
    """
    if "best_id" not in state:
        return None
    if parse_id(state["best_id"]) is None:
        raise ValueError(f"best_id is {state['best_id']!r}; expected a candidate's name")
    score, n = tensor_of(state, "best", (2,), torch.float64).tolist()
    return Observed(state["best_id"], tensor_of(state, "best_code", (dim,), dtype), score, n)
