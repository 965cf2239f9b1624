"""Conditioners that set the size of a gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.conditioners.base import Conditioner
from phosphene.functional.norms import MEASURES, l2, rms, sd
from phosphene.functional.pyramid import Style, merge, split

Norm = Literal["mean_abs", "sd", "rms", "l2", "max", "sign"]


@dataclass(frozen=True)
class Normalize(Conditioner):
    """``gradient / (norm + eps)``, each image's by its own norm; a gradient of zero stays zero.

    Attributes:
        norm: "mean_abs" (DeepDream in Caffe), "sd" (in TensorFlow and MATLAB), "rms" (Keras' tutorial), "l2", "max", or
            "sign", which is the gradient's sign (Distill's L∞).
        eps: added to the norm: 1e-8 in TensorFlow's DeepDream, 1e-9 in MATLAB, 1e-5 in Keras' tutorial, 0 in Caffe.
        correction: 1 divides the variance by one fewer than there are values, as MATLAB does; for "sd".
    """

    cites: ClassVar[tuple[str, ...]] = ("mordvintsev2015inceptionism", "mathworks2016deepdreamimage")

    norm: Norm = "mean_abs"
    eps: float = 1e-8
    correction: Literal[0, 1] = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.norm in (*MEASURES, "sign"), "norm", self.norm, f"one of {[*MEASURES, 'sign']}")
        check(0 <= self.eps < math.inf, "eps", self.eps, "a number from 0")
        check(self.correction in (0, 1), "correction", self.correction, "0 or 1")
        check(self.correction == 0 or self.norm == "sd", "correction", self.correction, "0 unless norm is 'sd'")

    def condition(self, gradient: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        if self.norm == "sign":
            return gradient.sign_()
        size = sd(gradient, self.correction) if self.norm == "sd" else MEASURES[self.norm](gradient)
        return gradient.div_(_divisor(size + self.eps))


@dataclass(frozen=True)
class LaplacianNormalize(Conditioner):
    """Every level of the gradient's Laplacian pyramid divided by its root mean square, each image's by its own: low
    frequencies, weak in a gradient, become as strong as high ones.

    The result does not depend on the gradient's scale.

    Attributes:
        levels: halvings; the pyramid has one piece more.
        style: how the pyramid treats borders, "tensorflow" or "matlab"; see :mod:`phosphene.functional.pyramid`.
        eps: smallest divisor; None is the system's own, 1e-10 or 1e-8.
    """

    cites: ClassVar[tuple[str, ...]] = (
        "mordvintsev2015inceptionism",
        "mathworks2016deepdreamimage",
        "burt1983laplacian",
    )

    levels: int = 4
    style: Style = "tensorflow"
    eps: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.levels <= 16, "levels", self.levels, "a whole number from 0 to 16")
        check(self.style in ("tensorflow", "matlab"), "style", self.style, "'tensorflow' or 'matlab'")
        check(self.eps is None or 0 <= self.eps < math.inf, "eps", self.eps, "a number from 0, or None")

    def condition(self, gradient: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        eps = self.eps if self.eps is not None else {"tensorflow": 1e-10, "matlab": 1e-8}[self.style]
        pieces = split(gradient, self.levels, self.style)
        for piece in pieces:
            piece.div_(_divisor(rms(piece).clamp(min=eps)))
        return merge(pieces, self.style)


@dataclass(frozen=True)
class ClipGradient(Conditioner):
    """Bounds the *image's* gradient, each image's by itself.

    The regularised class images of "pytorch-cnn-visualizations" mean to do this with 0.1; their program bounds the
    network's gradients instead, which changes nothing.

    Attributes:
        limit: the bound, above 0.
        norm: "l2" scales a gradient of a larger L2 norm down to it; "value" clamps every value to ± the bound.
    """

    cites: ClassVar[tuple[str, ...]] = ("ozbulak2019visualizations",)

    limit: float = 0.1
    norm: Literal["l2", "value"] = "l2"

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.limit < math.inf, "limit", self.limit, "a number above 0")
        check(self.norm in ("l2", "value"), "norm", self.norm, "'l2' or 'value'")

    def condition(self, gradient: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        if self.norm == "value":
            return gradient.clamp_(-self.limit, self.limit)
        return gradient.mul_((self.limit / l2(gradient)).clamp(max=1.0)[:, None, None, None])


def _divisor(size: Float[Tensor, " n"]) -> Float[Tensor, "n 1 1 1"]:
    """One divisor per image; 1 in place of 0."""
    return torch.where(size == 0, 1.0, size)[:, None, None, None]
