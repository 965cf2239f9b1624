"""From a neuroscience lab's units to phosphene's: stimuli there are normalised, images here are in [0, 1].

A lab's stimulus is ``x = (image - MEAN) / STD``. Where a recipe says 0.25 *units*, it means 0.25 · STD of [0, 1]. The
two numbers are those for which the pixel range [-1.75, 2.26] of sinzlab/mei's quick start (macaque V4) is [0, 1]; in
0..255 they are 111 and 64. Give your own recording's: they set how strong a step and a contrast are, and around which
grey the image lies, and have nothing to do with the network's own normalisation, which phosphene does anyway.
"""

from __future__ import annotations

import math
from typing import Final

from phosphene._component import check
from phosphene.parameterizations import Pixels

#: The grey of a lab's mean stimulus, and the standard deviation of its stimuli, in units of [0, 1].
MEAN: Final = round(1.75 / 4.01, 4)
STD: Final = round(1 / 4.01, 4)
#: Standard deviation of the noise that an image starts from, in a lab's units; the published pages name none.
NOISE: Final = 0.1


def lab_pixels(height: int, width: int, channels: int, *, mean: float, std: float, noise: float = NOISE) -> Pixels:
    """Pixels around the lab's grey whose values are free to leave [0, 1]; a step of Δ units moves them by ``std · Δ``.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        mean: the lab's mean, in [0, 1].
        std: the lab's standard deviation, in units of [0, 1], above 0.
        noise: standard deviation of the start, in the lab's units, from 0.

    Raises:
        ParameterError: a number out of range.
    """
    check(0 <= mean <= 1, "mean", mean, "the lab's mean stimulus, in [0, 1]; of values in 0..255, divide by 255")
    check(0 < std <= 1, "std", std, "the lab's standard deviation, above 0, at most 1; of 0..255, divide by 255")
    check(0 <= noise < math.inf, "noise", noise, "a number from 0")
    offset = (float(mean),) * channels
    return Pixels(height, width, channels=channels, sd=noise * std, decorrelate="none", range="none", offset=offset)
