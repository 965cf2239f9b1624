"""The parameterization that ``render_vis`` uses unless told otherwise."""

from __future__ import annotations

from phosphene.compat.lucent.optvis.param.color import to_valid_rgb
from phosphene.compat.lucent.optvis.param.spatial import Param, fft_image, pixel_image


def image(  # noqa: PLR0913 - Lucent's signature
    w: int,
    h: int | None = None,
    sd: float | None = None,
    batch: int | None = None,
    decorrelate: bool = True,
    fft: bool = True,
    channels: int | None = None,
) -> Param:
    """Images (batch, channels, h, w) in (0, 1).

    Args:
        w: columns.
        h: rows; as many as columns by default.
        sd: standard deviation of the start, 0.01 by default.
        batch: number of images, 1 by default.
        decorrelate: in decorrelated colours.
        fft: by their spectrum, else by their pixels.
        channels: number of channels, whose colours are then not decorrelated; RGB by default.
    """
    make = fft_image if fft else pixel_image
    params, image_f = make((batch or 1, channels or 3, h or w, w), sd=sd)
    return params, to_valid_rgb(image_f, decorrelate=decorrelate and not channels)
