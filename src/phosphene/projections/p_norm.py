"""A projection onto a p-norm, such as labs hold their stimuli's contrast at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.projections.base import Projection


@dataclass(frozen=True)
class PNorm(Projection):
    """Each image's distance from a constant image, in the p-norm, scaled to ``norm`` (sinzlab/mei's ``ChangeNorm`` and
    ``PNormConstraint``); the constant image itself stays.

    It scales, so it keeps the picture; the nearest image of a smaller 1-norm would lose its faint parts instead.

    Attributes:
        norm: the distance, above 0.
        p: exponent, from 1; 2 is Euclidean, 1 the sum of absolute differences.
        center: value of the constant image; 0 is black, 0.5 grey.
        per: "image" takes ``(sum |x|^p)^(1/p)``, which grows with the image; "value" takes the mean in place of the
            sum, so that the same number means the same contrast in every size.
        bound: "exact" scales every image; "most" only those that are further away.
    """

    cites: ClassVar[tuple[str, ...]] = ("walker2019inception",)

    norm: float
    p: float = 2.0
    center: float = 0.5
    per: Literal["image", "value"] = "image"
    bound: Literal["exact", "most"] = "exact"

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.norm < math.inf, "norm", self.norm, "a number above 0")
        check(1 <= self.p <= 32, "p", self.p, "a number from 1 to 32")
        check(math.isfinite(self.center), "center", self.center, "a finite number")
        check(self.per in ("image", "value"), "per", self.per, "'image' or 'value'")
        check(self.bound in ("exact", "most"), "bound", self.bound, "'exact' or 'most'")

    def project(self, image: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        away = image - self.center
        found = torch.linalg.vector_norm(away, self.p, dim=(1, 2, 3), keepdim=True)
        if self.per == "value":
            found = found / away[0].numel() ** (1 / self.p)
        factor = torch.where(found == 0, 1.0, self.norm / found)
        if self.bound == "exact":
            return away.mul_(factor).add_(self.center)
        return torch.where(factor < 1, away.mul_(factor).add_(self.center), image)
