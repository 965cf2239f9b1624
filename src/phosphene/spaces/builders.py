"""Spaces of images of a photograph's contrast, for searches that start from standard normal codes."""

from __future__ import annotations

from typing import Any

from phosphene.parameterizations import Fourier, Pixels
from phosphene.spaces.image_space import ImageSpace


def fourier(height: int, width: int, *, channels: int = 3, sd: float = 1.0, **how: Any) -> ImageSpace:
    """Images by their Fourier coefficients, with the 1/f amplitudes of photographs: isotropic steps of a search are
    smooth ones of the image.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: 3 for colour, 1 for grey.
        sd: contrast; at 1 the values of images of standard normal codes have a standard deviation about 0.2, as
            photographs have.
        how: further fields of :class:`phosphene.Fourier`.

    Raises:
        ParameterError: an argument is out of range.

    >>> fourier(32, 48, channels=1).image_shape
    (1, 32, 48)
    """
    return ImageSpace(Fourier(height, width, channels=channels, sd=sd, **how))


def pixels(height: int, width: int, *, channels: int = 3, sd: float | None = None, **how: Any) -> ImageSpace:
    """Images by their pixels: no prior at all, so only small ones are found.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: 3 for colour, 1 for grey.
        sd: contrast; by default such that the values of images of standard normal codes have a standard deviation about
            0.2, as photographs have: 1.5 in decorrelated colours, 1 in grey.
        how: further fields of :class:`phosphene.Pixels`.

    Raises:
        ParameterError: an argument is out of range.
    """
    contrast = (1.5 if channels == 3 else 1.0) if sd is None else sd
    return ImageSpace(Pixels(height, width, channels=channels, sd=contrast, **how))
