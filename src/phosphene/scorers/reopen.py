"""Scorers read back from their record."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, cast

from phosphene._component import check_size, decode
from phosphene._types import JSON
from phosphene.errors import ParameterError, RecipeError, TrustError
from phosphene.models.network import Network
from phosphene.models.trusted import reload_trusted
from phosphene.objectives import Objective
from phosphene.scorers.base import BlackBox, BoxComponent
from phosphene.scorers.function import UNFOUND
from phosphene.scorers.noise import Noise
from phosphene.scorers.onnx_scorer import OnnxScorer
from phosphene.scorers.readouts import Readout
from phosphene.scorers.scorer import Scorer, as_scorer
from phosphene.scorers.units import UnitScorer

#: What a scorer's record says beside the box.
_HOW: Final[Mapping[str, Any]] = MappingProxyType(
    {"readout": Readout, "noise": Noise | None, "repeats": int, "batch_size": int | None}
)
_SCORER = frozenset({"kind", "box", *_HOW})
#: Images at once that a document may ask for without trust: some 4 GiB with the bundled network.
_MAX_UNTRUSTED = 256
_UNITS = frozenset({"kind", "network", "objectives", "batch_size", "resize"})


def reopen(description: Mapping[str, JSON], *, net: Network | None = None, trust: bool = False) -> Scorer:
    """The scorer that :meth:`Scorer.describe`, or a black box's ``describe``, wrote down.

    Args:
        description: the JSON values.
        net: the network, for units of a module that was wrapped by hand.
        trust: allow it to import functions and libraries, download weights, run model files, and send images away.

    Raises:
        TrustError: it would do one of these, and ``trust`` is false; the bundled network's units need no trust.
        RecipeError: the record is damaged, the network or the model file is another one, or the function that scored
            cannot be found by its name.
        NetworkError, WeightsError, StorageError: what it names cannot be loaded again.
    """
    check_size(description)
    document = _table(description, "scorer")
    if document.get("kind") != "scorer":
        return as_scorer(_box(document, "scorer", net=net, trust=trust))
    _only(document, _SCORER, "scorer")
    box = _box(_table(document["box"], "scorer.box"), "scorer.box", net=net, trust=trust)
    how = {name: decode(document[name], kind, f"scorer.{name}", trust=trust) for name, kind in _HOW.items()}
    return _guarded(lambda: Scorer(box, **how), "scorer")


def _box(document: Mapping[str, JSON], path: str, *, net: Network | None, trust: bool) -> BlackBox:
    if document.get("kind") == "units":
        return _units(document, path, net=net, trust=trust)
    if document.get("kind") == UNFOUND:
        who = f"{document.get('name')!r:.200}"
        raise RecipeError(
            f"{path}: the images were scored by {who}, which cannot be found by its name; give the scorer: "
            "ph.replay(path, scorer=…), or score with a function at a module's top level"
        )
    digest = document.get("digest")
    fields = {key: value for key, value in document.items() if key != "digest"}
    box = cast("BoxComponent", decode(fields, BoxComponent, path, trust=trust))
    if isinstance(box, OnnxScorer) and digest is not None and box.digest != digest:
        raise RecipeError(f"{path}.digest: {box.path} is another file than the one that was scored with")
    return box


def _units(document: Mapping[str, JSON], path: str, *, net: Network | None, trust: bool) -> UnitScorer:
    _only(document, _UNITS, path)
    objectives = decode(document["objectives"], tuple[Objective, ...], f"{path}.objectives", trust=trust)
    batch_size = decode(document["batch_size"], int, f"{path}.batch_size")
    resize = decode(document["resize"], bool, f"{path}.resize")
    saved = _table(document["network"], f"{path}.network")
    found = net
    if found is None:
        found = reload_trusted({key: value for key, value in saved.items() if key != "digest"}, trust=trust)
    if found.digest != saved.get("digest"):
        raise RecipeError(f"{path}.network.digest: {found.name} has other weights than the network of this scorer")
    box = _guarded(lambda: UnitScorer(found, objectives, batch_size, resize), path)
    if batch_size > _MAX_UNTRUSTED and not trust:
        raise TrustError(
            f"{path}.batch_size: would show {batch_size} images at once, for which few memories have room; allow that "
            "with trust=True (--trust) if yours has"
        )
    return box


def _guarded(build: Any, path: str) -> Any:
    try:
        return build()
    except ParameterError as error:
        raise RecipeError(f"{path}: {error}") from None


def _table(value: object, path: str) -> Mapping[str, JSON]:
    if not isinstance(value, Mapping):
        raise RecipeError(f"{path}: expected a table, got {type(value).__name__}")
    return cast("Mapping[str, JSON]", value)


def _only(document: Mapping[str, JSON], keys: frozenset[str], path: str) -> None:
    """Refuse a record with keys of its own, or without one that it needs."""
    for key in document:
        if key not in keys:
            raise RecipeError(f"{path}.{key}: there is no such key; expected {', '.join(sorted(keys))}")
    for key in sorted(keys - set(document)):
        raise RecipeError(f"{path}.{key}: missing")
