"""A given image seen through the very views of the rendered one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.objectives.alike import caricatured
from phosphene.objectives.compile import NetworkLike, OnDevice, Scorer, compile_kind, grouping_key
from phosphene.objectives.layouts import per_view, single_layer
from phosphene.objectives.originals import FittedImages
from phosphene.objectives.scene import Scene
from phosphene.units import LayerUnit


@dataclass(frozen=True)
class CaricatureOf(LayerUnit):
    """:class:`Caricature` of an image that is shifted, scaled and turned as the picture is, in every step (Lucid's
    ``caricature`` and ``feature_inversion``, where both are one batch).

    Attributes:
        image: the image (c, h, w) in [0, 1]; an array or tensor is frozen. On a canvas of another size it is resized
            bilinearly.
        cossim_power: p of ``dot · max(0.1, cosine)^p``, at least 0; 0 inverts.
        cosine: "true" or "lucid", see :class:`Caricature`.
    """

    image: FrozenArray
    cossim_power: float = 0.0
    cosine: Literal["true", "lucid"] = "true"
    cites: ClassVar[tuple[str, ...]] = ("olah2018building",)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "image", FrozenArray.of(self.image))
        shape = self.image.shape
        check(len(shape) == 3 and 0 not in shape, "image", shape, "an image (channels, height, width)")
        check(0 <= self.cossim_power < math.inf, "cossim_power", self.cossim_power, "a number from 0")
        check(self.cosine in ("true", "lucid"), "cosine", self.cosine, "'true' or 'lucid'")

    def __str__(self) -> str:
        return f"CaricatureOf({self.layer})"

    @property
    def needs_whole_image(self) -> bool:
        return True


@grouping_key.register
def _(objective: CaricatureOf) -> object:
    return objective.layer, objective.image.shape, objective.cosine


@compile_kind.register
def _(first: CaricatureOf, objectives: Sequence[CaricatureOf], net: NetworkLike) -> Scorer:
    name = net.layer(first.layer).name
    images = FittedImages([o.image for o in objectives])
    powers = OnDevice(torch.tensor([o.cossim_power for o in objectives]))

    def score(scene: Scene) -> Float[Tensor, " m"]:
        here = scene.activations[name].flatten(1)
        target = scene.see(images.like(scene.image))[name].detach().flatten(1)
        return caricatured(here, target, per_view(powers, scene, here), first.cosine)

    return single_layer(name, score)
