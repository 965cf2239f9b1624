"""Lucent's transforms: functions of a batch of images (n, c, h, w), one draw for the whole batch.

Drawn transforms take a generator as a second argument; ``render_vis`` gives them one of its own, so that a run depends
on nothing but its seed. Called without one they draw from torch's own generator, which ``util.set_seed`` seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.functional.geometry import normalized, resample, rotation

T = TypeVar("T")
Images = Float[Tensor, "n c h w"]
TransformF = Callable[[Tensor], Tensor]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
#: What the original InceptionV1 takes: values of 255, this subtracted.
INCEPTION_MEAN = 117.0


@dataclass(frozen=True)
class Drawn:
    """A transform that draws.

    Attributes:
        function: images and a generator (None: torch's own) to views.
    """

    function: Callable[[Tensor, torch.Generator | None], Tensor]

    def __call__(self, image_t: Tensor, generator: torch.Generator | None = None) -> Tensor:
        return self.function(image_t, generator)


def jitter(d: int) -> Drawn:
    """Move the images right and down by 0 to ``d − 1`` pixels each; the size stays, and what comes in is 0.

    Raises:
        ParameterError: ``d`` is not above 1.
    """
    check(d > 1, "d", d, "a whole number of pixels above 1")

    def moved(image_t: Images, generator: torch.Generator | None) -> Images:
        right, down = torch.randint(d, (2,), generator=generator, device="cpu").tolist()
        height, width = image_t.shape[2:]
        return F.pad(image_t, (right, 0, down, 0))[:, :, :height, :width]

    return Drawn(moved)


def pad(w: int, mode: str = "reflect", constant_value: float = 0.5) -> TransformF:
    """Add ``w`` pixels on every side: mirrored ("reflect"), or ``constant_value`` ("constant").

    Raises:
        ParameterError: ``w`` is below 0.
    """
    check(w >= 0, "w", w, "a whole number of pixels from 0")
    value = constant_value if mode == "constant" else None
    return lambda image_t: F.pad(image_t, (w, w, w, w), mode=mode, value=value)


def random_scale(scales: Sequence[float]) -> Drawn:
    """Resize by one of ``scales``, sizes rounded up, corners aligned; a smaller picture gets a black rim, so that the
    result is at least as large as the image.
    """

    def scaled(image_t: Images, generator: torch.Generator | None) -> Images:
        scale = _choice(scales, generator)
        height, width = (math.ceil(scale * side) for side in image_t.shape[2:])
        # Lucent pads columns by what the rows need, and rows by what the columns need; the same for square images.
        rows, columns = _rim(image_t.shape[2], height), _rim(image_t.shape[3], width)
        resized = F.interpolate(image_t, (height, width), mode="bilinear", align_corners=True)
        return F.pad(resized, (columns, columns, rows, rows))

    return Drawn(scaled)


def random_rotate(angles: Sequence[float], units: str = "degrees") -> Drawn:
    """Rotate counter-clockwise about the middle by one of ``angles``, bilinearly; the size stays, outside is 0.

    Raises:
        ParameterError: unknown units.
    """
    known = {"degrees": 1.0, **dict.fromkeys(("radians", "rads", "rad"), 180 / math.pi)}
    check(units.lower() in known, "units", units, "'degrees' or 'radians'")
    degrees = known[units.lower()]

    def rotated(image_t: Tensor, generator: torch.Generator | None) -> Images:
        size = image_t.shape[2], image_t.shape[3]
        angle = torch.full((image_t.shape[0],), _choice(angles, generator) * degrees, dtype=torch.float64, device="cpu")
        image_t = image_t if image_t.is_floating_point() else image_t.float()
        theta = normalized(rotation(angle), size, size).to(image_t)
        return resample(image_t, theta, size, padding="zeros").contiguous()

    return Drawn(rotated)


def compose(transforms: Iterable[TransformF]) -> Drawn:
    """One transform after the other; the list may change afterwards."""
    chain = tuple(transforms)

    def composed(image_t: Tensor, generator: torch.Generator | None) -> Tensor:
        for transform in chain:
            image_t = transform(image_t, generator) if isinstance(transform, Drawn) else transform(image_t)
        return image_t

    return Drawn(composed)


def normalize() -> TransformF:
    """ImageNet's normalisation for torchvision's networks: (x − mean) / std for images in [0, 1]."""

    def normalizing(image_t: Images) -> Images:
        mean, std = (image_t.new_tensor(v).view(1, -1, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
        return (image_t - mean) / std

    return normalizing


def preprocess_inceptionv1() -> TransformF:
    """The input of the original InceptionV1: ``255 x − 117``."""
    return lambda x: x * 255 - INCEPTION_MEAN


def _rim(wanted: int, side: int) -> int:
    """Pixels to add on both sides of a side that is shorter than wanted."""
    return max(0, math.ceil((wanted - side) / 2))


def _choice(options: Sequence[T], generator: torch.Generator | None) -> T:
    return options[int(torch.randint(len(options), (1,), generator=generator, device="cpu"))]


#: What Lucent does unless told otherwise: 26 angles, of which 6 are 0, and 11 scales. Copy it to change it.
standard_transforms: list[TransformF] = [
    pad(12, mode="constant", constant_value=0.5),
    jitter(8),
    random_scale([1 + (i - 5) / 50.0 for i in range(11)]),
    random_rotate([*range(-10, 11), *[0] * 5]),
    jitter(4),
]
