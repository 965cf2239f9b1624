"""What clients tell over HTTP, and what they are answered: strict JSON both ways."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, cast

from phosphene.errors import ArgumentError, ParameterError, nearest
from phosphene.sessions import Trial
from phosphene.web.session_refusal import RefusalError

_KEYS = ("id", "response", "trial")
_FORMS = '{"trials": [{"id": …, "trial": …, "response": number, list or null}, …]} or {"scores": {id: number or null}}'


def read_trials(body: bytes, *, trial: int | None) -> tuple[Trial, ...]:
    """The trials that the body of a request tells.

    Args:
        body: JSON: ``{"trials": [{"id", "trial", "response"}, …]}`` with a number, a list of numbers (one for each
            channel, null where one was lost) or null for each response; or ``{"scores": {id: number or null}}``.
        trial: the trial that is meant where none is said; None where it has to be said.

    Raises:
        RefusalError: the body is not JSON, or holds NaN or infinity, which JSON does not know.
        ArgumentError: it is JSON of another form.
        ParameterError: a number out of range, or no trial where it has to be said.
    """
    message = _parse(body)
    if not isinstance(message, dict) or len(message) != 1 or not {"trials", "scores"} & message.keys():
        raise ArgumentError(f"the body is {_short(message)}; expected {_FORMS}")
    if "scores" in message:
        scores = _expect(message["scores"], dict, name="scores", expected="an object of numbers or nulls by id")
        return tuple(_score(name, value, trial) for name, value in scores.items())
    rows = _expect(message["trials"], list, name="trials", expected="a list of objects")
    return tuple(_row(row, f"trials[{i}]", trial) for i, row in enumerate(rows))


def to_json(value: object) -> bytes:
    r"""``value`` as ASCII JSON; numbers that JSON does not know become null.

    >>> to_json({"mean": float("nan"), "ids": ("a", "ä")})
    b'{"mean": null, "ids": ["a", "\\u00e4"]}'
    """
    return json.dumps(_plain(value), ensure_ascii=True, allow_nan=False).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in cast("Sequence[Any]", value)]
    return value


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_refuse, object_pairs_hook=_distinct)
    except RefusalError:
        raise
    except RecursionError:
        raise RefusalError(400, "the body is nested too deeply; expected " + _FORMS) from None
    except ValueError as error:
        raise RefusalError(400, f"the body is not JSON: {error}"[:300]) from None


def _refuse(name: str) -> NoReturn:
    raise RefusalError(400, f"{name} is no JSON; send null for a lost response")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise RefusalError(400, f"the key {twice!r:.80} comes twice in one object; expected each once")
    return found


def _expect(value: Any, kind: type, *, name: str, expected: str) -> Any:
    if not isinstance(value, kind):
        raise ArgumentError(f"{name} is {_short(value)}; expected {expected}")
    return value


def _row(row: Any, place: str, trial: int | None) -> Trial:
    row = _expect(row, dict, name=place, expected="an object with id, trial and response")
    _check_keys(row, place)
    name = _expect(row["id"], str, name=f"{place}.id", expected="a stimulus' id, a text")
    said = row.get("trial", trial)
    if said is None:
        raise _no_trial(name)
    value = row["response"]
    response = value if isinstance(value, list) else [value]
    # Some clients know doubles only, and write 1.0.
    number: Any = int(said) if isinstance(said, float) and said.is_integer() else said
    return _trial(name, tuple(_number(v, f"{place}.response") for v in response), number)


def _check_keys(row: Mapping[str, Any], place: str) -> None:
    for key in row:
        if key not in _KEYS:
            hint = nearest(key[:80], _KEYS)
            raise ArgumentError(f"{place} has the key {key!r:.80}; expected {', '.join(_KEYS)}{hint and '; ' + hint}")
    for key in ("id", "response"):
        if key not in row:
            raise ArgumentError(f"{place} has no {key}; expected id, response (null if it was lost) and trial")


def _score(name: str, value: Any, trial: int | None) -> Trial:
    if trial is None:
        raise _no_trial(name)
    return _trial(name, (_number(value, f"scores[{name!r:.80}]"),), trial)


def _trial(name: str, response: tuple[float, ...], trial: int) -> Trial:
    if len(name) > 200:
        raise ParameterError(f"an id of {len(name)} characters came; expected one that /ask gave")
    return Trial(name, response, trial)


def _number(value: Any, place: str) -> float:
    """A response; NaN for null. JSON's own numbers can exceed a double: 1e999 becomes infinite when parsed."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ArgumentError(f"{place} is {_short(value)}; expected a number, or null for a lost response")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise ParameterError(f"{place} is a number too large for a double; expected a finite number")
    return number


def _no_trial(name: str) -> ParameterError:
    return ParameterError(
        f"the trial of {name!r:.80} is not said, but this session may show a stimulus several times; "
        'expected {"trials": [{"id": …, "trial": as /ask gave it, "response": …}]}'
    )


def _short(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    kind = kinds.get(type(value), "a number")
    return f"an object with the keys {sorted(value)[:5]!r:.120}" if isinstance(value, dict) else kind
