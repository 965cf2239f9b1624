"""What activations are compared with: one given activation for each image, fitted to the size of the views' own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.errors import LayoutError
from phosphene.objectives.compile import LayerLike, OnDevice, grouping_key
from phosphene.objectives.layouts import grid_of, per_view
from phosphene.objectives.scene import Scene
from phosphene.units import LayerUnit


@dataclass(frozen=True)
class TargetUnit(LayerUnit, base=True):
    """A layer's activation beside a given one.

    Attributes:
        target: what the layer answers to one image, in the layer's own layout without the batch axis, so (c, h, w) of a
            convolution; an array or tensor is frozen. Where the views make the layer larger or smaller, the target is
            resized to it, bilinearly and without antialiasing.
    """

    target: FrozenArray

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "target", FrozenArray.of(self.target))
        check(len(self.target.data) > 0, "target", self.target.shape, "an activation with at least one value")

    @property
    def needs_whole_image(self) -> bool:
        """True: the target is the activation of a whole image, and would be resized into each tile."""
        return True

    def __str__(self) -> str:
        return f"{type(self).__name__}({self.layer})"


@grouping_key.register
def _(objective: TargetUnit) -> object:
    return objective.layer, objective.target.shape


class Targets:
    """The targets of a batch, kept once for every size of activations that was met."""

    def __init__(self, arrays: Sequence[FrozenArray], layer: LayerLike) -> None:
        """Stack one target per image.

        Raises:
            LayoutError: a target is no activation of the layer.
        """
        self._grid, self._layer = grid_of(layer), layer
        for array in arrays:
            check_target(array, layer)
        self._given: Float[Tensor, "n c *size"] = self._grid(torch.stack([a.tensor() for a in arrays]))
        self._fitted: dict[tuple[int, ...], OnDevice] = {}

    def beside(self, scene: Scene) -> tuple[Float[Tensor, "m c *size"], Float[Tensor, "m c *size"]]:
        """What the layer answers to each view, and its target in the same size.

        Raises:
            LayoutError: the layer has another number of tokens than the targets.
        """
        here = self._grid(scene.activations[self._layer.name])
        size = tuple(here.shape[2:])
        if size not in self._fitted:
            self._fitted[size] = OnDevice(self._resized(size))
        return here, per_view(self._fitted[size], scene, here)

    def _resized(self, size: tuple[int, ...]) -> Float[Tensor, "n c *size"]:
        if self._given.shape[2:] == size:
            return self._given
        if len(size) != 2:
            raise LayoutError(
                f"layer {self._layer.name!r} has {size} tokens here, its target {tuple(self._given.shape[2:])}; "
                "tokens cannot be resized, so give the activation of an image of the views' size"
            )
        return F.interpolate(self._given, size=list(size), mode="bilinear", align_corners=False)


def check_target(array: FrozenArray, layer: LayerLike) -> None:
    """Refuse what cannot be an activation of the layer.

    Raises:
        LayoutError: naming both shapes.
    """
    expected = tuple(layer.shape[1:])
    axis = layer.layout.index("C") - 1
    if len(array.shape) != len(expected) or array.shape[axis] != layer.n_channels:
        raise LayoutError(
            f"layer {layer.name!r} gives {expected} for an image; the target is {array.shape}; give the layer's "
            "activation to one image, without the batch axis"
        )
