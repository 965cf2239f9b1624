"""The document of a picture: everything needed to render it again, as plain JSON values."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from phosphene._algebra import Objective
from phosphene._component import check_size, decode
from phosphene._types import JSON
from phosphene._version import __version__
from phosphene.errors import RecipeError
from phosphene.models.network import Network
from phosphene.render.recipe import Recipe
from phosphene.render.run import Outcome, Settings

#: Version of the document's form. A reader refuses what it does not know.
FORMAT = 1
_DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}
#: Kinds of device that a document may name.
_DEVICES = ("cpu", "cuda", "mps", "xpu")
#: Values of all images and views of a batch that a replay may ask for: 4 GiB of float32.
_MAX_VALUES = 2**30
_KEYS = frozenset(
    {
        "format",
        "network",
        "objectives",
        "keys",
        "index",
        "recipe",
        "until",
        "seed",
        "dtype",
        "device",
        "threads",
        "versions",
        "unit",
        "score",
        "status",
        "digest",
    }
)


@dataclass(frozen=True)
class Picture:
    """What a document says, read and checked.

    Attributes:
        network: how to load the network (its ``source``), and ``digest``, the SHA-256 of its weights.
        objectives: those of the whole batch: a picture's bits depend on the shapes in which it was computed.
        keys: names of their random streams.
        index: which of them this picture is of.
        recipe: how it was made.
        seed: seed of every random stream.
        dtype: what the network was computed in.
        device: kind of device, such as "cpu".
        threads: threads of the CPU.
        until: the step after which the run was ended, for runs in stages that were interrupted.
    """

    network: Mapping[str, JSON]
    objectives: tuple[Objective, ...]
    keys: tuple[str, ...]
    index: int
    recipe: Recipe
    seed: int
    dtype: torch.dtype
    device: str
    threads: int
    until: int | None


def write_documents(outcome: Outcome, net: Network, settings: Settings) -> list[dict[str, JSON]]:
    """A document for every picture of a batch; one that was interrupted asks for the steps that were done.

    Raises:
        RecipeError: a component has no JSON form.
    """
    recipe = outcome.jobs[0].recipe
    n_steps = outcome.scores.shape[1]
    if outcome.interrupted and recipe.stages is None:
        recipe = replace(recipe, steps=n_steps)
    shared: dict[str, JSON] = {
        "format": FORMAT,
        "network": {**net.source, "digest": settings.weights_digest},
        "objectives": [job.objective.to_json() for job in outcome.jobs],
        "keys": [job.key for job in outcome.jobs],
        "recipe": recipe.to_json(),
        "digest": recipe.digest,
        **({"until": n_steps} if n_steps < recipe.total_steps else {}),
        "seed": settings.seed,
        "dtype": next(name for name, dtype in _DTYPES.items() if dtype is settings.dtype),
        "device": settings.device.type,
        "threads": torch.get_num_threads(),
        "versions": {"phosphene": __version__, "torch": torch.__version__, "python": platform.python_version()},
    }
    return [
        {
            **shared,
            "index": i,
            "unit": str(job.objective),
            "score": _finite(outcome.final_scores[i]),
            "status": outcome.status[i],
        }
        for i, job in enumerate(outcome.jobs)
    ]


def _finite(score: Tensor) -> float | None:
    """A score as JSON has it: there is no number for one that is not finite."""
    return float(score) if bool(torch.isfinite(score)) else None


def read_document(document: object, *, trust: bool = False) -> Picture:
    """Check a document and read what it says. Nothing is imported or run unless ``trust`` allows it.

    Raises:
        RecipeError: with the path of what does not fit.
        TrustError: the document names functions and ``trust`` is false.
    """
    table = decode_table(document)
    check_size(document)
    if table.get("format") != FORMAT:
        raise RecipeError(
            f"format: expected {FORMAT}, got {table.get('format')!r}; this phosphene does not know that form"
        )
    unknown = sorted(set(table) - _KEYS)
    if unknown:
        raise RecipeError(f"{unknown[0]}: a document has no such key; it has {', '.join(sorted(_KEYS))}")
    missing = sorted({"network", "objectives", "keys", "index", "recipe", "seed"} - set(table))
    if missing:
        raise RecipeError(f"{missing[0]}: missing")
    objectives: tuple[Objective, ...] = decode(table["objectives"], tuple[Objective, ...], "objectives", trust=trust)
    keys: tuple[str, ...] = decode(table["keys"], tuple[str, ...], "keys")
    if len(keys) != len(objectives):
        raise RecipeError(f"keys: expected one for each of {len(objectives)} objectives, got {len(keys)}")
    index: int = decode(table["index"], int, "index")
    if not 0 <= index < len(objectives):
        raise RecipeError(f"index: expected a number below {len(objectives)}, got {index}")
    recipe: Recipe = decode(table["recipe"], Recipe, "recipe", trust=trust)
    _check_work(recipe, len(objectives))
    return Picture(
        network=_network_table(table["network"]),
        objectives=objectives,
        keys=keys,
        index=index,
        recipe=recipe,
        until=None if table.get("until") is None else _count(table["until"], "until"),
        seed=decode(table["seed"], int, "seed"),
        dtype=_DTYPES[_known(table.get("dtype", "float32"), _DTYPES, "dtype")],
        device=_known(table.get("device", "cpu"), _DEVICES, "device"),
        threads=min(_positive(table.get("threads", torch.get_num_threads()), "threads"), os.cpu_count() or 1),
    )


def _check_work(recipe: Recipe, n_images: int) -> None:
    """Refuse what would fill the memory of any machine: a document is read before anybody knows who wrote it."""
    # Octaves keep the start image at all their sizes.
    areas = [height * width for height, width in recipe.sizes]
    values = n_images * (sum(areas) + recipe.views * max(areas)) * recipe.parameterization.image_channels
    if values > _MAX_VALUES:
        raise RecipeError(
            f"recipe: {n_images} images of {values // n_images} values with their views are too large to replay"
        )


def decode_table(document: object) -> Mapping[str, Any]:
    """The document as a table.

    Raises:
        RecipeError: it is something else.
    """
    if not isinstance(document, Mapping):
        raise RecipeError(f"document: expected a table, got {type(document).__name__}")
    return document


def _network_table(value: object) -> Mapping[str, JSON]:
    table = decode_table(value)
    decode(table.get("kind"), str, "network.kind")
    decode(table.get("digest"), str, "network.digest")
    return table


def _known(value: object, known: Sequence[str] | Mapping[str, object], path: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise RecipeError(f"{path}: expected one of {', '.join(known)}; got {value!r}")
    return value


def _positive(value: object, path: str) -> int:
    number: int = decode(value, int, path)
    if not 0 < number <= 1024:
        raise RecipeError(f"{path}: expected a whole number from 1 to 1024, got {number}")
    return number


def _count(value: object, path: str) -> int:
    number: int = decode(value, int, path)
    if number < 0:
        raise RecipeError(f"{path}: expected a whole number from 0, got {number}")
    return number
