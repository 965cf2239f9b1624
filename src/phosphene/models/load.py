"""Load a network by name: the bundled one, timm's, torchvision's, or what a factory of one's own builds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Unpack, cast

from phosphene._types import JSON
from phosphene.errors import ArgumentError, NetworkError, nearest
from phosphene.models.ensemble import ensemble
from phosphene.models.network import Network
from phosphene.models.wrap import Wrapping, wrap

__all__ = ["load", "reload", "sources", "wrap"]

Weights = str | bool | None
BUNDLED = "efficientnet_lite0"
#: Networks that a document's ensembles may have together; more is no ensemble, but a trap.
_MAX_MEMBERS = 64
_FORMS = f"{BUNDLED!r}, 'timm/NAME', 'torchvision/NAME' or 'package.module:factory'"


def load(name: str, *, weights: Weights = None, **how: Unpack[Wrapping]) -> Network:
    """Load a network with what its library knows about its input and classes.

    Args:
        name: ``"efficientnet_lite0"`` (comes with the install), ``"timm/NAME"``, ``"torchvision/NAME"``, or
            ``"package.module:factory"``, a function or class that is imported and called without arguments and returns
            an ``nn.Module``.
        weights: None for the library's pretrained weights (downloaded once; a factory's own initialisation), False for
            random ones, or the path of a ``.safetensors`` file or of a ``.pth`` file of plain tensors.
        how: ``mean``, ``std``, ``input_size``, ``value_range``, ``channel_order``, ``labels``, ``n_channels`` as for
            ``wrap``; for libraries' networks they replace what the library says.

    Raises:
        NetworkError: no such network, or it cannot be built.
        WeightsError: the weights cannot be downloaded or read, or do not fit.
        MissingExtraError: the library is not installed.
        ArgumentError: an argument is of the wrong kind.
    """
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(
            f"expected a network's name, got {type(name).__name__}; for a module, use wrap(module, mean=…, std=…)"
        )
    if weights is True or not isinstance(weights, str | bool | None):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(f"weights is {weights!r}; expected None (pretrained), False (random) or the path of a file")
    return _loader(name)(name.partition("/")[2] or name, weights, how)


def _loader(name: str) -> Callable[[str, Weights, Wrapping], Network]:
    """Who loads ``name``; imported only here, so that nobody pays for a library that is not used."""
    library, slash, _ = name.partition("/")
    if name == BUNDLED:
        from phosphene.models.sources.bundled import load_bundled as loader
    elif slash and library == "timm":
        from phosphene.models.sources.timm_models import load_timm as loader
    elif slash and library == "torchvision":
        from phosphene.models.sources.torchvision_models import load_torchvision as loader
    elif ":" in name and not slash:
        from phosphene.models.sources.factory import load_factory as loader
    else:
        hint = nearest(name, [BUNDLED, "timm/", "torchvision/", f"timm/{name}"])
        raise NetworkError(f"no network is called {name!r}; expected {_FORMS}{'; ' + hint if hint else ''}")
    return loader


def reload(source: Mapping[str, JSON]) -> Network:
    """Load what a ``Network.source`` describes. This may import modules, run a factory and download weights.

    Raises:
        NetworkError: the source is a module that someone wrapped, which only they can give; or it names nothing that
            can be loaded. Of an ensemble, any member's.
    """
    kind, target = source.get("kind"), source.get("name", source.get("target"))
    if kind == "ensemble":
        return _reload_ensemble(source)
    if kind == "wrapped":
        raise NetworkError(
            f"the network is a wrapped {source.get('class')}, which cannot be loaded by name: "
            "wrap it again and give it as net="
        )
    fits = isinstance(target, str) and (kind != "bundled" or target == BUNDLED) and (kind != "factory" or ":" in target)
    if kind not in ("bundled", "timm", "torchvision", "factory") or not isinstance(target, str) or not fits:
        raise NetworkError(
            f"a network's source has kind {kind!r} and name {target!r}; expected one that phosphene wrote"
        )
    how = cast(Wrapping, {key: value for key, value in source.items() if key in Wrapping.__annotations__})
    name = f"{kind}/{target}" if kind in ("timm", "torchvision") else target
    return load(name, weights=cast(Weights, source.get("weights")), **how)


def sources(source: Mapping[str, JSON]) -> Iterator[Mapping[str, JSON]]:
    """The sources of all networks that :func:`reload` would load: the source itself, or those of an ensemble's members,
    however deep. What is asked of a source, such as whether it may be trusted, is to be asked of these.

    Raises:
        NetworkError: an ensemble without members, or with too many.
    """
    waiting, n_seen = [source], 0
    while waiting:
        here, n_seen = waiting.pop(0), n_seen + 1
        if n_seen > _MAX_MEMBERS:
            raise NetworkError(f"an ensemble's source holds more than {_MAX_MEMBERS} sources")
        if here.get("kind") != "ensemble":
            yield here
            continue
        waiting[:0] = _members(here)


def _members(source: Mapping[str, JSON]) -> list[Mapping[str, JSON]]:
    members = source.get("members")
    if not isinstance(members, list) or not members or not all(isinstance(member, Mapping) for member in members):
        raise NetworkError(f"an ensemble's source has members {members!r}; expected a list of sources")
    return cast("list[Mapping[str, JSON]]", members)


def _reload_ensemble(source: Mapping[str, JSON]) -> Network:
    list(sources(source))  # refused as a whole before any of it is loaded
    height, width = _size(source.get("input_size"))
    return ensemble([reload(member) for member in _members(source)], input_size=(height, width))


def _size(value: object) -> list[int]:
    size = cast("list[int]", value) if isinstance(value, list) else []
    if len(size) != 2 or not all(type(n) is int and n > 0 for n in size):
        raise NetworkError(f"an ensemble's source has input_size {value!r}; expected height and width in pixels")
    return size
