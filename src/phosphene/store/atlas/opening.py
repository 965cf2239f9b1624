"""Making an atlas, and opening one that is there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from phosphene.errors import StorageError
from phosphene.store.atlas.card import card
from phosphene.store.atlas.folder import AtlasFolder
from phosphene.store.atlas.libraries import arrow
from phosphene.store.atlas.manifest import Manifest
from phosphene.store.atlas.patience import Patience, within
from phosphene.store.atlas.places import Place, is_missing
from phosphene.store.atlas.reaching import reach
from phosphene.store.atlas.remote_place import RemotePlace

T = TypeVar("T")

MANIFEST = "atlas.json"
README = "README.md"
#: Seconds in which an address far away must answer when it is opened.
_LIMIT_S = 60.0
_BRIEF = Patience(attempts=3)
#: Differences that a message names.
_SHOWN = 4


def create_atlas(
    uri: str | os.PathLike[str], manifest: Manifest, *, storage_options: Mapping[str, Any] | None = None
) -> AtlasFolder:
    """Make an atlas, or open the one that is there if it is of the same manifest (but for when and by which version of
    phosphene it was planned).

    Args:
        uri: a folder, or an address such as ``s3://bucket/atlas``.
        manifest: what it is of.
        storage_options: for fsspec's file system: credentials, endpoint.

    Raises:
        StorageError: there is an atlas of another network or plan, or the address cannot be written.
        MissingExtraError: the extra ``atlas`` is not installed.
    """
    arrow()
    place = reach(uri, storage_options)
    data = manifest.to_bytes()
    if first_look(place, lambda brief: brief.create(MANIFEST, data)):
        place.create(README, card(manifest).encode())
        return AtlasFolder(place, manifest)
    there = _read_manifest(place)
    check_same_plan(place.uri, there, manifest)
    if place.entry(README) is None:
        place.create(README, card(there).encode())
    return AtlasFolder(place, there)


def check_same_plan(uri: str, there: Manifest, here: Manifest) -> None:
    """Refuse to go on with an atlas of another plan.

    Args:
        uri: where it is.
        there: what it is of.
        here: what was to be built.

    Raises:
        StorageError: they differ in more than when and by which version of phosphene they were made.
    """
    differences = [
        f"{path} is {_short(old)} there and {_short(new)} here" for path, old, new in there.differences(here)
    ]
    if differences:
        more = f", and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
        raise StorageError(
            f"{uri} holds an atlas of another {'network' if _other_weights(there, here) else 'plan'}: "
            f"{'; '.join(differences[:_SHOWN])}{more}; build into another folder, or with the options of that atlas"
        )


def open_atlas(uri: str | os.PathLike[str], *, storage_options: Mapping[str, Any] | None = None) -> AtlasFolder:
    """Open an atlas.

    Args:
        uri: a folder, or an address such as ``s3://bucket/atlas``.
        storage_options: for fsspec's file system: credentials, endpoint.

    Raises:
        StorageError: no atlas is there, it is of a newer format, or it cannot be read.
        MissingExtraError: the extra ``atlas`` is not installed.
    """
    arrow()
    place = reach(uri, storage_options)
    return AtlasFolder(place, first_look(place, _read_manifest))


def first_look(place: Place, ask: Callable[[Place], T]) -> T:
    """The first thing that is asked of a place: an address that cannot be reached at all is known soon.

    Args:
        place: the place.
        ask: asks it.

    Raises:
        StorageError: it did not answer within a minute; and what ``ask`` raises.
    """
    if isinstance(place, RemotePlace):
        brief = replace(place, patience=_BRIEF)
        return within(_LIMIT_S, lambda: ask(brief), place.uri)
    return ask(place)


def _read_manifest(place: Place) -> Manifest:
    try:
        data = place.read(MANIFEST)
    except StorageError as error:
        if is_missing(error):
            raise StorageError(_why_none(place)) from error
        raise
    return Manifest.from_bytes(data, path=f"{place.uri.rstrip('/')}/{MANIFEST}")


def _why_none(place: Place) -> str:
    build = f"build one with: phosphene atlas build NET --out {place.uri}"
    if place.local is not None:
        if not place.local.exists():
            return f"there is no atlas at {place.uri}: there is no such folder; check the path, or {build}"
        if not place.local.is_dir():
            return f"{place.uri} is not an atlas: it is a file; give the atlas's folder"
        if not any(place.local.iterdir()):
            return f"there is no atlas at {place.uri}: the folder is empty; {build}"
    return f"{place.uri} is not an atlas: it has no {MANIFEST}; check the address, or {build}"


def _other_weights(there: Manifest, here: Manifest) -> bool:
    return there.network.digest != here.network.digest


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 48 else f"{text[:45]}…"
