"""Any decoder of the caller as a generator."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn, cast

import torch
from torch import Tensor, nn

from phosphene._component import check, encode
from phosphene._types import JSON
from phosphene.errors import ArgumentError, ParameterError, WeightsError
from phosphene.parameterizations.base import clip
from phosphene.parameterizations.generators.base import Decoder, Generator, frozen


@dataclass(frozen=True)
class CustomGenerator(Generator):
    """A caller's own decoder.

    A module is copied for every render: it stays as it is, and where it is, in training or not. A function is called
    as it stands, so what it closes over must be on the render's device. Values are brought from ``value_range`` to
    [0, 1] and clamped, with the gradient that leads back inside let through. Every code must be drawn on its own:
    batch normalisation runs in eval mode.

    Attributes:
        function: codes (n, *shape) to images (n, c, h, w), differentiable. A function defined at a module's top level
            can be replayed from its name. Of a module, or any other function, a picture's file holds the name only, as
            :class:`UnsavedGenerator`.
        shape: shape of the code of one image.
        value_range: what becomes 0 and 1; (-1, 1) for generators that end in a tanh.
        image_shape: channels, height and width of its images; by default found by drawing a code of zeros, of a
            function on the CPU.
    """

    function: Callable[..., Tensor]
    shape: tuple[int, ...]
    value_range: tuple[float, float] = (0.0, 1.0)
    image_shape: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.function, type) or not callable(self.function):
            raise ArgumentError(
                f"function is {self.function!r}; expected a module or a function of codes; to replay a module's "
                "pictures, wrap it in a function at a module's top level"
            )
        check(_is_shape(self.shape), "shape", self.shape, "whole numbers above 0, such as (100,)")
        given = self.image_shape
        fits = given is None or (len(given) == 3 and _is_shape(given))
        check(fits, "image_shape", given, "(channels, height, width), such as (3, 64, 64)")
        low, high = self.value_range
        check(float("-inf") < low < high < float("inf"), "value_range", self.value_range, "(low, high), low < high")

    @property
    def code_shape(self) -> tuple[int, ...]:
        return self.shape

    @property
    def size(self) -> tuple[int, int]:
        return (self.image_shape or self._drawn_shape)[1:]

    @property
    def n_channels(self) -> int:
        return (self.image_shape or self._drawn_shape)[0]

    def to_json(self) -> dict[str, JSON]:
        """See :meth:`Component.to_json`; of what cannot be found by its name, an :class:`UnsavedGenerator`."""
        if _has_name(self.function):
            return super().to_json()
        name = cast("str", encode(self.function)).replace(":", ".")
        return UnsavedGenerator(name, self.shape, (self.n_channels, *self.size)).to_json()

    def open(self, device: torch.device, dtype: torch.dtype) -> Decoder:
        """See :meth:`Generator.open`; a module is copied."""
        draw = self.function
        if isinstance(draw, nn.Module):
            draw = frozen(copy.deepcopy(draw), device, dtype)
        low, high = self.value_range

        def decode(codes: Tensor) -> Tensor:
            return clip((draw(codes) - low) / (high - low))

        return decode

    @cached_property
    def _drawn_shape(self) -> tuple[int, int, int]:
        """Channels, height and width, by drawing a code of zeros."""
        modules = [self.function] if isinstance(self.function, nn.Module) else []
        like = next((p for m in modules for p in m.parameters()), torch.zeros(()))
        try:
            with torch.no_grad():
                image = self.open(like.device, like.dtype)(like.new_zeros(1, *self.shape))
        except Exception as error:
            raise ParameterError(
                f"function failed on codes (1, {', '.join(map(str, self.shape))}): {type(error).__name__}: {error}; "
                "is shape the shape of one code?"
            ) from error
        if image.ndim != 4 or image.shape[0] != 1:
            raise ParameterError(
                f"function gave {tuple(image.shape)} for codes (1, {', '.join(map(str, self.shape))}); expected images "
                "(1, c, h, w); end a module of vectors with torch.nn.Unflatten(1, (c, h, w))"
            )
        return cast("tuple[int, int, int]", tuple(image.shape[1:]))


@dataclass(frozen=True)
class UnsavedGenerator(Generator):
    """What a picture's file holds of a decoder that cannot be found by its name, such as a module: enough to read the
    recipe, not to draw.

    Attributes:
        name: the module's class, or the function's name.
        shape: shape of the code of one image.
        image_shape: channels, height and width of its images.
    """

    name: str
    shape: tuple[int, ...]
    image_shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        super().__post_init__()
        check(_is_shape(self.shape), "shape", self.shape, "whole numbers above 0")
        fits = len(self.image_shape) == 3 and _is_shape(self.image_shape)
        check(fits, "image_shape", self.image_shape, "(channels, height, width)")

    @property
    def code_shape(self) -> tuple[int, ...]:
        return self.shape

    @property
    def size(self) -> tuple[int, int]:
        return self.image_shape[1:]

    @property
    def n_channels(self) -> int:
        return self.image_shape[0]

    def open(self, device: torch.device, dtype: torch.dtype) -> NoReturn:
        """Nothing can be opened.

        Raises:
            WeightsError: always; it says what to do.
        """
        raise WeightsError(
            f"the picture was drawn by {self.name}, which its file names but does not hold; it can be drawn again only "
            f"with that generator at hand: render with parameterization=Latent(CustomGenerator(…, {self.shape})), or "
            "let a function at a module's top level draw, which is found by its name"
        )


def _has_name(function: Callable[..., Any]) -> bool:
    """Whether a function can be found again by its module and its name."""
    name = getattr(function, "__qualname__", "<>")
    return "<" not in name and not inspect.ismethod(function)


def _is_shape(shape: tuple[int, ...]) -> bool:
    return bool(shape) and all(type(n) is int and n > 0 for n in shape)
