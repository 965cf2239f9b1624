"""Many channels as one colour picture, each channel with a hue of its own (Lucid)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

#: Red, yellow, green, cyan, blue, magenta, at unit length.
_CORNERS = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1]], dtype=np.float64)
_EPSILON = 1e-4


def hue_to_rgb(ang: float, warp: bool = True) -> Array:
    """The colour (3,) of unit length at an angle of the colour wheel, in degrees.

    Args:
        ang: the hue; red at 0, green at 120, blue at 240.
        warp: give the pure colours more room by a sine.
    """
    corners = _CORNERS / np.linalg.norm(_CORNERS, axis=1, keepdims=True)
    step = 360 / len(corners)
    corner, share = divmod(ang % 360, step)
    share /= step
    if warp:
        rises = int(corner) % 2 == 0
        share = np.sin(share * np.pi / 2) if rises else 1 - np.sin((1 - share) * np.pi / 2)
    color = (1 - share) * corners[int(corner)] + share * corners[(int(corner) + 1) % len(corners)]
    return color / np.linalg.norm(color)


def sparse_channels_to_rgb(array: npt.ArrayLike) -> Array:
    """Channels from 0 up (…, k) as colours (…, 3) of the same lengths: the strongest gives the hue, the others grey."""
    values = np.asarray(array, dtype=np.float64)
    hues = np.stack([hue_to_rgb(360 * i / values.shape[-1]) for i in range(values.shape[-1])])
    grey = values.sum(-1, keepdims=True) - values.max(-1, keepdims=True)
    color = values @ hues + grey
    color /= _EPSILON + np.linalg.norm(color, axis=-1, keepdims=True)
    return color * np.linalg.norm(values, axis=-1, keepdims=True)


def collapse_channels(array: npt.ArrayLike) -> Array:
    """Channels (…, k) as colours (…, 3); where some are negative, the two signs get hues of their own."""
    values = np.asarray(array, dtype=np.float64)
    if (values < 0).any():
        values = np.concatenate([np.maximum(0, values), np.maximum(0, -values)], axis=-1)
    return sparse_channels_to_rgb(values)
