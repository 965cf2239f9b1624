"""A space whose images are brought to a norm, a contrast or a window before they are shown."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene._component import check
from phosphene.errors import ArgumentError
from phosphene.projections import Projection
from phosphene.spaces.base import Decoder, Space


@dataclass(frozen=True)
class Projected(Space):
    """The images of another space after projections, such as ``FixContrast(0.5, 0.1)``.

    A unit that answers the more, the stronger the contrast, drives every space to black and white; at a fixed contrast,
    which most exciting inputs are compared at (Walker et al. 2019), it can only choose the pattern.

    Attributes:
        space: the space of the codes.
        projections: applied to every image in their order; then it is clamped to [0, 1].
    """

    space: Space
    projections: tuple[Projection, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.space, Space):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(f"space is {type(self.space).__name__}; expected a Space, such as as_space(generator)")
        fits = all(isinstance(p, Projection) for p in self.projections)  # pyright: ignore[reportUnnecessaryIsInstance]
        check(fits and len(self.projections) > 0, "projections", self.projections, "projections, at least one")

    @property
    def dim(self) -> int:
        return self.space.dim

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.space.image_shape

    def open(self, device: torch.device) -> Decoder:
        """What decodes codes (n, dim) into images (n, c, h, w); see :class:`Space`."""
        decode = self.space.open(device)

        def projected(codes: Tensor) -> Tensor:
            images = decode(codes)
            with torch.no_grad():
                # One by one: the last bits of a sum may depend on how many images there are.
                for i, image in enumerate(images):
                    images[i] = self._project(image[None])[0]
            return images

        return projected

    def _project(self, image: Tensor) -> Tensor:
        for projection in self.projections:
            image = projection.project(image, 0)
        return image.clamp(0, 1)
