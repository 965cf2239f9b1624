"""Penalties on an image, each a sum over its pixels and channels, as Lucid's; weigh and subtract: ``unit - 0.1 *
TotalVariation()``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._algebra import Regularizer
from phosphene._component import check
from phosphene.functional.filters import BLUR_3X3, blur_normalized
from phosphene.regularizers.constants import per_channel

#: Below the square root of an isotropic variation and of an L2 norm, so that their gradients are finite (Lucid's L2:
#: 1e-6).
_ROOT_GUARD = 1e-6


@dataclass(frozen=True)
class TotalVariation(Regularizer):
    """Differences between neighbouring pixels, over rows and columns.

    A sum, so the weight that fits depends on the image's size: at 224 px about 1e-3 smooths, 0.1 leaves little.

    Attributes:
        isotropic: false sums absolute differences (anisotropic, ``tf.image.total_variation`` and Lucid); true sums
            ``(dy² + dx²)^(β/2)`` over the pixels that have both neighbours (Rudin, Osher and Fatemi; Mahendran and
            Vedaldi with β = 2).
        beta: exponent of the isotropic form, above 0.
        scale: unit in which differences count, above 0, one for all channels or one for each, such as ImageNet's
            standard deviations for the variation of the normalised image.
    """

    isotropic: bool = False
    beta: float = 1.0
    scale: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.beta <= 8, "beta", self.beta, "a number above 0, at most 8")
        fits = len(self.scale) > 0 and all(0 < s < math.inf for s in self.scale)
        check(fits, "scale", self.scale, "numbers above 0")
        check(self.isotropic or self.beta == 1, "beta", self.beta, "1, or isotropic=True")

    def penalty(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        if set(self.scale) != {1.0}:
            image = image / per_channel(self.scale, image)
        rows, columns = image.diff(dim=2), image.diff(dim=3)
        if not self.isotropic:
            return rows.abs().sum((1, 2, 3)) + columns.abs().sum((1, 2, 3))
        square = rows[..., :-1].square() + columns[..., :-1, :].square()
        guard = _ROOT_GUARD if self.beta < 2 else 0.0
        return ((square + guard) ** (self.beta / 2) - guard ** (self.beta / 2)).sum((1, 2, 3))


@dataclass(frozen=True)
class L1(Regularizer):
    """``sum |image - constant|`` (Lucid's ``L1``).

    Attributes:
        constant: the value that costs nothing.
    """

    constant: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check(math.isfinite(self.constant), "constant", self.constant, "a finite number")

    def penalty(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        return (image - self.constant).abs().sum((1, 2, 3))


@dataclass(frozen=True)
class L2(Regularizer):
    """``sqrt(epsilon + sum (image - constant)²)`` (Lucid's ``L2``).

    Attributes:
        constant: the value that costs nothing.
        epsilon: guard of the root, above 0.
    """

    constant: float = 0.5
    epsilon: float = _ROOT_GUARD

    def __post_init__(self) -> None:
        super().__post_init__()
        check(math.isfinite(self.constant), "constant", self.constant, "a finite number")
        check(0 < self.epsilon <= 1, "epsilon", self.epsilon, "a number above 0, at most 1")

    def penalty(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        return ((image - self.constant).square().sum((1, 2, 3)) + self.epsilon).sqrt()


@dataclass(frozen=True)
class BlurPenalty(Regularizer):
    """``½ sum (image - blur(image))²``, the blur held constant (Lucid's ``blur_input_each_step``).

    One step of plain descent at rate k on it blurs the image: ``(1 - k) · image + k · blur(image)``.
    """

    def penalty(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        with torch.no_grad():
            blurred = blur_normalized(image, BLUR_3X3)
        return 0.5 * (image - blurred).square().sum((1, 2, 3))
