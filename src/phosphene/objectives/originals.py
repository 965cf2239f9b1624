"""Given images beside the rendered ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene._algebra import Regularizer
from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.errors import ImageError
from phosphene.objectives.compile import NetworkLike, OnDevice, Scorer, compile_kind, grouping_key
from phosphene.objectives.scene import Scene


@dataclass(frozen=True)
class InputDifference(Regularizer):
    """Root mean square of the difference from a given image (Lucid's ``input_diff``).

    Attributes:
        image: the image (c, h, w) in [0, 1]; one channel stands for all; an array or tensor is frozen. On a canvas of
            another size it is resized bilinearly.
    """

    image: FrozenArray

    @property
    def needs_whole_image(self) -> bool:
        return True

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "image", FrozenArray.of(self.image))
        shape = self.image.shape
        check(len(shape) == 3 and 0 not in shape, "image", shape, "an image (channels, height, width)")

    def penalty(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        return root_mean_square((image - fit_image(self.image.tensor()[None], image)).flatten(1))


@grouping_key.register
def _(objective: InputDifference) -> object:
    return objective.image.shape


@compile_kind.register
def _(first: InputDifference, objectives: Sequence[InputDifference], net: NetworkLike) -> Scorer:
    originals = FittedImages([o.image for o in objectives])

    def score(scene: Scene) -> Float[Tensor, "n 1"]:
        difference = scene.image - originals.like(scene.image)
        return root_mean_square(difference.flatten(1))[:, None]

    return Scorer(frozenset(), score)


class FittedImages:
    """One given image (c, h, w) per row, kept once for every size of canvas that was met."""

    def __init__(self, images: Sequence[FrozenArray]) -> None:
        self._given = torch.stack([image.tensor() for image in images])
        self._fitted: dict[tuple[int, ...], OnDevice] = {}

    def like(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The given images in the size and of the kind of ``images``.

        Raises:
            ImageError: they have another number of channels.
        """
        size = tuple(images.shape[1:])
        if size not in self._fitted:
            self._fitted[size] = OnDevice(fit_image(self._given, images).cpu())
        return self._fitted[size].like(images)


def fit_image(given: Float[Tensor, "k a p q"], images: Float[Tensor, "n c h w"]) -> Float[Tensor, "k c h w"]:
    """Given images in the size of the rendered ones, resized bilinearly.

    Raises:
        ImageError: they have another number of channels.
    """
    channels, height, width = images.shape[1:]
    if given.shape[1] not in (1, channels):
        raise ImageError(
            f"the given image has {given.shape[1]} channels, the rendered ones have {channels}; give one of {channels} "
            "channels, or of one"
        )
    if given.shape[2:] != (height, width):
        given = F.interpolate(given, size=[height, width], mode="bilinear", align_corners=False)
    return given.to(images).expand(-1, channels, -1, -1)


def root_mean_square(difference: Float[Tensor, "m k"]) -> Float[Tensor, " m"]:
    """Root mean square of each row; its gradient at exactly 0 is 0."""
    return torch.linalg.vector_norm(difference, dim=1) / difference.shape[1] ** 0.5
