"""Transforms that move pixels. A composition of them is one affine map, resampled once."""

from __future__ import annotations

import abc
from dataclasses import dataclass, replace
from typing import Literal

import torch

from phosphene._component import check
from phosphene.functional.geometry import Affine, rotation, scaling, translation
from phosphene.transforms.base import Draws, Frame, Geometric

#: The far end of sensible sizes and shifts, in pixels.
_MAX_PIXELS = 2**14


@dataclass(frozen=True)
class Jitter(Geometric):
    """A random shift by whole pixels.

    Attributes:
        pixels: the largest shift, in pixels.
        mode: "crop" keeps a random window smaller by ``pixels`` (Lucid); "roll" shifts by up to ±``pixels`` around the
            edges (DeepDream); "translate" shifts by up to ±``pixels`` and fills as the frame says, reflected unless a
            :class:`Pad` came before.
    """

    pixels: int
    mode: Literal["crop", "roll", "translate"] = "translate"

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.pixels <= _MAX_PIXELS, "pixels", self.pixels, f"a number from 0 to {_MAX_PIXELS}")
        check(self.mode in ("crop", "roll", "translate"), "mode", self.mode, "'crop', 'roll' or 'translate'")

    def is_identity(self) -> bool:
        return self.pixels == 0

    def place(self, draws: Draws, frame: Frame) -> tuple[Affine, Frame]:
        d = self.pixels
        if self.mode == "crop":
            smaller = frame.sized(frame.height - d, frame.width - d)
            return translation(draws.integers(0, d, 2) - d / 2), smaller
        wrapped = replace(frame, fill="wrap") if self.mode == "roll" else frame
        return translation(draws.integers(-d, d, 2)), wrapped


@dataclass(frozen=True)
class Pad(Geometric):
    """A border around the image, and what is shown outside the canvas from here on.

    Attributes:
        pixels: width of the border, in pixels.
        mode: "reflect" (mirrored at the edge, which is repeated: NumPy's "symmetric"), "constant", or "random" (one
            random grey for each view; Lucid's "uniform").
        value: grey level of a constant border.
    """

    pixels: int
    mode: Literal["reflect", "constant", "random"] = "reflect"
    value: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.pixels <= _MAX_PIXELS, "pixels", self.pixels, f"a number from 0 to {_MAX_PIXELS}")
        check(self.mode in ("reflect", "constant", "random"), "mode", self.mode, "'reflect', 'constant' or 'random'")
        check(0 <= self.value <= 1, "value", self.value, "a grey level in [0, 1]")

    def is_identity(self) -> bool:
        return self.pixels == 0

    def place(self, draws: Draws, frame: Frame) -> tuple[Affine, Frame]:
        larger = frame.sized(frame.height + 2 * self.pixels, frame.width + 2 * self.pixels)
        return _nothing(draws), replace(larger, fill=self.mode, value=self.value)


@dataclass(frozen=True)
class Scale(Geometric):
    """A random magnification about the centre; the grid keeps its size.

    Attributes:
        low: smallest magnification, above 0.
        high: largest magnification.
        options: pick from these instead of from [low, high).
    """

    low: float = 1.0
    high: float = 1.0
    options: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check(1e-3 <= self.low <= self.high <= 1e3, "low, high", (self.low, self.high), "0.001 <= low <= high <= 1000")
        check(all(1e-3 <= s <= 1e3 for s in self.options), "options", self.options, "numbers from 0.001 to 1000")

    def is_identity(self) -> bool:
        return set(self.options or (self.low, self.high)) == {1.0}

    def place(self, draws: Draws, frame: Frame) -> tuple[Affine, Frame]:
        factor = draws.choice(self.options) if self.options else draws.uniform(self.low, self.high)
        smallest = min(self.options or (self.low,))
        return scaling((1 / factor)[..., None].expand(*factor.shape, 2)), replace(frame, shrink=frame.shrink / smallest)


@dataclass(frozen=True)
class Rotate(Geometric):
    """A random rotation about the centre; the grid keeps its size.

    Attributes:
        low_deg: smallest angle, in degrees, clockwise.
        high_deg: largest angle, in degrees.
        options_deg: pick from these instead of from [low_deg, high_deg).
    """

    low_deg: float = 0.0
    high_deg: float = 0.0
    options_deg: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        ordered = -360 <= self.low_deg <= self.high_deg <= 360
        check(ordered, "low_deg, high_deg", (self.low_deg, self.high_deg), "-360 <= low_deg <= high_deg <= 360")
        check(
            all(-360 <= a <= 360 for a in self.options_deg), "options_deg", self.options_deg, "angles from -360 to 360"
        )

    def is_identity(self) -> bool:
        return set(self.options_deg or (self.low_deg, self.high_deg)) == {0.0}

    def place(self, draws: Draws, frame: Frame) -> tuple[Affine, Frame]:
        angle = draws.choice(self.options_deg) if self.options_deg else draws.uniform(self.low_deg, self.high_deg)
        # A picture turns clockwise when the points that it shows turn back.
        return rotation(-angle), frame


@dataclass(frozen=True)
class Flip(Geometric):
    """A random mirror image.

    Attributes:
        p_horizontal: probability of swapping left and right.
        p_vertical: probability of swapping top and bottom.
    """

    p_horizontal: float = 0.5
    p_vertical: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("p_horizontal", "p_vertical"):
            check(0 <= getattr(self, name) <= 1, name, getattr(self, name), "a probability in [0, 1]")

    def is_identity(self) -> bool:
        return self.p_horizontal == 0 == self.p_vertical

    def place(self, draws: Draws, frame: Frame) -> tuple[Affine, Frame]:
        flips = draws.uniform(k=2) < torch.tensor([self.p_horizontal, self.p_vertical], dtype=torch.float64)
        return scaling(1.0 - 2.0 * flips.to(torch.float64)), frame


@dataclass(frozen=True)
class RandomCrop(Geometric):
    """A random window of the canvas, enlarged to the whole grid.

    Attributes:
        low: smallest side of the window, as a share of the grid's side, above 0.
        high: largest side, at most 2; a window of at most 1 lies inside the grid, a larger one contains it.
    """

    low: float
    high: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(1e-3 <= self.low <= self.high <= 2, "low, high", (self.low, self.high), "0.001 <= low <= high <= 2")

    def is_identity(self) -> bool:
        return self.low == self.high == 1

    def place(self, draws: Draws, frame: Frame) -> tuple[Affine, Frame]:
        side = draws.uniform(self.low, self.high)[..., None]
        room = (1 - side) * torch.tensor([frame.width, frame.height], dtype=torch.float64)
        corner = draws.uniform(-0.5, 0.5, 2) * room
        return translation(corner) @ scaling(side.expand(*side.shape[:-1], 2)), replace(
            frame, shrink=frame.shrink * self.high
        )


@dataclass(frozen=True)
class _Sized(Geometric, abc.ABC, base=True):
    """A transform to a given size.

    Attributes:
        height: rows of the view, in pixels.
        width: columns of the view, in pixels.
    """

    height: int
    width: int

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in (("height", self.height), ("width", self.width)):
            check(0 < value <= _MAX_PIXELS, name, value, f"a whole number from 1 to {_MAX_PIXELS}")


@dataclass(frozen=True)
class CropOrPad(_Sized):
    """A central window of ``height`` × ``width`` pixels; what lies outside is filled as the frame says."""

    def place(self, draws: Draws, frame: Frame) -> tuple[Affine, Frame]:
        return _nothing(draws), frame.sized(self.height, self.width)


@dataclass(frozen=True)
class Resize(_Sized):
    """The whole grid, resized to ``height`` × ``width`` pixels, anti-aliased where that shrinks."""

    def place(self, draws: Draws, frame: Frame) -> tuple[Affine, Frame]:
        ratio = torch.tensor([frame.width / self.width, frame.height / self.height], dtype=torch.float64)
        resized = replace(frame.sized(self.height, self.width), shrink=frame.shrink * float(ratio.max()))
        return scaling(ratio.expand(draws.n_steps, len(draws.generators.cpu), draws.n_views, 2)), resized


@dataclass(frozen=True)
class ToInput(Geometric):
    """The whole grid, resized to the network's input size; the engine puts :class:`Resize` with that size in its
    place.
    """

    def place(self, draws: Draws, frame: Frame) -> tuple[Affine, Frame]:
        return _nothing(draws), frame


@dataclass(frozen=True)
class ToCanvas(Geometric):
    """A central window of the canvas's own size, so that padding is cut off again; the engine puts
    :class:`CropOrPad` with that size in its place.
    """

    def place(self, draws: Draws, frame: Frame) -> tuple[Affine, Frame]:
        return _nothing(draws), frame


def _nothing(draws: Draws) -> Affine:
    return translation(torch.zeros(draws.n_steps, len(draws.generators.cpu), draws.n_views, 2, dtype=torch.float64))
