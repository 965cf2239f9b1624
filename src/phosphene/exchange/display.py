"""How a stimulus stands on the screen: its size and place, the aperture it is seen through, the grey around it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene._component import Component, check
from phosphene._types import FrozenArray
from phosphene.errors import ImageError, ParameterError

APERTURES = ("none", "circle", "gaussian")
#: Weights of red, green and blue in grey (ITU-R BT.601-7), as MATLAB's rgb2gray and Pillow have them.
LUMA = (0.299, 0.587, 0.114)
#: No side of a canvas or stimulus is longer, in pixels.
LONGEST = 2**14


@dataclass(frozen=True)
class Display(Component):
    """A canvas of one grey with the stimulus on it; by default the stimulus alone, as it is.

    Places are in pixels from the canvas' upper left corner: a pixel's middle lies at ½, the canvas' at half its size.

    Attributes:
        height: the canvas' height in pixels; None is the stimulus' own.
        width: the canvas' width in pixels; None is the stimulus' own.
        background: the grey around the stimulus and behind its aperture, in [0, 1].
        aperture: "none"; "circle", of the stimulus' shorter side; "gaussian", falling off from the stimulus' middle; or
            a mask (h, w) in [0, 1], resized to the stimulus, 1 where the stimulus is seen.
        softness: of a circle the pixels over which its edge fades inwards, as a raised cosine; of a Gaussian its
            standard deviation in pixels.
        position: row and column of the stimulus' middle, such as a receptive field's; None is the canvas' middle. The
            stimulus is moved by whole pixels, and cut where it leaves the canvas.
        size: height and width in pixels to which the stimulus is resized, antialiased; one number is its longer side;
            None is the image's own.
        grayscale: whether colours become greys of their luma.
    """

    height: int | None = None
    width: int | None = None
    background: float = 0.5
    aperture: Literal["none", "circle", "gaussian"] | FrozenArray = "none"
    softness: float = 0.0
    position: tuple[float, float] | None = None
    size: int | tuple[int, int] | None = None
    grayscale: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("height", "width"):
            value = getattr(self, name)
            check(value is None or 1 <= value <= LONGEST, name, value, f"None, or a whole number from 1 to {LONGEST}")
        check(0 <= self.background <= 1, "background", self.background, "a grey from 0 (black) to 1 (white)")
        check(0 <= self.softness < math.inf, "softness", self.softness, "a number of pixels from 0")
        self._check_aperture()
        self._check_place()

    def _check_aperture(self) -> None:
        if isinstance(self.aperture, str):
            check(self.aperture in APERTURES, "aperture", self.aperture, f"one of {list(APERTURES)}, or a mask (h, w)")
            needs_sd = self.aperture == "gaussian" and self.softness == 0
            check(not needs_sd, "softness", self.softness, "the Gaussian's standard deviation in pixels, above 0")
            return
        object.__setattr__(self, "aperture", FrozenArray.of(self.aperture))
        shape = self.aperture.shape
        check(len(shape) == 2 and 0 not in shape, "aperture", f"an array of shape {shape}", "a mask (h, w)")
        values = self.aperture.numpy()
        check(bool(((values >= 0) & (values <= 1)).all()), "aperture", "a mask", "values in [0, 1]")

    def _check_place(self) -> None:
        at = self.position
        fits = at is None or (len(at) == 2 and all(map(math.isfinite, at)))
        check(fits, "position", at, "None, or the row and column of the stimulus' middle")
        sides = self.size if isinstance(self.size, tuple) else (self.size, self.size)
        fits = len(sides) == 2 and all(side is None or 1 <= side <= LONGEST for side in sides)
        check(fits, "size", self.size, f"None, whole pixels from 1 to {LONGEST}, or (height, width) of them")

    def compose(self, image: Float[Tensor, "c h w"]) -> Float[Tensor, "3 p q"]:
        """What the screen shows of ``image`` (in [0, 1]; one channel or three), in its dtype and on its device.

        Raises:
            ImageError: it has other axes or channels, or values that are not finite.
            ParameterError: nothing of the stimulus lies on the canvas.
        """
        _check_image(image)
        stimulus = self._seen(self._resized(self._colored(image)))
        height, width = stimulus.shape[1:]
        canvas = (self.height or height, self.width or width)
        if canvas == (height, width) and self.position is None:
            return stimulus
        middle = self.position or (canvas[0] / 2, canvas[1] / 2)
        # Halves go up and to the left, so that nothing depends on whether a number is even.
        corner = tuple(math.ceil(at - side / 2 - 0.5) for at, side in zip(middle, (height, width), strict=True))
        rows, columns = (_overlap(*extents) for extents in zip(corner, (height, width), canvas, strict=True))
        if not rows[0] or not columns[0]:
            raise ParameterError(
                f"position is {self.position!r}: a stimulus of {height} × {width} pixels would lie outside the canvas "
                f"of {canvas[0]} × {canvas[1]} pixels; expected a middle from which some of it is seen"
            )
        shown = stimulus.new_full((3, *canvas), self.background)
        shown[:, rows[0], columns[0]] = stimulus[:, rows[1], columns[1]]
        return shown

    def _colored(self, image: Float[Tensor, "c h w"]) -> Float[Tensor, "3 h w"]:
        if self.grayscale and image.shape[0] == 3:
            image = torch.einsum("c,chw->hw", image.new_tensor(LUMA), image)[None]
        return image if image.shape[0] == 3 else image.expand(3, -1, -1)

    def _resized(self, image: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 p q"]:
        size = self.size
        if isinstance(size, int):
            scale = size / max(image.shape[1:])
            size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[2] * scale)))
        return image if size is None else _fitted(image, size)

    def _seen(self, image: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 h w"]:
        """The stimulus behind its aperture."""
        if self.aperture == "none":
            return image
        height, width = image.shape[1:]
        if isinstance(self.aperture, FrozenArray):
            mask = _fitted(self.aperture.tensor()[None], (height, width))[0]
        else:
            away = _distance(height, width)
            edge = min(height, width) / 2
            mask = _disc(away, edge, self.softness) if self.aperture == "circle" else _bell(away, self.softness)
        return torch.lerp(image.new_tensor(self.background), image, mask.to(image))


def _check_image(image: Tensor) -> None:
    if image.ndim != 3 or image.shape[0] not in (1, 3) or 0 in image.shape or not image.is_floating_point():
        raise ImageError(
            f"a tensor of shape {tuple(image.shape)} and type {image.dtype} is no stimulus; "
            "expected numbers in [0, 1] of shape (1, h, w) or (3, h, w)"
        )
    if not bool(image.isfinite().all()):
        raise ImageError("a stimulus has values that are not finite; expected numbers in [0, 1]")


def _fitted(image: Float[Tensor, "c h w"], size: tuple[int, int]) -> Float[Tensor, "c p q"]:
    if tuple(image.shape[1:]) == size:
        return image
    return F.interpolate(image[None], size, mode="bilinear", align_corners=False, antialias=True)[0]


def _distance(height: int, width: int) -> Float[Tensor, "h w"]:
    """Of each pixel's middle from the stimulus' middle, in pixels."""
    rows = torch.arange(height, dtype=torch.float64) - (height - 1) / 2
    columns = torch.arange(width, dtype=torch.float64) - (width - 1) / 2
    return torch.hypot(rows[:, None], columns)


def _disc(away: Float[Tensor, "h w"], radius: float, softness: float) -> Float[Tensor, "h w"]:
    if softness == 0:
        return (away <= radius).to(away.dtype)
    share = ((radius - away) / softness).clamp(0, 1)
    return (1 - torch.cos(math.pi * share)) / 2


def _bell(away: Float[Tensor, "h w"], sd: float) -> Float[Tensor, "h w"]:
    return torch.exp(-0.5 * (away / sd) ** 2)


def _overlap(corner: int, side: int, canvas: int) -> tuple[slice | None, slice]:
    """The part of an axis that the stimulus covers on the canvas, None for none of it, and that of the stimulus."""
    first, last = max(corner, 0), min(corner + side, canvas)
    return (slice(first, last) if first < last else None), slice(first - corner, last - corner)
