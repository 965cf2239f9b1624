"""Arrays by name in compressed ``.npz`` files, without pickles."""

from __future__ import annotations

import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from phosphene.store.atomic import write_bytes


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, npt.NDArray[Any]]) -> Path:
    """Write arrays of numbers or text, wholly or not at all; returns the path. ``np.load(path)`` reads them.

    Raises `StorageError` when the file cannot be written.
    """
    buffer = BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **dict(arrays))
    return write_bytes(path, buffer.getvalue())
