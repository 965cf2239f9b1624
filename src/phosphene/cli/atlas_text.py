"""What the commands of an atlas read and say alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from phosphene.cli.networks import load_network
from phosphene.errors import ParameterError, TrustError, UnitFormatError, UnknownClassError

if TYPE_CHECKING:
    from phosphene import Network, Recipe
    from phosphene.atlas import Backend, Status
    from phosphene.store.atlas import AtlasFolder, Manifest

_MOST_DIGITS = 9
_MOST_UNITS = 10**7


def numbers_of(text: str, option: str = "--units", *, single: bool = False) -> Any:
    """What a text such as ``0-31,40`` means: numbers; ``all`` stands for itself, and a single number for a number.

    Raises:
        ParameterError: it is something else.
    """
    if text == "all" and not single:
        return "all"
    expected = "a whole number, or auto" if single else "all, or numbers such as 0-31,40"
    if single:
        return _number(text, option, expected)
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        start = _number(first, option, expected)
        stop = _number(last, option, expected) if dash else start
        if start > stop or len(found) + stop - start >= _MOST_UNITS:
            raise ParameterError(f"{option} is {text!r}; expected {expected}")
        found.extend(range(start, stop + 1))
    return found


def _number(text: str, option: str, expected: str) -> int:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS):
        raise ParameterError(f"{option} has {text!r}; expected {expected}")
    return int(digits)


def recipe_of(text: str | None) -> Callable[[Network], Recipe | None]:
    """The recipe that a text names, looked for at once, and then made for a network.

    Raises:
        RecipeError, StorageError: there is none.
    """
    from phosphene.cli.recipe_text import find_recipe

    if text is None:
        return lambda net: None
    find_recipe(text)
    return lambda net: find_recipe(text, net)


def backend_of(name: Literal["local", "ray"], address: str | None, workers: int | None) -> Backend | None:
    """The backend called ``name``; None for this process.

    Raises:
        ParameterError: an address or workers of Ray, but not Ray.
        MissingExtraError: Ray is not installed.
    """
    if name == "local":
        for option, value in (("--address", address), ("--workers", workers)):
            if value is not None:
                raise ParameterError(f"{option} is {value!r}, which only Ray has; add --backend ray, or leave it out")
        return None
    from importlib.util import find_spec

    from phosphene.errors import MissingExtraError

    if find_spec("ray") is None:
        raise MissingExtraError("--backend ray", "ray")
    from phosphene.atlas.backends.ray import RayBackend

    return RayBackend(address, workers=workers)


def unit_of(text: str, manifest: Manifest) -> tuple[str, int]:
    """Layer and number of a unit such as ``blocks.8:7``, or ``classifier:espresso`` where units are classes.

    Raises:
        UnitFormatError: it is no unit of the atlas.
        UnknownClassError: no class has that name.
    """
    from phosphene.models.labels import find_class

    layer, colon, what = text.rpartition(":")
    known = {one.name: one for one in manifest.layers}
    if not colon or layer not in known:
        raise UnitFormatError(f"{text!r} is no unit of this atlas: write LAYER:NUMBER; it has {', '.join(known)}")
    if what.isascii() and what.isdigit() and len(what) <= _MOST_DIGITS:
        return layer, int(what)
    if not known[layer].is_output or not manifest.network.labels:
        raise UnknownClassError(f"{what!r} is no number, and the units of {layer} have no names; write {layer}:7")
    return layer, find_class(what, manifest.network.labels)


def network_of(
    folder: AtlasFolder, name: str | None, weights: Path | None = None, *, trust: bool, option: str = "--net"
) -> Network:
    """The network of an atlas: the one that is named, or as the atlas says, as far as it is trusted.

    Args:
        folder: the atlas.
        name: as people name networks.
        weights: a file of its weights.
        trust: whether the atlas may say what is imported, run and downloaded.
        option: by which people can name the network, for messages.

    Raises:
        TrustError: loading it would import, run or download something.
    """
    from phosphene.models.trusted import reload_trusted

    if name is not None:
        return load_network(name, weights)
    of = folder.manifest.network
    try:
        return reload_trusted(of.source, trust=trust)
    except TrustError as error:
        raise TrustError(
            f"{folder.uri} is of {of.name}, and loading that would import, run or download something; allow it with "
            f"--trust if you know where the atlas comes from, or name the network with {option}"
        ) from error


def status_record(now: Status) -> dict[str, Any]:
    """The state of an atlas for programs."""
    return {
        "network": now.network,
        "pictures": {"planned": now.n_planned, "done": now.n_done, "missing": now.n_missing, **now.by_status},
        "bytes": now.n_bytes,
        "remaining_s": now.remaining_s,
        "damaged": list(now.damaged),
        "facts": list(now.facts),
        "layers": [
            {
                "layer": one.layer,
                "variant": one.variant,
                "planned": one.n_planned,
                "done": one.n_done,
                **one.by_status,
                "seconds": one.seconds,
            }
            for one in now.layers
        ],
    }
