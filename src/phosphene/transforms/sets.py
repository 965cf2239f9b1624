"""Sets of transforms that belong together."""

from __future__ import annotations

from phosphene.transforms.base import Transform
from phosphene.transforms.geometric import Jitter, Pad, RandomCrop, Rotate, Scale, ToInput
from phosphene.transforms.photometric import GaussianNoise


def lucid() -> tuple[Transform, ...]:
    """Lucid's ``standard_transforms``: pad 12 with grey, jitter 8, scale 0.90 … 1.10, rotate ±10° (often by 0), jitter
    4.

    Differences, on purpose: each image and view has a draw of its own, the four steps are one resampling, and a scaled
    image keeps its size in pixels (enlarged: cropped; shrunk: the grey border shows).
    """
    scales = tuple(round(0.90 + 0.02 * i, 2) for i in range(11))
    angles = tuple(float(a) for a in range(-10, 11)) + (0.0,) * 5
    return (
        Pad(12, mode="constant", value=0.5),
        Jitter(8, mode="crop"),
        Scale(options=scales),
        Rotate(options_deg=angles),
        Jitter(4, mode="crop"),
    )


def random_views(
    low: float, high: float = 1.0, *, rotate_deg: float = 0.0, noise: float = 0.0
) -> tuple[Transform, ...]:
    """phosphene's own set: a random window of the canvas, turned a little, at the network's input size, with a little
    noise.

    Args:
        low: smallest side of the window, as a share of the canvas.
        high: largest side.
        rotate_deg: largest rotation either way, in degrees.
        noise: standard deviation of the noise, in units of [0, 1].
    """
    return (RandomCrop(low, high), Rotate(-rotate_deg, rotate_deg), ToInput(), GaussianNoise(noise))


def held_out_views() -> tuple[Transform, ...]:
    """Views that no recipe optimises for, by which a picture's robustness is measured: shift ±12 px, scale 0.85–1.15,
    ±12°, noise 0.03.
    """
    return (Jitter(12, mode="translate"), Scale(0.85, 1.15), Rotate(-12.0, 12.0), ToInput(), GaussianNoise(0.03))
