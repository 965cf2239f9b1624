"""What a parameterization is: a frozen description that builds a canvas, and a canvas whose ``forward()`` is the
image.
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene._component import Component, check
from phosphene._types import FrozenArray
from phosphene.errors import ImageError, ParameterError
from phosphene.functional.color import IMAGENET_MEAN, imagenet_matrix, mix
from phosphene.functional.random import Generators
from phosphene.parameterizations.starts import Start

#: How far from 0 and 1 a start image is kept, so that its logit is finite; the image comes back to this precision.
_LOGIT_MARGIN = 2e-5

Decorrelation = Literal["imagenet", "none"] | FrozenArray
Range = Literal["sigmoid", "clip", "none"]


class Canvas(nn.Module, abc.ABC):
    """Parameters, one row per image, whose ``forward()`` is the image (n, c, h, w) in [0, 1]."""

    @abc.abstractmethod
    def forward(self) -> Float[Tensor, "n c h w"]:
        """The image, differentiable in the parameters."""

    @abc.abstractmethod
    def disturb(self, rows: Tensor, noise: Generators, strength: float) -> None:
        """Add noise of ``strength`` times the initial standard deviation to the images chosen by the mask ``rows``
        (n,).
        """

    def assign(self, image: Float[Tensor, "n c h w"]) -> None:
        """Set the parameters so that ``forward()`` gives this image, as nearly as its range allows.

        Raises:
            ParameterError: no parameters are known that give an image.
        """
        raise ParameterError(
            f"the parameters of a {type(self).__name__} cannot be found from an image, which stages of several sizes, "
            "projections and start images need; use ph.Pixels or ph.Fourier"
        )

    def settle(self) -> None:
        """Bring the parameters back to where they must lie, after a step; most may lie anywhere."""

    @property
    def shared(self) -> frozenset[str]:
        """Names of parameters that several images share; every other parameter has one row per image."""
        return frozenset()


@dataclass(frozen=True)
class Parameterization(Component, abc.ABC):
    """A frozen description of an image's parameters.

    Attributes:
        height: image rows, in pixels.
        width: image columns, in pixels.
    """

    height: int
    width: int

    @property
    @abc.abstractmethod
    def image_channels(self) -> int:
        """Channels of the image."""

    @property
    def starts_from_image(self) -> bool:
        """Whether the images start from given ones, which no noise may replace."""
        return False

    @property
    def couples(self) -> bool:
        """Whether the images of a batch share parameters."""
        return False

    @abc.abstractmethod
    def build(self, n: int, noise: Generators, *, device: torch.device, dtype: torch.dtype) -> Canvas:
        """A canvas of ``n`` images, each started from its own random stream."""

    def sized(self, height: int, width: int) -> Parameterization:
        """The same on a canvas of another size, in pixels, and without an image to start from."""
        return replace(self, height=height, width=width)


@dataclass(frozen=True)
class ColoredParameterization(Parameterization):
    """A parameterization with a colour space and a range.

    Attributes:
        channels: colour channels of the image.
        sd: standard deviation of the initial parameters.
        decorrelate: "imagenet" (Lucid's colour matrix, for 3 channels; other numbers of channels are left as they are),
            "none", or a matrix (channels × channels) such as :func:`phosphene.functional.color.measured_matrix` gives.
        range: "sigmoid" squashes to (0, 1); "clip" clamps to [0, 1] and lets only inward gradients through at the
            borders; "none" lets values go where they will, as the early methods did: the recipe's projections or its
            finish bring them back to [0, 1].
        gain: factor before the range; larger gives more contrast and saturation at the same parameters.
        start: an image (c, h, w) or (n, c, h, w) in [0, 1] to start from, or noise in the image's values
            (:class:`UniformStart`, :class:`NormalStart`), instead of noise in the parameters.
        offset: what an image of zero parameters shows, for each channel, with the ranges "clip" and "none"; by default
            grey, or the mean colour of photographs where colours are decorrelated.
    """

    channels: int = 3
    sd: float = 0.01
    decorrelate: Decorrelation = "imagenet"
    range: Range = "sigmoid"
    gain: float = 1.0
    start: FrozenArray | Start | None = None
    offset: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("height", "width", "channels"):
            value = getattr(self, name)
            check(isinstance(value, int) and 0 < value <= 2**14, name, value, "a whole number from 1 to 16384")
        check(0 <= self.sd < float("inf"), "sd", self.sd, "a number from 0")
        check(0 < self.gain < float("inf"), "gain", self.gain, "a number above 0")
        check(self.range in ("sigmoid", "clip", "none"), "range", self.range, "'sigmoid', 'clip' or 'none'")
        self._check_offset()
        if not isinstance(self.decorrelate, str):
            object.__setattr__(self, "decorrelate", FrozenArray.of(self.decorrelate))
        elif self.decorrelate not in ("imagenet", "none"):
            raise ParameterError(f"decorrelate is {self.decorrelate!r}; expected 'imagenet', 'none' or a matrix")
        if self.start is not None and not isinstance(self.start, Start):
            object.__setattr__(self, "start", self._start_image(self.start))

    def _check_offset(self) -> None:
        if self.offset is not None:
            fits = len(self.offset) == self.channels and all(map(math.isfinite, self.offset))
            check(fits, "offset", self.offset, f"{self.channels} finite numbers, one for each channel")
            check(self.range != "sigmoid", "offset", self.offset, "None with the range 'sigmoid'")

    @property
    def image_channels(self) -> int:
        return self.channels

    @property
    def starts_from_image(self) -> bool:
        return isinstance(self.start, FrozenArray)

    def color_matrix(self) -> Tensor | None:
        """The matrix (c, c) that maps parameters to colours, float64; None where colours are left as they are.

        Raises:
            ParameterError: if a given matrix does not fit the number of channels or is singular.
        """
        if isinstance(self.decorrelate, FrozenArray):
            matrix = self.decorrelate.tensor(dtype=torch.float64)
            fits = matrix.shape == (self.channels, self.channels)
            check(fits, "decorrelate", tuple(matrix.shape), f"a matrix of {self.channels} × {self.channels}")
            check(float(torch.linalg.cond(matrix)) < 1e6, "decorrelate", "a singular matrix", "an invertible one")
            return matrix
        if self.decorrelate == "imagenet" and self.channels == 3:
            return imagenet_matrix().tensor(dtype=torch.float64)
        return None

    def center(self) -> Tensor:
        """What an image of zero parameters shows before the range, (c, 1, 1): 0 for the sigmoid; grey, or Lucid's mean
        colour, for clip.
        """
        if self.range == "sigmoid":
            return torch.zeros(self.channels, 1, 1, dtype=torch.float64)
        if self.offset is not None:
            return torch.tensor(self.offset, dtype=torch.float64)[:, None, None]
        colored = self.decorrelate == "imagenet" and self.channels == 3
        return torch.tensor(IMAGENET_MEAN if colored else (0.5,) * self.channels, dtype=torch.float64)[:, None, None]

    def sized(self, height: int, width: int) -> ColoredParameterization:
        start = self.start if isinstance(self.start, Start) else None
        return replace(self, height=height, width=width, start=start)

    def latent_start(self, n: int, noise: Generators) -> Float[Tensor, "n c h w"] | None:
        """The start image before colour and range, float64; the inverse of :func:`colorize`. None where the parameters
        start from noise.
        """
        if self.start is None:
            return None
        if isinstance(self.start, Start):
            return self.latent(self.start.draw(noise, self.channels, self.height, self.width))
        image = self.start.tensor(dtype=torch.float64)
        image = image.expand(n, -1, -1, -1) if image.ndim == 3 or image.shape[0] == 1 else image
        if image.shape[0] != n:
            raise ImageError(f"start holds {image.shape[0]} images, but {n} are rendered; give one, or one for each")
        return self.latent(image)

    def latent(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """What becomes ``image`` by colour and range, in the image's precision; the range keeps a margin from 0 and
        1 where it must.
        """
        if self.range == "sigmoid":
            image = torch.logit(image.clamp(_LOGIT_MARGIN, 1 - _LOGIT_MARGIN))
        latent = (image - self.center().to(image)) / self.gain
        matrix = self.color_matrix()
        return latent if matrix is None else mix(torch.linalg.inv(matrix).to(image), latent)

    def _start_image(self, value: object) -> FrozenArray:
        image = FrozenArray.of(value)
        if (
            0 in image.shape
            or image.shape[-3:] != (self.channels, self.height, self.width)
            or len(image.shape) not in (3, 4)
        ):
            expected = f"({self.channels}, {self.height}, {self.width})"
            raise ImageError(f"start has shape {image.shape}; expected {expected}, or several of these")
        values = image.numpy()
        if self.range == "none":
            return image
        if values.min() < 0 or values.max() > 1:
            raise ImageError(f"start has values from {values.min():.3g} to {values.max():.3g}; expected [0, 1]")
        return image


class ColoredCanvas(Canvas):
    """A canvas that draws in decorrelated colours and squashes into [0, 1]."""

    def __init__(
        self, spec: ColoredParameterization, *, latent_gain: float, device: torch.device, dtype: torch.dtype
    ) -> None:
        super().__init__()
        matrix = spec.color_matrix()
        scale = spec.gain * latent_gain
        self.matrix = None if matrix is None else (matrix * scale).to(device, dtype)
        self.scale = scale
        self.center = spec.center().to(device, dtype)
        # A large photograph is not copied for nothing.
        self.is_plain = matrix is None and scale == 1 and spec.range == "none" and not bool(spec.center().any())
        self.spec = spec
        self.squash = {"sigmoid": torch.sigmoid, "clip": clip, "none": torch.Tensor.contiguous}[spec.range]

    def colorize(self, latent: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Decorrelated, unbounded values to colours in [0, 1]."""
        if self.is_plain:
            return latent.view_as(latent)
        colors = latent * self.scale if self.matrix is None else mix(self.matrix, latent)
        return self.squash(colors) if self.squash is torch.sigmoid else self.squash(colors + self.center)


class _Clip(torch.autograd.Function):
    """Clamp to [0, 1] whose gradient passes at a bound only where ascent leads inward (projected gradient)."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, values: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(values)
        return values.clamp(0, 1)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (values,) = ctx.saved_tensors  # pyright: ignore[reportAttributeAccessIssue]
        outward = ((values > 1) & (grad > 0)) | ((values < 0) & (grad < 0))
        return grad.masked_fill(outward, 0)


def clip(values: Tensor) -> Tensor:
    """Clamp to [0, 1] with the gradient projected for ascent: outside, only what leads back inside passes."""
    return _Clip.apply(values)  # pyright: ignore[reportReturnType]
