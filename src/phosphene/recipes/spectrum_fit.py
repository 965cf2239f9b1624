"""The spectrum of a folder of photographs, to which :class:`phosphene.parameterizations.Phase` holds its pictures."""

from __future__ import annotations

import os

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.functional.spectrum import mean_magnitude
from phosphene.store.photographs import read_images


def fit_spectrum(folder: str | os.PathLike[str], height: int = 512, width: int = 512) -> FrozenArray:
    """The mean magnitude of each frequency of the photographs in ``folder``, in decorrelated colours: (3, h, w // 2 +
    1), for ``Phase(height, width, magnitude=…)``; it serves other sizes too.

    Args:
        folder: a folder of photographs; each is cut to the middle of the wanted side ratio and resized, anti-aliased.
        height: image rows, in pixels.
        width: image columns, in pixels.

    Raises:
        ParameterError: a size that is no image's.
        StorageError: no such folder, no photographs in it, or a file that cannot be read.
        ImageError: a damaged picture.
    """
    for name, value in (("height", height), ("width", width)):
        check(0 < value <= 2**13, name, value, "a whole number from 1 to 8192")
    return FrozenArray.of(mean_magnitude(fitted(photo, height, width) for photo in read_images(folder)))


def fitted(photo: Float[Tensor, "c a b"], height: int, width: int) -> Float[Tensor, "c h w"]:
    """The middle of a photograph at another size: the largest window of the new side ratio, resized bicubically and
    anti-aliased; values in [0, 1].
    """
    rows, columns = photo.shape[1:]
    share = min(rows / height, columns / width)
    tall, wide = (max(1, round(share * size)) for size in (height, width))
    top, left = (rows - tall) // 2, (columns - wide) // 2
    window = photo[None, :, top : top + tall, left : left + wide]
    resized = F.interpolate(window, (height, width), mode="bicubic", align_corners=False, antialias=True)
    return resized[0].clamp(0, 1)
