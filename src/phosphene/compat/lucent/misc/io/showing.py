"""Arrays as pictures in a notebook; outside of one nothing is shown."""

from __future__ import annotations

import base64
import html
import sys
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from phosphene import store
from phosphene.compat.lucent.misc.io.collapse_channels import collapse_channels
from phosphene.errors import ImageError

Array = npt.NDArray[Any]
Domain = tuple[float, float] | None


def image(array: Array, domain: Domain = None, w: int | None = None) -> None:
    """Show one picture (h, w), (h, w, 1), (h, w, 3) or (h, w, 4).

    Args:
        array: the picture.
        domain: the values that become black and white; None takes the least and the greatest.
        w: width on the page, in pixels.
    """
    _display(_picture(array, domain, w))


def images(
    arrays: Sequence[Array], labels: Sequence[object] | None = None, domain: Domain = None, w: int | None = None
) -> None:
    """Show pictures side by side, each under its label, or under its number where there are no labels."""
    cells = [
        f'<div style="margin-right:10px;margin-top:4px">{html.escape(str(label))}<br>{_picture(array, domain, w)}</div>'
        for label, array in zip(labels or range(len(arrays)), arrays, strict=False)
    ]
    _display(f'<div style="display:flex;flex-direction:row">{"".join(cells)}</div>')


def show(thing: Array | Sequence[Array], domain: Domain = (0, 1), **how: Any) -> None:
    """Show an array by its rank: 2 and 3 are a picture, 4 and lists are several; more than 4 channels, or 2, become
    colours.

    Args:
        thing: the array, or a list of arrays.
        domain: the values that become black and white; None takes each picture's least and greatest.
        how: ``w``, the width on the page; ``labels`` of several.

    Raises:
        ImageError: the array has another rank.
    """
    if isinstance(thing, np.ndarray) and thing.ndim in (2, 3):
        image(_collapsed(thing), domain, **how)
        return
    images([_collapsed(np.asarray(one)) for one in thing], domain=domain, **how)


def in_notebook() -> bool:
    """Whether pictures can be shown inline: IPython is imported and has a shell."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and cast(Any, ipython).get_ipython() is not None


def _collapsed(array: Array) -> Array:
    return array if array.ndim != 3 or array.shape[-1] in (1, 3, 4) else collapse_channels(array)


def _picture(array: Array, domain: Domain, w: int | None) -> str:
    values = np.asarray(array, dtype=np.float64)
    if values.ndim not in (2, 3) or 0 in values.shape:
        raise ImageError(f"an array of shape {values.shape} is no picture; expected (h, w) or (h, w, channels)")
    low, high = (values.min(), values.max()) if domain is None else domain
    shown = ((values - low) / ((high - low) or 1.0)).clip(0, 1) * 255
    data = base64.b64encode(store.encode_png(shown.round().astype(np.uint8))).decode("ascii")
    width = "" if w is None else f"width:{int(w)}px;"
    return f'<img src="data:image/png;base64,{data}" style="image-rendering:pixelated;{width}">'


def _display(page: str) -> None:
    if in_notebook():
        ipython = cast(Any, sys.modules["IPython"])
        ipython.display.display(ipython.display.HTML(page))
