"""Parameterizations around others: transparency, and grey shown in colour."""

from __future__ import annotations

import abc
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.functional.random import Generators
from phosphene.parameterizations.base import Canvas, Parameterization
from phosphene.parameterizations.fourier import Fourier

#: Colours that grey is shown as.
_RGB = 3


@dataclass(frozen=True)
class _Wrapper(Parameterization, abc.ABC):
    """Around another parameterization, whose size it has.

    Attributes:
        height: image rows, those of ``inner``.
        width: image columns, those of ``inner``.
        inner: what is wrapped.
    """

    height: int = field(init=False, repr=False, default=0)
    width: int = field(init=False, repr=False, default=0)
    inner: Parameterization

    def __post_init__(self) -> None:
        object.__setattr__(self, "height", self.inner.height)
        object.__setattr__(self, "width", self.inner.width)
        super().__post_init__()

    @property
    def couples(self) -> bool:
        return self.inner.couples

    @property
    def starts_from_image(self) -> bool:
        return self.inner.starts_from_image

    def sized(self, height: int, width: int) -> Parameterization:
        return replace(self, inner=self.inner.sized(height, width))


@dataclass(frozen=True)
class Alpha(_Wrapper):
    """Adds a last channel: how opaque each pixel is, 0 to 1 (Lucid's ``image(alpha=True)``). Show it to a network
    through :class:`phosphene.transforms.CollapseAlpha`.

    Attributes:
        inner: the colours.
        mask: the opacity, of one channel and the same size; by default a Fourier image through a sigmoid, half
            transparent at the start.
    """

    mask: Parameterization | None = None

    cites: ClassVar[tuple[str, ...]] = ("mordvintsev2018differentiable",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mask is None:
            object.__setattr__(self, "mask", Fourier(self.height, self.width, channels=1))
        mask = self.opacity
        fits = (mask.height, mask.width, mask.image_channels) == (self.height, self.width, 1)
        check(fits, "mask", mask, f"a parameterization of 1 channel and {self.height} × {self.width} pixels")

    @property
    def opacity(self) -> Parameterization:
        """``mask``, which is never None once built."""
        return self.mask or Fourier(self.height, self.width, channels=1)

    @property
    def image_channels(self) -> int:
        return self.inner.image_channels + 1

    @property
    def couples(self) -> bool:
        return self.inner.couples or self.opacity.couples

    def sized(self, height: int, width: int) -> Parameterization:
        return replace(self, inner=self.inner.sized(height, width), mask=self.opacity.sized(height, width))

    def build(self, n: int, noise: Generators, *, device: torch.device, dtype: torch.dtype) -> AlphaCanvas:
        """A canvas of ``n`` images; see :meth:`Parameterization.build`."""
        inner = self.inner.build(n, noise, device=device, dtype=dtype)
        return AlphaCanvas(inner, self.opacity.build(n, noise, device=device, dtype=dtype))


class AlphaCanvas(Canvas):
    """The images of :class:`Alpha`: the colours of ``inner``, then the opacity of ``mask``."""

    def __init__(self, inner: Canvas, mask: Canvas) -> None:
        super().__init__()
        self.inner, self.mask = inner, mask

    @property
    def shared(self) -> frozenset[str]:
        parts = (("inner", self.inner), ("mask", self.mask))
        return frozenset(f"{name}.{parameter}" for name, part in parts for parameter in part.shared)

    def forward(self) -> Float[Tensor, "n c h w"]:
        return torch.cat([self.inner(), self.mask()], 1)

    def disturb(self, rows: Tensor, noise: Generators, strength: float) -> None:
        self.inner.disturb(rows, noise, strength)
        self.mask.disturb(rows, noise, strength)

    def assign(self, image: Float[Tensor, "n c h w"]) -> None:
        self.inner.assign(image[:, :-1])
        self.mask.assign(image[:, -1:])

    def settle(self) -> None:
        self.inner.settle()
        self.mask.settle()


@dataclass(frozen=True)
class Grayscale(_Wrapper):
    """One channel shown as three equal ones, for networks that see colours (Lucid's ``grayscale_image_rgb``).

    Attributes:
        inner: the grey image, of one channel.
    """

    cites: ClassVar[tuple[str, ...]] = ("olah2017feature",)

    def __post_init__(self) -> None:
        super().__post_init__()
        channels = self.inner.image_channels
        check(channels == 1, "inner", f"a parameterization of {channels} channels", "one of 1 channel (channels=1)")

    @property
    def image_channels(self) -> int:
        return _RGB

    def build(self, n: int, noise: Generators, *, device: torch.device, dtype: torch.dtype) -> GrayscaleCanvas:
        """A canvas of ``n`` images; see :meth:`Parameterization.build`."""
        return GrayscaleCanvas(self.inner.build(n, noise, device=device, dtype=dtype))


class GrayscaleCanvas(Canvas):
    """The images of :class:`Grayscale`."""

    def __init__(self, inner: Canvas) -> None:
        super().__init__()
        self.inner = inner

    @property
    def shared(self) -> frozenset[str]:
        return frozenset(f"inner.{parameter}" for parameter in self.inner.shared)

    def forward(self) -> Float[Tensor, "n c h w"]:
        return self.inner().expand(-1, _RGB, -1, -1)

    def disturb(self, rows: Tensor, noise: Generators, strength: float) -> None:
        self.inner.disturb(rows, noise, strength)

    def assign(self, image: Float[Tensor, "n c h w"]) -> None:
        # The mean of the channels is the grey image nearest to a coloured one.
        self.inner.assign(image.mean(1, keepdim=True))

    def settle(self) -> None:
        self.inner.settle()
