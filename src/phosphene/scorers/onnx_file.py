"""ONNX files: opened with onnxruntime, the outputs of inner nodes made outputs of the graph.

A file is a serialized ``ModelProto``; of Protocol Buffers' encoding only what is needed to find names is read here, so
that nothing but onnxruntime must be installed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from phosphene.errors import MissingExtraError, NetworkError, nearest

#: Numbers of fields in onnx.proto3: ModelProto.graph; GraphProto.node and .output; NodeProto.output and .name;
#: ValueInfoProto.name.
_GRAPH, _NODE, _GRAPH_OUTPUT, _NODE_OUTPUT, _NODE_NAME, _VALUE_NAME = 7, 1, 12, 2, 3, 1
#: Wire types of Protocol Buffers.
_VARINT, _64_BIT, _BYTES, _32_BIT = 0, 1, 2, 5
#: Severity from which onnxruntime writes to the terminal: errors.
_ERRORS_ONLY = 3


def open_session(path: Path, data: bytes, output: str | None, *, providers: tuple[str, ...]) -> tuple[Any, str]:
    """An onnxruntime session of a file's content, and the name of the output to fetch.

    Args:
        path: the file, beside which external weights are looked for.
        data: what it holds.
        output: name of an output of the graph, of a tensor within it, or of a node (its first output); None for the
            graph's first output.
        providers: onnxruntime's execution providers.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        NetworkError: this is no ONNX model that can be run, or holds nothing of that name.
    """
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtraError("OnnxScorer", "onnx") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent.resolve()))
    try:
        name = None if output is None else _tensor_called(output, data, path)
        if name is not None and name not in _names(_graphs(data), _GRAPH_OUTPUT, _VALUE_NAME):
            data += _as_output(name)
        session = onnxruntime.InferenceSession(data, options, providers=list(providers))
        return session, name or session.get_outputs()[0].name
    except NetworkError:
        raise
    except Exception as error:  # onnxruntime has a class of its own for each kind of failure
        raise NetworkError(f"{path} cannot be run by onnxruntime: {_first_line(error)}") from None


def _tensor_called(name: str, data: bytes, path: Path) -> str:
    """The tensor that an output's, a tensor's or a node's name means."""
    nodes = [list(_fields(node)) for node in _messages(_graphs(data), _NODE)]
    tensors = [_text(value) for node in nodes for number, value in node if number == _NODE_OUTPUT]
    tensors += _names(_graphs(data), _GRAPH_OUTPUT, _VALUE_NAME)
    if name in tensors:
        return name
    of_node = {_text(_first(node, _NODE_NAME)): _text(_first(node, _NODE_OUTPUT)) for node in nodes}
    if name and name in of_node:
        return of_node[name]
    hint = nearest(name, [*tensors, *of_node]) or f"it has {', '.join(tensors[-3:])}"
    raise NetworkError(f"{path} has no output, tensor or node called {name!r}; {hint}")


def _as_output(name: str) -> bytes:
    """What, appended to a model, adds an output to its graph: parsers merge the parts of a message that comes twice."""
    value = _tagged(_VALUE_NAME, name.encode())
    return _tagged(_GRAPH, _tagged(_GRAPH_OUTPUT, value))


def _tagged(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | _BYTES]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    low, high = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(high) if high else bytes([low])


def _graphs(data: bytes) -> list[memoryview]:
    return _messages([memoryview(data)], _GRAPH)


def _messages(inside: list[memoryview], number: int) -> list[memoryview]:
    """The messages under a field of other messages."""
    return [v for message in inside for n, v in _fields(message) if n == number and isinstance(v, memoryview)]


def _names(inside: list[memoryview], number: int, name: int) -> list[str]:
    return [_text(_first(list(_fields(message)), name)) for message in _messages(inside, number)]


def _first(fields: list[tuple[int, memoryview | int]], number: int) -> memoryview | int:
    return next((value for n, value in fields if n == number), 0)


def _text(value: memoryview | int) -> str:
    return bytes(value).decode(errors="replace") if isinstance(value, memoryview) else ""


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Number and value of each field of a message; of fixed-width numbers only that they are there.

    Raises:
        NetworkError: these bytes are no message.
    """
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        kind, value = key & 7, 0
        if kind == _BYTES:
            length, at = _read_varint(message, at)
            value = message[at : at + length]
            at += length
        elif kind == _VARINT:
            value, at = _read_varint(message, at)
        else:
            at += {_64_BIT: 8, _32_BIT: 4}.get(kind, len(message) + 1)
        if at > len(message):
            raise NetworkError("the file is no ONNX model, or is cut off")
        yield key >> 3, value


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where it ends."""
    value = shift = 0
    while at < len(message) and shift < 64:
        byte = message[at]
        value, at, shift = value | (byte & 0x7F) << shift, at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise NetworkError("the file is no ONNX model, or is cut off")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:300]
