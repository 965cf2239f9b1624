"""What the screen shows, in 8 bits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import ParameterError
from phosphene.exchange import Display
from phosphene.web.session_refusal import RefusalError

#: Bytes of pixels in one array; the answer takes a few times as much while it is made.
MAX_ARRAYS = 256 << 20

Levels = npt.NDArray[np.uint8]


def stacked(display: Display, images: Sequence[Float[Tensor, "c h w"]]) -> Levels:
    """What the screen shows of the images, (n, h, w, 3).

    Raises:
        ParameterError: they are shown in several sizes.
        RefusalError: they are too many, or too large, for one array.
    """
    first = levels(display.compose(images[0]))
    if len(images) * first.nbytes > MAX_ARRAYS:
        raise RefusalError(
            413,
            f"{len(images)} stimuli of {first.shape[0]} × {first.shape[1]} pixels have more than "
            f"{MAX_ARRAYS >> 20} MiB; fetch their PNGs, one by one",
        )
    found = np.empty((len(images), *first.shape), np.uint8)
    for i, image in enumerate(images):
        shown = levels(display.compose(image))
        if shown.shape != first.shape:
            sizes = sorted({first.shape[:2], shown.shape[:2]})
            raise ParameterError(f"the stimuli have sizes such as {sizes}: no array holds them; fetch their PNGs")
        found[i] = shown
    return found


def levels(image: Float[Tensor, "c h w"]) -> Levels:
    """8-bit levels (h, w, 3), as the folder protocol's PNGs have them."""
    found = image.detach().clamp(0, 1).mul(255).round().expand(3, -1, -1).permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(found.astype(np.uint8))
