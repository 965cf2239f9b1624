"""States of a search as files: tensors and JSON values by name, in safetensors; nothing in them is run when read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from phosphene.errors import ParameterError, StorageError
from phosphene.store.atomic import read_bytes, write_bytes

#: The one entry of the file's metadata; with several, safetensors writes them in any order.
_ENTRY = "phosphene"
_LARGEST = 16 << 30  # bytes of a file
_LARGEST_HEADER = 64 << 20  # bytes


def state_digest(state: Mapping[str, Any]) -> str:
    """A digest of a state: names, JSON values, and every bit of its tensors; 32 hex digits of BLAKE2b.

    Raises:
        ParameterError: a value is neither a tensor nor JSON.
    """
    tensors, values = _split(state)
    digest = hashlib.blake2b(_text(values).encode(), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\x1f{name}\x1f{tensor.dtype}\x1f{tuple(tensor.shape)}\x1f".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_state(path: str | os.PathLike[str], state: Mapping[str, Any]) -> Path:
    """Write a state to ``path``, wholly or not at all; returns the path.

    Args:
        path: ends in ``.safetensors``.
        state: tensors of any shape, and JSON values, by name.

    Raises:
        ParameterError: a value is neither a tensor nor JSON.
        StorageError: see :func:`phosphene.store.write_bytes`.
    """
    tensors, values = _split(state)
    document = _text({"digest": state_digest(state), "values": values})
    return write_bytes(path, save(tensors, {_ENTRY: document}))


def read_state(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The state that :func:`write_state` wrote, bit for bit.

    Raises:
        StorageError: the file cannot be read, is none of these, or is damaged.
    """
    data = read_bytes(path, limit=_LARGEST)
    try:
        document = json.loads(_metadata(data)[_ENTRY])
        tensors = cast("dict[str, Any]", load(data))
        state = {**document["values"], **tensors}
        digest, found = document["digest"], state_digest(state)
    except (SafetensorError, ParameterError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StorageError(
            f"{path} is no state that phosphene wrote, or is damaged: {type(error).__name__}: {error}"
        ) from error
    if digest != found:
        raise StorageError(f"{path} is damaged: its digest is {found}; expected {digest!r}")
    return state


def _split(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    tensors = {k: v.detach().cpu().clone().contiguous() for k, v in state.items() if isinstance(v, Tensor)}
    return tensors, {name: value for name, value in state.items() if name not in tensors}


def _text(values: Mapping[str, Any]) -> str:
    try:
        return json.dumps(values, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise ParameterError(
            f"a state holds what has no JSON form: {error}; expected tensors and JSON values"
        ) from error


def _metadata(data: bytes) -> dict[str, str]:
    """The file's own texts: eight bytes of length, then JSON (safetensors' format)."""
    length = int.from_bytes(data[:8], "little")
    if not 0 < length <= min(_LARGEST_HEADER, len(data) - 8):
        raise ValueError("it has no header")
    return json.loads(data[8 : 8 + length])["__metadata__"]
