"""Read weights from a file, as data only: nothing in it is ever run."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from phosphene.errors import WeightsError

_N_SHOWN = 5  # names listed in a message
_WRAPPERS = ("state_dict", "model", "model_state_dict")  # keys under which training scripts put the state dict


def read_weights(path: str) -> dict[str, Tensor]:
    """The state dict in a ``.safetensors`` file, or in a file that ``torch.load`` reads with ``weights_only=True``.

    Raises:
        WeightsError: the file is missing, damaged, not of tensors only, or holds no state dict.
    """
    if not Path(path).is_file():
        raise WeightsError(f"weights {path!r} are not a file; give the path of a .safetensors or .pth file")
    try:
        found = (
            load_file(path)
            if path.endswith(".safetensors")
            else torch.load(path, map_location="cpu", weights_only=True)
        )
    except (SafetensorError, pickle.UnpicklingError, OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise WeightsError(
            f"weights {path!r} cannot be read as tensors ({type(error).__name__}: {str(error)[:200]}); phosphene never "
            "runs code from a weights file: save them with safetensors.torch.save_file(module.state_dict(), path)"
        ) from error
    return _state_dict(found, path)


def _state_dict(found: object, path: str) -> dict[str, Tensor]:
    """The names and tensors in what a file held; without the prefix that ``DataParallel`` adds."""
    for key in _WRAPPERS:
        if isinstance(found, Mapping) and isinstance(inner := cast(Mapping[str, object], found).get(key), Mapping):
            found = cast(Mapping[str, object], inner)
    if not isinstance(found, Mapping) or not all(
        isinstance(value, Tensor) for value in cast(Mapping[str, object], found).values()
    ):
        raise WeightsError(f"weights {path!r} hold no state dict (names and tensors); save module.state_dict()")
    tensors = cast(Mapping[str, Tensor], found)
    prefix = "module." if tensors and all(name.startswith("module.") for name in tensors) else ""
    return {name.removeprefix(prefix): value for name, value in tensors.items()}


def load_weights(module: nn.Module, path: str) -> None:
    """Load a file into a module, every name and shape of which must fit.

    Raises:
        WeightsError: as :func:`read_weights`, or names or shapes differ; the message lists them.
    """
    weights, own = read_weights(path), module.state_dict()
    wrong = [
        f"{name} is {_shape(weights[name])}, expected {_shape(own[name])}"
        for name in own
        if name in weights and _shape(weights[name]) != _shape(own[name])
    ]
    problems = (
        ("missing", own.keys() - weights.keys()),
        ("unexpected", weights.keys() - own.keys()),
        ("of another shape", wrong),
    )
    text = "; ".join(f"{what}: {_listed(names)}" for what, names in problems if names)
    if text:
        raise WeightsError(f"weights {path!r} do not fit {type(module).__name__}: {text}")
    module.load_state_dict(weights)


def _shape(value: Tensor) -> tuple[int, ...]:
    return tuple(value.shape)


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - _N_SHOWN} more" if len(ordered) > _N_SHOWN else ""
    return ", ".join(ordered[:_N_SHOWN]) + more
