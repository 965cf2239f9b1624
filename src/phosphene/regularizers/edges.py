"""Penalties on what lies at edges: a filter that keeps them, and a border that should be plain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._algebra import Regularizer
from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.functional.bilateral import bilateral
from phosphene.functional.filters import blur_normalized
from phosphene.regularizers.constants import border_mask, given_mask

#: Lucid's wide blur: half weight on the rim.
BLUR_5X5 = ((0.5,) * 5, *((0.5, 1.0, 1.0, 1.0, 0.5),) * 3, (0.5,) * 5)
#: Weight of the distance from the constant beside that from the blur (Lucid).
_CONSTANT_WEIGHT = 0.8


@dataclass(frozen=True)
class BilateralPenalty(Regularizer):
    """``½ sum (image - bilateral(image))²``, the filtered image held constant: smooths, and leaves edges
    (Distill).

    One step of plain descent at rate k filters the image: ``(1 - k) · image + k · bilateral(image)``.

    Attributes:
        sigma_space: standard deviation of the distance between pixels, above 0.
        sigma_color: standard deviation of the difference of their colours, above 0.
        radius: pixels to each side that the filter reads.
    """

    sigma_space: float = 1.5
    sigma_color: float = 0.1
    radius: int = 3
    cites: ClassVar[tuple[str, ...]] = ("tomasi1998bilateral", "olah2017feature")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("sigma_space", "sigma_color"):
            value = getattr(self, name)
            check(0 < value < math.inf, name, value, "a number above 0")
        check(1 <= self.radius <= 32, "radius", self.radius, "a whole number from 1 to 32")

    def penalty(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        with torch.no_grad():
            filtered = bilateral(image, sigma_space=self.sigma_space, sigma_color=self.sigma_color, radius=self.radius)
        return 0.5 * (image - filtered).square().sum((1, 2, 3))


@dataclass(frozen=True)
class BoundaryComplexity(Regularizer):
    """``sum mask · ((blur(image) - image)² + 0.8 (image - constant)²)``: what is drawn near the border (Lucid's
    ``penalize_boundary_complexity``, which returns the negative).

    Attributes:
        width: how far the border reaches inward, in pixels; an image of twice that is all border.
        mask: another region, (h, w) or (c, h, w), 1 where it counts; it takes the place of the border. An array or
            tensor is frozen; on a canvas of another size it is resized bilinearly.
        constant: the value that a plain border has.
    """

    width: int = 20
    mask: FrozenArray | None = None
    constant: float = 0.5

    @property
    def needs_whole_image(self) -> bool:
        return True

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.width >= 0, "width", self.width, "a whole number from 0")
        check(math.isfinite(self.constant), "constant", self.constant, "a finite number")
        if self.mask is not None:
            object.__setattr__(self, "mask", FrozenArray.of(self.mask))
            shape = self.mask.shape
            check(len(shape) in (2, 3) and 0 not in shape, "mask", shape, "a mask (h, w) or (c, h, w)")

    def penalty(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        mask = border_mask(self.width, image) if self.mask is None else given_mask(self.mask, image)
        roughness = (blur_normalized(image, BLUR_5X5) - image).square()
        return ((roughness + _CONSTANT_WEIGHT * (image - self.constant).square()) * mask).sum((1, 2, 3))
