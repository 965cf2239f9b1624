"""What an ONNX model's input is like: its name, axes and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np

from phosphene.errors import NetworkError, ParameterError

Layout = Literal["NCHW", "NHWC"]
_COLORS = (1, 3, 4)
_TYPES: Final[Mapping[str, Any]] = MappingProxyType(
    {"float": np.float32, "float16": np.float16, "double": np.float64, "uint8": np.uint8, "int32": np.int32}
)


@dataclass(frozen=True)
class ImageInput:
    """The only input of a model of images.

    Attributes:
        name: its name.
        dtype: NumPy's type of its numbers.
        channels_last: whether colours are the last axis.
        n_images: images of a batch; None for any number.
        n_channels: colours; None for any number.
        size: height and width, each None where it may be any.
    """

    name: str
    dtype: Any
    channels_last: bool
    n_images: int | None
    n_channels: int | None
    size: tuple[int | None, int | None]

    @property
    def is_whole(self) -> bool:
        """Whether it takes whole numbers."""
        return bool(np.issubdtype(self.dtype, np.integer))


def image_input(session: Any, path: str, layout: Layout | None) -> ImageInput:
    """The input of an onnxruntime session; colours come first unless only the last axis can be theirs, or it is said.

    Raises:
        NetworkError: the model takes something else than images.
    """
    inputs = session.get_inputs()
    shapes = ", ".join(f"{one.name} {one.shape}" for one in inputs)
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        raise NetworkError(f"{path} takes {shapes or 'nothing'}; expected one input of four axes, the images")
    kind = inputs[0].type.removeprefix("tensor(").removesuffix(")")
    if kind not in _TYPES:
        raise NetworkError(f"{path} takes images as {inputs[0].type}; expected one of {', '.join(_TYPES)}")
    last, (n, height, width, channels) = _ordered(inputs[0].shape, layout)
    return ImageInput(inputs[0].name, _TYPES[kind], last, n, channels, (height, width))


def _ordered(shape: Sequence[Any], layout: Layout | None) -> tuple[bool, tuple[int | None, ...]]:
    """Whether colours come last, and images, rows, columns and colours; None for axes of any length."""
    axes = [axis if isinstance(axis, int) else None for axis in shape]  # the others have names, or nothing
    last = layout == "NHWC" or (layout is None and axes[1] not in _COLORS and axes[3] in _COLORS)
    return last, tuple(axes) if last else (axes[0], axes[2], axes[3], axes[1])


def input_size(size: Sequence[int | None], wanted: tuple[int, int] | None, path: str) -> tuple[int, int] | None:
    """Height and width at which images are shown: the model's, else what is wanted; None to show them as they are.

    Raises:
        ParameterError: another size is wanted than the model takes.
    """
    height, width = (own or given for own, given in zip(size, wanted or (None, None), strict=True))
    if wanted is not None and (height, width) != wanted:
        raise ParameterError(f"input_size is {wanted}, but {path} takes {tuple(size)}; leave it out")
    return None if height is None or width is None else (height, width)
