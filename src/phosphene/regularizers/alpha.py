"""Penalties on an image's transparency: the channel after its colours or its grey, from 0 (clear) to 1 (opaque)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from phosphene._algebra import Regularizer
from phosphene.errors import ImageError
from phosphene.regularizers.penalties import BlurPenalty

#: Images of grey and of colours, which have no opacity.
_OPAQUE = (1, 3)


@dataclass(frozen=True)
class MeanAlpha(Regularizer):
    """The mean of the image's alpha, from 0 to 1: ``unit * (1 - MeanAlpha())`` draws only what the unit needs (Distill,
    "Differentiable Image Parameterizations").
    """

    cites: ClassVar[tuple[str, ...]] = ("mordvintsev2018differentiable",)

    def penalty(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        return alpha_of(image).mean((1, 2, 3))


@dataclass(frozen=True)
class BlurAlphaPenalty(Regularizer):
    """``½ sum (alpha - blur(alpha))²``, the blur held constant (Lucid's ``blur_alpha_each_step``)."""

    cites: ClassVar[tuple[str, ...]] = ("mordvintsev2018differentiable",)

    def penalty(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        return BlurPenalty().penalty(alpha_of(image))


def alpha_of(image: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 1 h w"]:
    """The last channel, as :class:`phosphene.parameterizations.Alpha` has it.

    Raises:
        ImageError: there is none, as the image has one channel or three.
    """
    channels = image.shape[1]
    if channels in _OPAQUE:
        raise ImageError(
            f"the image has {channels} channel{'s' * (channels > 1)} and no alpha; render {channels + 1} channels, the "
            "last of which is alpha: wrap the parameterization in Alpha(…)"
        )
    return image[:, -1:]
