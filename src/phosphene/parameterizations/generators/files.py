"""Generators' weights: find them by path, address or hub id, check them, read them as data only."""

from __future__ import annotations

import hashlib
import http.client
import importlib
import os
import pickle
import string
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from phosphene.errors import MissingExtraError, ParameterError, WeightsError

_HUB = "hf:"
_TIMEOUT_S = 30.0
_BLOCK = 2**20  # bytes read at once
_MAX_BYTES = 2**33  # an endless answer shall not fill the disk; the largest decoders have some 2 GiB
_N_SHOWN = 5  # names listed in a message


def is_remote(source: str) -> bool:
    """Whether a source names a file of another machine."""
    return source.startswith((_HUB, "https://", "http://"))


def check_source(source: str, sha256: str | None) -> None:
    """Refuse what can never be loaded, before anything is read or fetched.

    Raises:
        ParameterError: the checksum is no SHA-256, an address has none, or a hub id is incomplete.
    """
    if sha256 is not None and (len(sha256) != 64 or not set(sha256) <= set(string.hexdigits)):
        raise ParameterError(f"sha256 is {sha256!r}; expected 64 hexadecimal digits, as `sha256sum FILE` prints")
    if source.startswith(("https://", "http://")) and sha256 is None:
        raise ParameterError(f"path is {source!r}, an address; give the sha256 of the file that is expected there")
    if source.startswith(_HUB) and source.count("/") < 2:
        raise ParameterError(f"path is {source!r}; expected a hub file as hf:owner/repository/file")


def load_state(source: str, sha256: str | None = None) -> dict[str, Tensor]:
    """The state dict in a file, on the CPU: ``.safetensors``, or what ``torch.load`` reads with ``weights_only=True``.

    Args:
        source: a path, an address ``https://…`` (kept in torch's hub folder under its checksum), or a hub file
            ``hf:owner/repository/file`` (extra ``hub``).
        sha256: checksum of the file; it is compared before anything is read out of the file.

    Raises:
        WeightsError: the file cannot be found, fetched or read, has another checksum, or is not of tensors only.
        MissingExtraError: a hub file is asked for, and huggingface_hub is not installed.
        ParameterError: an address without checksum, or a checksum that is none.
    """
    check_source(source, sha256)
    path = _located(source, sha256)
    if not path.is_file():
        raise WeightsError(f"weights {source!r} are not a file; give the path of a .safetensors or .pt file")
    if sha256 is not None:
        with path.open("rb") as file:
            _compare(_digest(file), sha256, source)
    try:
        found = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # what a stranger's file makes of an unpickler can be any of them
        # torch's own sentence on a refused pickle advises to load it unsafely: no advice for a stranger's file.
        why = "it holds more than tensors" if isinstance(error, pickle.UnpicklingError) else str(error)[:200]
        raise WeightsError(
            f"weights {source!r} cannot be read as tensors ({type(error).__name__}: {why}); phosphene never runs code "
            "from a weights file: save a state dict of tensors"
        ) from error
    return tensors_of(found, source)


def tensors_of(found: object, source: str) -> dict[str, Tensor]:
    """The names and tensors of a state dict; of a table of several, the only one in it.

    Raises:
        WeightsError: there is no state dict.
    """
    table = cast("Mapping[str, object]", found) if isinstance(found, Mapping) else {}
    inner = [value for value in table.values() if isinstance(value, Mapping)]
    if len(inner) == 1:
        table = cast("Mapping[str, object]", inner[0])
    if not table or not all(isinstance(value, Tensor) for value in table.values()):
        raise WeightsError(f"weights {source!r} hold no state dict (names and tensors); save module.state_dict()")
    return {name: value for name, value in table.items() if isinstance(value, Tensor)}


def fit(module: nn.Module, state: Mapping[str, Tensor], source: str) -> nn.Module:
    """The module with the tensors as its weights; made on the "meta" device, it never draws random ones.

    Raises:
        WeightsError: names or shapes differ; the message lists them.
    """
    own = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in state.items()}
    wrong = [f"{n} is {given[n]}, expected {own[n]}" for n in own if n in given and given[n] != own[n]]
    problems = (("missing", own.keys() - given.keys()), ("unexpected", given.keys() - own.keys()), ("misshapen", wrong))
    text = "; ".join(f"{what}: {_listed(names)}" for what, names in problems if names)
    if text:
        raise WeightsError(f"weights {source!r} do not fit {type(module).__name__}: {text}")
    module.load_state_dict(state, assign=True)
    return module


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - _N_SHOWN} more" if len(ordered) > _N_SHOWN else ""
    return ", ".join(ordered[:_N_SHOWN]) + more


def _located(source: str, sha256: str | None) -> Path:
    if source.startswith(_HUB):
        return _from_hub(source)
    if sha256 is not None and is_remote(source):
        suffix = Path(urllib.parse.urlsplit(source).path).suffix
        path = Path(torch.hub.get_dir()) / "phosphene" / f"{sha256.lower()}{suffix}"
        if not path.is_file():
            _download(source, path, sha256)
        return path
    return Path(source)


def _from_hub(source: str) -> Path:
    owner, repository, file = source.removeprefix(_HUB).split("/", 2)
    try:
        hub: Any = importlib.import_module("huggingface_hub")
    except ImportError:
        raise MissingExtraError(f"fetching {source}", "hub") from None
    try:
        return Path(hub.hf_hub_download(f"{owner}/{repository}", file))
    except Exception as error:  # the hub's own errors, and those of whatever client it uses
        raise WeightsError(f"weights {source!r} cannot be fetched: {type(error).__name__}: {error}") from error


def _download(address: str, path: Path, sha256: str) -> None:
    """Fetch a file into its place, which it reaches only whole and with the right checksum."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file, urllib.request.urlopen(address, timeout=_TIMEOUT_S) as answer:
            digest = _digest(answer, file)
        _compare(digest, sha256, address)
        Path(name).replace(path)
    except WeightsError:
        raise
    except (OSError, http.client.HTTPException) as error:
        raise WeightsError(f"weights {address!r} cannot be fetched: {error}; fetch the file, give its path") from error
    finally:
        Path(name).unlink(missing_ok=True)


def _digest(source: BinaryIO, copy: BinaryIO | None = None) -> str:
    """SHA-256 of a stream, which is copied on the way."""
    digest, total = hashlib.sha256(), 0
    while block := source.read(_BLOCK):
        total += len(block)
        if total > _MAX_BYTES:
            raise WeightsError(f"weights have more than {_MAX_BYTES} bytes; expected a generator's weights")
        digest.update(block)
        if copy is not None:
            copy.write(block)
    return digest.hexdigest()


def _compare(found: str, expected: str, source: str) -> None:
    if found != expected.lower():
        raise WeightsError(f"weights {source!r} have SHA-256 {found}, expected {expected}; nothing was read from them")
