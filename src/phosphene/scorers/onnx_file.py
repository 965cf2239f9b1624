"""ONNX files: opened with onnxruntime, the outputs of inner nodes made outputs of the graph.

A file is a serialized ``ModelProto``; of Protocol Buffers' encoding only what is needed to find names is read here, so
that nothing but onnxruntime must be installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from phosphene.errors import MissingExtraError, NetworkError, nearest
from phosphene.scorers.protobuf import read_fields, read_messages, read_text, written

#: Numbers of fields in onnx.proto3: ModelProto.graph; GraphProto.node and .output; NodeProto.output and .name;
#: ValueInfoProto.name.
_GRAPH, _NODE, _GRAPH_OUTPUT, _NODE_OUTPUT, _NODE_NAME, _VALUE_NAME = 7, 1, 12, 2, 3, 1
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
    nodes = [list(read_fields(node)) for node in read_messages(_graphs(data), _NODE)]
    tensors = [read_text(value) for node in nodes for number, value in node if number == _NODE_OUTPUT]
    tensors += _names(_graphs(data), _GRAPH_OUTPUT, _VALUE_NAME)
    if name in tensors:
        return name
    of_node = {read_text(_first(node, _NODE_NAME)): read_text(_first(node, _NODE_OUTPUT)) for node in nodes}
    if name and name in of_node:
        return of_node[name]
    hint = nearest(name, [*tensors, *of_node]) or f"it has {', '.join(tensors[-3:])}"
    raise NetworkError(f"{path} has no output, tensor or node called {name!r}; {hint}")


def _as_output(name: str) -> bytes:
    """What, appended to a model, adds an output to its graph: parsers merge the parts of a message that comes twice."""
    value = written(_VALUE_NAME, name.encode())
    return written(_GRAPH, written(_GRAPH_OUTPUT, value))


def _graphs(data: bytes) -> list[memoryview]:
    return read_messages([memoryview(data)], _GRAPH)


def _names(inside: list[memoryview], number: int, name: int) -> list[str]:
    return [read_text(_first(list(read_fields(message)), name)) for message in read_messages(inside, number)]


def _first(fields: list[tuple[int, memoryview | int]], number: int) -> memoryview | int:
    return next((value for n, value in fields if n == number), 0)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:300]
