"""The checksum of an ONNX model: of its file, and of the files beside it that hold its weights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from phosphene.errors import StorageError
from phosphene.scorers.protobuf import read_fields, read_text

#: Which messages of onnx.proto3 can hold tensors, by the numbers of their fields: a model its graph and functions, a
#: graph its nodes, initializers and sparse initializers, a node its attributes, an attribute tensors and graphs.
_INSIDE: Final[Mapping[str, Mapping[int, str]]] = MappingProxyType(
    {
        "model": {7: "graph", 25: "function"},
        "graph": {1: "node", 5: "tensor", 15: "sparse"},
        "function": {7: "node", 11: "attribute"},
        "node": {5: "attribute"},
        "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
        "sparse": {1: "tensor", 2: "tensor"},
    }
)
#: TensorProto.external_data, a list of entries; their key and value; the key of the file's name.
_EXTERNAL, _KEY, _VALUE, _LOCATION = 13, 1, 2, "location"


def model_digest(path: Path, data: bytes) -> str:
    """SHA-256 of a model in hex: of its file, or of its file's and its external files' checksums and names.

    Args:
        path: the file, beside which external weights lie.
        data: what it holds.

    Raises:
        StorageError: a file of weights cannot be read.
        NetworkError: this is no ONNX model.
    """
    digest = hashlib.sha256(data)
    names = external_files(data)
    if not names:
        return digest.hexdigest()
    lines = [digest.hexdigest(), *(f"{_file_digest(path.parent / name)} {name}" for name in names)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def external_files(data: bytes) -> tuple[str, ...]:
    """Names of the files that hold weights of a model, relative to its folder, in order.

    Raises:
        NetworkError: this is no ONNX model.
    """
    return tuple(sorted({name for tensor in _tensors(memoryview(data)) for name in _locations(tensor)}))


def _tensors(model: memoryview) -> Iterator[memoryview]:
    """Every tensor of a model, those of attributes and of graphs within nodes too."""
    waiting = [("model", model)]
    while waiting:
        kind, message = waiting.pop()
        if kind == "tensor":
            yield message
            continue
        for number, value in read_fields(message):
            inside = _INSIDE[kind].get(number)
            if inside is not None and isinstance(value, memoryview):
                waiting.append((inside, value))


def _locations(tensor: memoryview) -> Iterator[str]:
    for number, entry in read_fields(tensor):
        if number == _EXTERNAL and isinstance(entry, memoryview):
            said = dict(read_fields(entry))
            if read_text(said.get(_KEY, 0)) == _LOCATION:
                yield read_text(said.get(_VALUE, 0))


def _file_digest(path: Path) -> str:
    if not path.is_file():
        raise StorageError(f"{path} holds weights of the model, but is no file; put it back beside the model")
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StorageError(f"{path} holds weights of the model, but cannot be read: {error.strerror}") from error
