"""A unit's receptive field as a map of its influence, and what can be read from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from jaxtyping import Bool, Float
from torch import Tensor

from phosphene._component import check
from phosphene.errors import ImageError, ParameterError
from phosphene.functional.gaussian_fit import Gaussian, fit_gaussian
from phosphene.functional.placing import Box, crop, place

#: Shares of the largest influence: what is less counts as none, as it may be rounding, and what counts for the core.
_NOTHING: Final = 1e-6
_CORE: Final = 0.01


@dataclass(frozen=True, eq=False)
class FieldMap:
    """How much a unit's response changes with each pixel.

    Attributes:
        values: mean absolute slope in each pixel, over images and colours (h, w), float64, in response per unit of
            [0, 1].
    """

    values: Float[Tensor, "h w"]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the map, in pixels."""
        return int(self.values.shape[0]), int(self.values.shape[1])

    @property
    def box(self) -> Box:
        """The rectangle that holds every pixel of any influence, from a millionth of the largest; for stacks of
        convolutions the analytic field.

        Raises:
            ParameterError: no pixel has any.
        """
        return self.bounds()

    @property
    def core(self) -> Box:
        """The rectangle that holds every pixel with at least a hundredth of the largest influence.

        Raises:
            ParameterError: no pixel has any influence.
        """
        return self.bounds(share=_CORE)

    def bounds(self, *, least: float = 0.0, share: float = _NOTHING) -> Box:
        """The rectangle that holds every pixel above two thresholds.

        Args:
            least: an influence that is too small to count, from 0, in the map's unit.
            share: share of the largest influence that a pixel must have, from 0 to 1.

        Raises:
            ParameterError: a threshold out of range, or no pixel is above both.
        """
        check(0 <= least < float("inf"), "least", least, "a number from 0")
        inside = self.mask(share=share) & (self.values > least)
        rows, columns = inside.any(1).nonzero()[:, 0].tolist(), inside.any(0).nonzero()[:, 0].tolist()
        if not rows:
            raise ParameterError(
                f"no pixel changes the unit's response by more than {least:g}: it may be silent behind a ReLU, or not "
                "depend on these images; choose the layer before the ReLU, or images that excite it"
            )
        return Box(rows[0], columns[0], rows[-1] + 1, columns[-1] + 1)

    def mask(self, *, share: float = _CORE) -> Bool[Tensor, "h w"]:
        """Which pixels have at least that share of the largest influence.

        Args:
            share: from 0 to 1.

        Raises:
            ParameterError: the share is out of range.
        """
        check(0 <= share <= 1, "share", share, "a share of the largest influence, from 0 to 1")
        return self.values >= share * self.values.max()

    @cached_property
    def gaussian(self) -> Gaussian:
        """The two-dimensional Gaussian nearest to the map.

        Raises:
            ParameterError: the map has no peak, or no Gaussian can be found.
            MissingExtraError: scipy is not installed.
        """
        return fit_gaussian(self.values)

    def place(
        self, image: Float[Tensor, "*n c h w"], *, box: Box | None = None, background: float = 0.5
    ) -> Float[Tensor, "*n c p q"]:
        """Stimuli resized into the field, on a grey canvas of the map's size; see
        :func:`phosphene.functional.placing.place`.

        Args:
            image: one stimulus (c, h, w) or several (n, c, h, w).
            box: where they are shown; by default :attr:`core`.
            background: the grey around them.
        """
        return place(image, self.core if box is None else box, self.size, background=background)

    def crop(self, image: Float[Tensor, "*n c h w"], *, box: Box | None = None) -> Float[Tensor, "*n c p q"]:
        """What the unit sees of images of the map's size.

        Args:
            image: one image (c, h, w) or several (n, c, h, w).
            box: what is cut out; by default :attr:`core`.

        Raises:
            ImageError: the images are of another size than the map.
        """
        if tuple(image.shape[-2:]) != self.size:
            raise ImageError(f"the image is {tuple(image.shape)}; expected {self.size} rows and columns, as the map's")
        return crop(image, self.core if box is None else box)
