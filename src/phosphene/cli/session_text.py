"""Spaces and optimizers as people write them on the command line.

::

    --space dcgan   fourier:64x64   pixels:32x32:grey   upconv-fc6:PATH   taesd:PATH:128x128   FILE.json   FILE.toml
    --optimizer cmaes   cmaes:full   sphere   genetic   genetic:xdream   random   FILE.json   NAME=any of these
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import phosphene as ph
from phosphene import store
from phosphene._component import Component
from phosphene.cli.numbers_text import SIZE, parse_size
from phosphene.errors import ParameterError, RecipeError, nearest
from phosphene.optimizers import (
    CMAES,
    Genetic,
    PyCMA,
    RandomSearch,
    SearchOptimizer,
    SphereCMA,
    wang_ponce_genetic,
    xdream_genetic,
)
from phosphene.parameterizations import DCGAN, TAESD, Generator, Latent, Parameterization, UpconvGAN
from phosphene.parameterizations.generators import load_state
from phosphene.spaces import Space, as_space

C = TypeVar("C", bound=Component)

_FILES = {".json", ".toml"}
_NAMED = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9]*)=(?P<rest>.+)", re.DOTALL)
_SPACE_FORMS = "dcgan, fourier:64x64, pixels:32x32, pixels:32x32:grey, upconv-fc6:PATH, taesd:PATH, or a .json or .toml"
#: Standard deviations of parameters by kind and channels, with which a code of standard normal numbers shows a picture
#: whose own values have one of about 0.2, as photographs do (measured).
_SD: Mapping[tuple[str, int], float] = MappingProxyType(
    {("fourier", 3): 1.0, ("fourier", 1): 0.5, ("pixels", 3): 1.5, ("pixels", 1): 1.0}
)
#: Of DeePSiM's codes: the first step of Wang and Ponce's searches, with which they start from zeros.
_UPCONV_SD = 3.0
_CODE_LAYERS = ("fc6", "fc7", "fc8", "pool5")
_TAESD_INPUTS = ("1.weight", "decoder.layers.0.weight")

_OPTIMIZERS: Mapping[str, Callable[[], SearchOptimizer]] = MappingProxyType(
    {
        "cmaes": CMAES,
        "cmaes:iso": lambda: CMAES(cov="iso"),
        "cmaes:diag": lambda: CMAES(cov="diag"),
        "cmaes:cholesky": lambda: CMAES(cov="cholesky"),
        "cmaes:full": lambda: CMAES(cov="full"),
        "sphere": SphereCMA,
        "genetic": Genetic,
        "genetic:xdream": xdream_genetic,
        "genetic:wang-ponce": wang_ponce_genetic,
        "pycma": PyCMA,
        "random": RandomSearch,
    }
)


def parse_space(text: str) -> Space:
    """The space of codes that ``text`` names.

    Raises:
        ParameterError: it names none; the message lists the nearest.
        WeightsError: the weights cannot be read.
        RecipeError: a file that holds none. StorageError: a file that cannot be read.
    """
    if Path(text).suffix.lower() in _FILES and ":" not in Path(text).stem:
        return as_space(_read(text, (Space, Parameterization, Generator), "a space, parameterization or generator"))
    name, _, rest = text.partition(":")
    if name == "dcgan":
        return as_space(DCGAN(_path(rest), _digest(rest)) if rest else DCGAN())
    if name in ("fourier", "pixels"):
        return as_space(_values(name, rest))
    if name.startswith("upconv-") and name.removeprefix("upconv-") in _CODE_LAYERS:
        layer = name.removeprefix("upconv-")
        generator = UpconvGAN(_needed(text, rest), _digest(rest), layer=layer)  # pyright: ignore[reportArgumentType]
        return as_space(Latent(generator, sd=_UPCONV_SD))
    if name == "taesd":
        return as_space(_taesd(text, rest))
    known = ("dcgan", "fourier", "pixels", "taesd", *(f"upconv-{layer}" for layer in _CODE_LAYERS))
    raise ParameterError(f"--space: {text!r} is no space; {nearest(name, known) or f'expected {_SPACE_FORMS} file'}")


def parse_optimizer(text: str, population: int | None = None) -> tuple[str | None, SearchOptimizer]:
    """The name before ``=``, if any, and the optimizer that ``text`` names.

    Args:
        text: such as ``cmaes:full`` or ``evolving=cmaes``.
        population: candidates of a generation; a file's own counts more.

    Raises:
        ParameterError: it names none; the message lists the nearest.
        RecipeError: a file that holds none. StorageError: a file that cannot be read.
    """
    match = _NAMED.fullmatch(text)
    name, rest = (match["name"], match["rest"]) if match else (None, text)
    if Path(rest).suffix.lower() in _FILES:
        optimizer = _read(rest, (SearchOptimizer,), "an optimizer that asks for scores only")
    elif rest in _OPTIMIZERS:
        optimizer = _OPTIMIZERS[rest]()
    else:
        hint = nearest(rest, _OPTIMIZERS) or f"expected {', '.join(_OPTIMIZERS)}, or a .json or .toml file"
        raise ParameterError(f"--optimizer: {rest!r} is no optimizer; {hint}")
    own = optimizer.population if Path(rest).suffix.lower() in _FILES else None
    return name, optimizer if population is None or own is not None else replace(optimizer, population=population)


def _values(name: str, text: str) -> Parameterization:
    size, _, color = text.partition(":")
    if not size or color not in ("", "grey", "gray"):
        raise ParameterError(f"--space: {name}:{text} is no space; expected {name}:64x64 or {name}:64x64:grey")
    height, width = parse_size(size, "--space")
    made, channels = ph.Fourier if name == "fourier" else ph.Pixels, 1 if color else 3
    return made(height, width, channels=channels, sd=_SD[name, channels])


def _taesd(text: str, rest: str) -> TAESD:
    path, _, size = rest.rpartition(":") if SIZE.fullmatch(rest.rpartition(":")[2]) else (rest, "", "")
    state = load_state(_needed(text, path))
    n = next((state[key].shape[1] for key in _TAESD_INPUTS if key in state and state[key].ndim == 4), 4)
    height, width = parse_size(size, "--space") if size else (TAESD.height, TAESD.width)
    return TAESD(_path(path), _digest(path), latent_channels=n, height=height, width=width)


def _needed(text: str, path: str) -> str:
    if not path:
        raise ParameterError(f"--space: {text!r} needs the weights; write {text.partition(':')[0]}:PATH")
    return _path(path)


def _path(text: str) -> str:
    """The file from wherever the session is resumed; addresses and hub files as they are."""
    return str(Path(text).resolve()) if Path(text).exists() else text


def _digest(text: str) -> str | None:
    """The checksum of weights, so that a session never goes on with others."""
    if not Path(text).is_file():
        return None
    with Path(text).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: str, bases: tuple[type[C], ...], expected: str) -> C:
    """What a file describes: the first of ``bases`` that knows its kind. Functions that it names are not imported."""
    document = store.read_recipe_file(path)
    first: RecipeError | None = None
    for base in bases:
        try:
            return base.from_json(document, path=path)
        except RecipeError as error:
            # The kind is known, but a part is wrong: that is what people want to read.
            first = error if first is None or first.args[0].startswith(f"{path}.kind:") else first
    raise RecipeError(f"{path} holds no {expected.removeprefix('a ')}: {first}")
