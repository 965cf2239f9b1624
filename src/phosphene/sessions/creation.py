"""The beginning of a session: a directory with a plan, the reference images and an empty journal."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene._types import JSON
from phosphene._version import __version__
from phosphene.errors import ArgumentError, ImageError, StorageError
from phosphene.sessions.journal import Journal
from phosphene.sessions.layout import JOURNAL, PLAN, Layout, write_plan
from phosphene.sessions.lines import read_journal
from phosphene.sessions.lock import HOLDER, LOCK, exclusive
from phosphene.sessions.plan import Plan
from phosphene.store import distinct_stems, read_image, write_bytes, write_png
from phosphene.store.atomic import read_bytes
from phosphene.store.photographs import SUFFIXES

#: Reference images, or the folder that holds them.
References = Sequence[Tensor] | Tensor | str | os.PathLike[str]

_LONGEST_NAME = 60  # characters; a stimulus has a hundred, with generation and prefix


def create(directory: str | os.PathLike[str], plan: Plan, references: References = ()) -> None:
    """Begin a session in a directory that is new or empty.

    Args:
        directory: the session's; missing folders are made.
        plan: what it is to do.
        references: images (c, h, w) in [0, 1] with one channel or three that are shown in every generation, against
            drift; or the folder of their files. They are kept as PNGs of 8 bits.

    Raises:
        StorageError: the directory holds something already, or cannot be written; a picture cannot be read.
        ImageError: a reference image is none.
        RecipeError: a part of the plan has no JSON form.
    """
    layout = Layout(Path(directory).absolute())
    images = _images(references)
    for thread in plan.threads:
        thread.search()
    try:
        layout.directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{directory} cannot be made: {error.strerror or error}; choose another folder") from error
    with exclusive(layout.directory):
        _clear(layout)
        for name, image in images.items():
            write_png(layout.reference(name), _levels(image, name))
        write_bytes(layout.journal, b"")
        # The plan comes last: with it there is a session. Written twice, as the journal holds its digest.
        with contextlib.ExitStack() as stack:
            journal = stack.enter_context(contextlib.closing(Journal(layout.journal)))
            draft = Layout(layout.directory / "references")
            write_plan(draft, plan, list(images), versions=versions())
            journal.append([beginning(draft)])
            write_bytes(layout.plan, read_bytes(draft.plan, limit=1 << 30))
            draft.plan.unlink(missing_ok=True)
        _sync(layout.directory)


def versions() -> dict[str, str]:
    """Of what a search's bits may depend on."""
    return {
        "phosphene": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def beginning(layout: Layout) -> dict[str, JSON]:
    """The journal's first event: which plan it is the journal of."""
    return {"event": "begin", "plan": plan_digest(layout), "versions": dict(versions())}


def plan_digest(layout: Layout) -> str:
    """A digest of session.json, 32 hex digits of BLAKE2b.

    Raises:
        StorageError: it cannot be read.
    """
    return hashlib.blake2b(read_bytes(layout.plan, limit=1 << 30), digest_size=16).hexdigest()


def _sync(directory: Path) -> None:
    """Bring a directory's entries to the disk, where the system can: a journal without its name is no journal."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _clear(layout: Layout) -> None:
    """Remove what a creation that was killed has left.

    Raises:
        StorageError: there is a session already, or something else.
    """
    found = {path.name for path in layout.directory.iterdir() if not path.name.startswith(".phosphene-")}
    if PLAN in found:
        raise StorageError(f"{layout.directory} holds a session already; open it, or choose another folder")
    others = sorted(found - {LOCK, HOLDER, JOURNAL, "references"})
    begun = JOURNAL in found and len(read_journal(layout.journal).lines) > 1
    if others or begun:
        what = others[0] if others else f"{JOURNAL} with trials, but no {PLAN}"
        raise StorageError(f"{layout.directory} holds {what}; choose a folder that is new or empty")
    shutil.rmtree(layout.directory / "references", ignore_errors=True)
    layout.remove_leftovers()


def _images(references: References) -> dict[str, Float[Tensor, "c h w"]]:
    if isinstance(references, str | os.PathLike):
        return _pictures(Path(references))
    images = list(references)
    for image in images:
        if not isinstance(image, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(f"a reference image is a {type(image).__name__}; expected a tensor (c, h, w)")
    width = max(2, len(str(len(images))))
    return {f"{i:0{width}d}": image for i, image in enumerate(images, 1)}


def _pictures(folder: Path) -> dict[str, Float[Tensor, "3 h w"]]:
    if not folder.is_dir():
        raise StorageError(f"{folder} is no folder; give the folder that holds the reference images")
    paths = sorted(path for path in folder.iterdir() if _is_picture(path))
    if not paths:
        raise StorageError(f"{folder} holds no reference images; expected files that end in {', '.join(SUFFIXES)}")
    stems = distinct_stems(path.stem[:_LONGEST_NAME].replace(",", "-") for path in paths)
    return {stem: read_image(path) for stem, path in zip(stems, paths, strict=True)}


def _is_picture(path: Path) -> bool:
    # Hidden files are no pictures: macOS puts one called ._NAME beside each on foreign disks.
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _levels(image: Tensor, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    fits = image.ndim == 3 and image.shape[0] in (1, 3) and image.is_floating_point() and 0 not in image.shape
    if not fits or not bool(((image >= 0) & (image <= 1)).all()):
        raise ImageError(
            f"reference image {name!r} has the shape {tuple(image.shape)} and type {image.dtype}; expected numbers in "
            "[0, 1] of shape (1, h, w) or (3, h, w)"
        )
    check(max(image.shape) <= 1 << 14, "a side of a reference image", max(image.shape), f"at most {1 << 14} pixels")
    return image.detach().mul(255).round().permute(1, 2, 0).cpu().numpy().astype(np.uint8)
