"""How alike the images of a batch are, by their pixels or by what a layer answers to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._algebra import Objective
from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.errors import ImageError
from phosphene.objectives.compile import NetworkLike, OnDevice, Scorer, compile_kind
from phosphene.objectives.scene import Scene

Measure = Literal["correlation", "cosine", "neg_euclidean"]
Combine = Literal["max", "mean"]

#: Below a sum of squares, so that an image without contrast is like none.
_SQUARE_GUARD = 1e-12


@dataclass(frozen=True)
class Similarity(Objective):
    """How alike each image is to the others of the batch (featurevis' ``Similarity``): subtract it for diverse images.

    An image's score is the similarity to the one that is most alike, or its mean over the others; one image alone has
    0. Featurevis takes one number for the whole batch, so that with "max" only the most alike pair is driven apart in a
    step; here every image is driven away from its own nearest.

    Attributes:
        measure: "correlation" (means removed), "cosine", or "neg_euclidean", minus the L2 distance.
        combine: "max" or "mean".
        mask: weights (h, w) or (c, h, w) of the pixels, such as a receptive field's; an array or tensor is frozen.
        layer: compare what this layer answers instead of pixels; a mask has no place there.
        center: the pixel value that counts as nothing, for "cosine"; 0.5 is grey.
    """

    cites: ClassVar[tuple[str, ...]] = ("cobos2019featurevis", "cadena2018diverse")

    measure: Measure = "correlation"
    combine: Combine = "max"
    mask: FrozenArray | None = None
    layer: str | None = None
    center: float = 0.5

    def __post_init__(self) -> None:
        if self.mask is not None:
            object.__setattr__(self, "mask", FrozenArray.of(self.mask))
        super().__post_init__()
        check(self.measure in get_args(Measure), "measure", self.measure, f"one of {list(get_args(Measure))}")
        check(self.combine in get_args(Combine), "combine", self.combine, "'max' or 'mean'")
        check(abs(self.center) < float("inf"), "center", self.center, "a finite number")
        if self.mask is not None:
            shape = self.mask.shape
            check(len(shape) in (2, 3) and 0 not in shape, "mask", shape, "a mask (h, w) or (c, h, w)")
            check(self.layer is None, "mask", shape, "None where a layer's answers are compared")

    @property
    def coupled(self) -> bool:
        return True

    @property
    def needs_whole_image(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"Similarity({self.measure}, {self.layer or 'pixels'})"


def _cosine(values: Float[Tensor, "v n d"]) -> Float[Tensor, "v n n"]:
    unit = values * values.square().sum(2, keepdim=True).clamp(min=_SQUARE_GUARD).rsqrt()
    return unit @ unit.transpose(1, 2)


def _correlation(values: Float[Tensor, "v n d"]) -> Float[Tensor, "v n n"]:
    return _cosine(values - values.mean(2, keepdim=True))


def _neg_euclidean(values: Float[Tensor, "v n d"]) -> Float[Tensor, "v n n"]:
    return -((values[:, :, None] - values[:, None]).square().sum(3) + _SQUARE_GUARD).sqrt()


_MEASURES: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {"cosine": _cosine, "correlation": _correlation, "neg_euclidean": _neg_euclidean}
)


@compile_kind.register
def _(first: Similarity, objectives: Sequence[Similarity], net: NetworkLike) -> Scorer:
    if first.layer is not None:
        net.layer(first.layer)
    mask = None if first.mask is None else OnDevice(first.mask.tensor())

    def values(scene: Scene) -> Float[Tensor, "v n d"]:
        if first.layer is not None:
            here = scene.activations[first.layer].flatten(1)
            return here.view(-1, scene.n_views, here.shape[1]).transpose(0, 1)
        image = scene.image - first.center
        return (image if mask is None else _masked(image, mask)).flatten(1)[None]

    def score(scene: Scene) -> Float[Tensor, "n v"]:
        here = values(scene)
        n = here.shape[1]
        if n == 1:
            return here.new_zeros(1, here.shape[0]) + 0 * here.sum(2).T
        alike = _MEASURES[first.measure](here)
        itself = torch.eye(n, dtype=torch.bool, device=here.device)
        if first.combine == "max":
            return alike.masked_fill(itself, -torch.inf).amax(2).T
        return alike.masked_fill(itself, 0).sum(2).T / (n - 1)

    return Scorer(frozenset() if first.layer is None else frozenset({first.layer}), score)


def _masked(image: Float[Tensor, "n c h w"], mask: OnDevice) -> Float[Tensor, "n c h w"]:
    weights = mask.like(image)
    shape = tuple(weights.shape)
    if shape[-2:] != tuple(image.shape[2:]) or (len(shape) == 3 and shape[0] not in (1, image.shape[1])):
        raise ImageError(
            f"the mask is {shape}, the images are {tuple(image.shape[1:])}; give a mask (h, w) of that size"
        )
    return image * weights
