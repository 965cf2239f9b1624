"""Images as arrays, on a screen, in a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from phosphene.errors import ImageError, StorageError
from phosphene.render.display import to_pil

Array = npt.NDArray[Any]

_DEFAULT_NAME = "image.jpg"


def tensor_to_img_array(tensor: Tensor) -> Array:
    """Images (n, c, h, w) as an array (n, h, w, c)."""
    return tensor.detach().cpu().numpy().transpose(0, 2, 3, 1)


def view(tensor: Tensor) -> None:
    """Open the images, side by side, in the system's viewer; nothing happens where there is no display."""
    if _has_display():
        _side_by_side(tensor).show()


def export(tensor: Tensor, image_name: str | Path | None = None) -> None:
    """Write the images, side by side, to a file; the name's ending says how, and "image.jpg" is the default.

    Raises:
        StorageError: the file cannot be written.
    """
    path, picture = Path(image_name or _DEFAULT_NAME), _side_by_side(tensor)
    try:
        picture.save(path)
    except (OSError, ValueError) as error:  # Pillow's word for an ending that it does not know
        raise StorageError(f"cannot write {path}: {error}") from error


def _side_by_side(tensor: Tensor) -> Any:
    images = tensor.detach()
    if images.ndim not in (3, 4):
        raise ImageError(f"expected images (n, c, h, w) or (c, h, w), got shape {tuple(images.shape)}")
    return to_pil(images if images.ndim == 3 else torch.cat([*images], 2))


def _has_display() -> bool:
    return sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def as_arrays(images: Tensor) -> Array:
    """Pictures as ``render_vis`` returns them: (n, h, w, c), float32, of their own memory."""
    return np.ascontiguousarray(tensor_to_img_array(images), dtype=np.float32)
