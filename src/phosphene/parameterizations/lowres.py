"""Parameters of low resolution, in space and across images: what neighbours share moves together (Lucid's
``lowres_tensor``; Mordvintsev and others, "Differentiable Image Parameterizations", Distill 2018).
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene._component import check
from phosphene.functional.interpolation import Interpolation
from phosphene.functional.random import Generators
from phosphene.functional.spectrum import decay_scale, to_image, to_spectrum
from phosphene.parameterizations.base import ColoredCanvas, ColoredParameterization
from phosphene.parameterizations.pixels import disturb

#: Lucid divides its Fourier image by 4.
_FOURIER_GAIN = 0.25
#: The lowest resolution, as a share of the image's side.
_MAX_FACTOR = 2**14

Sampling = Literal["center", "corner"]
Shift = int | Literal["half"]


@dataclass(frozen=True)
class _Interpolated(ColoredParameterization, abc.ABC):
    """Interpolates something smaller than the batch of images.

    Attributes:
        sampling: "center" enlarges about the middle; "corner" aligns the first entries, as TensorFlow 1 and so Lucid
            do, which shifts the picture by up to half a coarse entry.
        shift: move the enlargement along by so many entries of each axis, images that are shared included; "half" is
            half a coarse entry (Lucid's ``offset=True``).
    """

    sampling: Sampling = "center"
    shift: Shift = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.sampling in ("center", "corner"), "sampling", self.sampling, "'center' or 'corner'")
        whole = isinstance(self.shift, int) and 0 <= self.shift <= min(self.height, self.width)
        check(whole or self.shift == "half", "shift", self.shift, "'half' or a number from 0 to the smaller side")

    def low_size(self, factor: int) -> tuple[int, int]:
        """Height and width at ``1 / factor``, rounded down, at least 1."""
        return max(1, self.height // factor), max(1, self.width // factor)

    def interpolation(self, low: Float[Tensor, "b c p q"], n: int) -> Interpolation:
        """The enlargement of ``low`` to ``n`` whole images."""
        small, full = (low.shape[0], low.shape[2], low.shape[3]), (n, self.height, self.width)
        images, rows, columns = (self._shift_of(a, b) for a, b in zip(small, full, strict=True))
        offset = (images if small[0] < n else 0, rows, columns)
        return Interpolation(small, full, low, corner=self.sampling == "corner", offset=offset)

    def _shift_of(self, low: int, full: int) -> int:
        return full // (2 * low) if self.shift == "half" else int(self.shift)


@dataclass(frozen=True)
class LowResolution(_Interpolated):
    """One tensor at ``1 / factor`` of the size for each image, enlarged linearly; nothing finer can appear.

    Attributes:
        factor: how many pixels a parameter stands for along each axis.
    """

    factor: int = 4

    cites: ClassVar[tuple[str, ...]] = ("mordvintsev2018differentiable",)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(1 <= self.factor <= _MAX_FACTOR, "factor", self.factor, f"a whole number from 1 to {_MAX_FACTOR}")

    def build(self, n: int, noise: Generators, *, device: torch.device, dtype: torch.dtype) -> LowResolutionCanvas:
        """A canvas of ``n`` images; see :meth:`Parameterization.build`."""
        start = self.latent_start(n, noise)
        low = self.sd * noise.normal(self.channels, *self.low_size(self.factor))
        canvas = LowResolutionCanvas(self, low.to(device, dtype))
        if start is not None:
            canvas.fit(start.to(device, dtype))
        return canvas


class LowResolutionCanvas(ColoredCanvas):
    """The images of :class:`LowResolution`; ``low`` is (n, c, h / factor, w / factor)."""

    def __init__(self, spec: LowResolution, low: Float[Tensor, "n c p q"]) -> None:
        super().__init__(spec, latent_gain=1.0, device=low.device, dtype=low.dtype)
        self.low = nn.Parameter(low.contiguous())
        self.enlarge = spec.interpolation(low, low.shape[0])

    def forward(self) -> Float[Tensor, "n c h w"]:
        return self.colorize(self.enlarge(self.low))

    def disturb(self, rows: Tensor, noise: Generators, strength: float) -> None:
        disturb(self.low, rows, noise, strength * self.spec.sd)

    @torch.no_grad()
    def fit(self, latent: Float[Tensor, "n c h w"]) -> None:
        """Take what is enlarged to the nearest of ``latent`` (least squares)."""
        self.low.copy_(self.enlarge.inverse(latent))

    def assign(self, image: Float[Tensor, "n c h w"]) -> None:
        self.fit(self.spec.latent(image))


@dataclass(frozen=True)
class Shared(_Interpolated):
    """A Fourier image of each picture's own, plus low-resolution tensors that neighbouring pictures of the render
    share, so that a row of pictures, such as an interpolation between two units, stays aligned (Lucid's notebook on
    neuron interaction).

    ``forward()`` is ``range(gain · colour matrix · (irfft2(scale · spectrum) / 4 + Σ enlarged layers))``, where a layer
    is interpolated over the pictures too. A picture depends on its place in the render and on its company, which is the
    purpose. With as many rows as pictures, or more, a layer is not shared.

    Attributes:
        layers: (reduction, rows) of each shared tensor: it has ``rows`` pictures at 1 / reduction of the size. The
            default is Lucid's: 1 row at /2, /4, /8 and /16, and 2 rows at /8 and /16.
        decay: power of the fall of the Fourier image's spectrum.
    """

    layers: tuple[tuple[int, int], ...] = ((2, 1), (4, 1), (8, 1), (8, 2), (16, 1), (16, 2))
    decay: float = 1.0

    cites: ClassVar[tuple[str, ...]] = ("mordvintsev2018differentiable", "olah2017feature")

    def __post_init__(self) -> None:
        super().__post_init__()
        pairs = all(len(layer) == 2 and 1 <= layer[0] <= _MAX_FACTOR and layer[1] >= 1 for layer in self.layers)
        check(pairs, "layers", self.layers, "pairs of whole numbers from 1: (reduction, rows)")
        check(0 <= self.decay <= 8, "decay", self.decay, "a number from 0 to 8")

    @property
    def couples(self) -> bool:
        return bool(self.layers)

    def encode(self, latent: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h f 2"]:
        """The spectrum that gives decorrelated values ``latent``."""
        scale = decay_scale(self.height, self.width, self.decay)[..., None]
        return to_spectrum(latent / _FOURIER_GAIN) / scale.to(latent)

    def build(self, n: int, noise: Generators, *, device: torch.device, dtype: torch.dtype) -> SharedCanvas:
        """A canvas of ``n`` images; see :meth:`Parameterization.build`."""
        start = self.latent_start(n, noise)
        sd = self.sd if start is None else 0.0
        spectrum = sd * noise.normal(self.channels, self.height, self.width // 2 + 1, 2)
        layers = [sd * self._rows(noise.normal(self.channels, *self.low_size(k)), rows) for k, rows in self.layers]
        spectrum = spectrum if start is None else self.encode(start)
        return SharedCanvas(self, spectrum.to(device, dtype), [layer.to(device, dtype) for layer in layers])

    @staticmethod
    def _rows(draws: Float[Tensor, "n c p q"], rows: int) -> Float[Tensor, "b c p q"]:
        """The draws of the images in the middle of each row's share."""
        n = draws.shape[0]
        return draws if rows >= n else draws[[(2 * i + 1) * n // (2 * rows) for i in range(rows)]]


class SharedCanvas(ColoredCanvas):
    """The images of :class:`Shared`; ``spectrum`` is (n, c, h, w // 2 + 1, 2), ``layers[k]`` (rows, c, p, q)."""

    def __init__(
        self, spec: Shared, spectrum: Float[Tensor, "n c h f 2"], layers: Sequence[Float[Tensor, "b c p q"]]
    ) -> None:
        super().__init__(spec, latent_gain=1.0, device=spectrum.device, dtype=spectrum.dtype)
        self.own = spec
        scale = _FOURIER_GAIN * decay_scale(spec.height, spec.width, spec.decay)[..., None]
        self.frequency_scale = scale.to(spectrum).expand(-1, -1, 2).contiguous()
        self.spectrum = nn.Parameter(spectrum.contiguous())
        self.layers = nn.ParameterList([layer.contiguous() for layer in layers])
        self.enlarge = [spec.interpolation(layer, spectrum.shape[0]) for layer in layers]

    @property
    def shared(self) -> frozenset[str]:
        n = self.spectrum.shape[0]
        return frozenset(f"layers.{i}" for i, layer in enumerate(self.layers) if layer.shape[0] < n)

    def common(self) -> Float[Tensor, "n c h w"] | float:
        """The sum of the enlarged layers, before colour and range."""
        return sum((enlarge(layer) for enlarge, layer in zip(self.enlarge, self.layers, strict=True)), 0.0)

    def forward(self) -> Float[Tensor, "n c h w"]:
        own = to_image(self.spectrum * self.frequency_scale, self.own.height, self.own.width)
        return self.colorize(own + self.common())

    def disturb(self, rows: Tensor, noise: Generators, strength: float) -> None:
        disturb(self.spectrum, rows, noise, strength * self.own.sd)

    @torch.no_grad()
    def assign(self, image: Float[Tensor, "n c h w"]) -> None:
        self.spectrum.copy_(self.own.encode(self.own.latent(image) - self.common()))
