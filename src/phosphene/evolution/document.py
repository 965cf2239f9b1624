"""The document of an evolved picture: everything needed to evolve it again, as plain JSON values."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Any, Literal

import torch

from phosphene._component import check_size, decode
from phosphene._types import JSON, FrozenArray
from phosphene._version import __version__
from phosphene.errors import RecipeError
from phosphene.optimizers import SearchOptimizer
from phosphene.render.document import FORMAT, decode_table
from phosphene.scorers import Scorer
from phosphene.spaces import Space

#: The far end of sensible runs; a picture from a stranger shall not ask for more.
MAX_GENERATIONS = 10**6
#: Images that an evolution from a document may show, three hundred times those of the literature, and values of a
#: generation's images or codes, 512 MiB in float64.
_MAX_SHOWN, _MAX_VALUES = 10**6, 2**26
_OTHERS = frozenset({"format", "evolution", "device", "threads", "versions", "unit", "score", "status"})

Picture = Literal["recommended", "best_observed"]
_TYPES: Mapping[str, Any] = MappingProxyType(
    {
        "space": Space,
        "optimizer": SearchOptimizer,
        "generations": int,
        "seed": int,
        "origin": FrozenArray | None,
        "picture": Picture,
    }
)


@dataclass(frozen=True)
class Origin:
    """What an evolution was made of.

    Attributes:
        scorer: what scored; None in a document that was read, where :attr:`scorer_document` says how to open it.
        scorer_document: its description.
        space: where codes lie.
        optimizer: how they were searched.
        generations: how many there were.
        seed: seed of the search.
        origin: the codes from which it started, if any were given.
        picture: which of its pictures is meant.
        threads: threads of the CPU.
        device: kind of device on which images were made.
    """

    scorer: Scorer | None
    scorer_document: Mapping[str, JSON] | None
    space: Space
    optimizer: SearchOptimizer
    generations: int
    seed: int
    origin: FrozenArray | None
    picture: Picture
    threads: int
    device: str


def write_document(made: Origin, *, name: str, score: float, status: str) -> dict[str, JSON]:
    """The document of an evolved picture.

    Raises:
        RecipeError: the scorer, or a component, has no JSON form.
    """
    scorer = made.scorer_document if made.scorer is None else made.scorer.describe()
    evolution: dict[str, JSON] = {
        "scorer": dict(scorer or {}),
        "space": made.space.to_json(),
        "optimizer": made.optimizer.to_json(),
        "generations": made.generations,
        "seed": made.seed,
        "origin": None if made.origin is None else made.origin.to_json(),
        "picture": made.picture,
    }
    return {
        "format": FORMAT,
        "evolution": evolution,
        "device": made.device,
        "threads": made.threads,
        "versions": {"phosphene": __version__, "torch": torch.__version__, "python": platform.python_version()},
        "unit": name,
        "score": score if score == score else None,  # JSON has no NaN
        "status": status,
    }


def is_evolution(document: object) -> bool:
    """Whether a picture's document is that of an evolution."""
    return isinstance(document, Mapping) and "evolution" in document


def read_document(document: object, *, trust: bool = False) -> Origin:
    """Check a document and read what it says. Nothing is imported or run unless ``trust`` allows it.

    Raises:
        RecipeError: with the path of what does not fit.
        TrustError: it would import, run or download something, and ``trust`` is false.
    """
    table = decode_table(document)
    check_size(document)
    if table.get("format") != FORMAT:
        raise RecipeError(
            f"format: expected {FORMAT}, got {table.get('format')!r}; this phosphene does not know that form"
        )
    inner = decode_table(table.get("evolution"))
    for path, unknown in (("", set(table) - _OTHERS), ("evolution.", set(inner) - {"scorer", *_TYPES})):
        if unknown:
            raise RecipeError(f"{path}{min(unknown)}: an evolution's document has no such key")
    missing = sorted({"scorer", *_TYPES} - {"origin"} - set(inner))
    if missing:
        raise RecipeError(f"evolution.{missing[0]}: missing")
    read: dict[str, Any] = {
        key: decode(inner.get(key), kind, f"evolution.{key}", trust=trust) for key, kind in _TYPES.items()
    }
    if not 0 <= read["generations"] <= MAX_GENERATIONS:
        raise RecipeError(
            f"evolution.generations: expected a number from 0 to {MAX_GENERATIONS}, got {read['generations']}"
        )
    _check_work(read["space"], read["optimizer"], read["generations"])
    threads, device = decode(table.get("threads", 1), int, "threads"), decode(table.get("device", "cpu"), str, "device")
    if not 0 < threads <= 1024:
        raise RecipeError(f"threads: expected a number from 1 to 1024, got {threads}")
    return Origin(None, decode_table(inner["scorer"]), threads=threads, device=device, **read)


def _check_work(space: Space, optimizer: SearchOptimizer, generations: int) -> None:
    """Refuse what would fill the memory or the days of any machine: a document is read before anybody knows who wrote
    it.
    """
    values = prod(space.image_shape)
    if values > _MAX_VALUES:
        raise RecipeError(f"evolution.space: images of {values} values are too large to evolve again")
    population = optimizer.population_for(space.dim)
    if population * max(values, space.dim) > _MAX_VALUES:
        raise RecipeError(
            f"evolution.optimizer: {population} candidates of {space.dim} numbers and {values} values are too many"
        )
    if population * generations > _MAX_SHOWN:
        raise RecipeError(
            f"evolution.generations: {generations} generations of {population} images are too many to evolve again; "
            f"at most {_MAX_SHOWN} images"
        )
