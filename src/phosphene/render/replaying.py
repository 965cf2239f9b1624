"""Render a saved picture again from the document that it carries, and compare."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch

from phosphene import store
from phosphene.errors import RecipeError
from phosphene.models.network import Network
from phosphene.models.trusted import reload_trusted
from phosphene.render import display
from phosphene.render.batches import Job
from phosphene.render.document import Picture, read_document
from phosphene.render.progress import Progress
from phosphene.render.result import Result
from phosphene.render.run import Settings, usable_device
from phosphene.render.session import run_jobs


@dataclass(frozen=True, eq=False)
class Replay:
    """A picture rendered again.

    Attributes:
        result: the new picture.
        identical: whether it is the saved one, bit for bit.
        max_difference: largest difference of a value, of 255.
        n_differing: number of values that differ.
    """

    result: Result
    identical: bool
    max_difference: int
    n_differing: int


def replay(path: str | Path, *, net: Network | None = None, trust: bool = False, progress: Progress = True) -> Replay:
    """Render a saved picture again from the recipe that it carries, and compare.

    Args:
        path: a PNG that phosphene saved.
        net: the network, for pictures of a module that was wrapped by hand.
        trust: allow the recipe to import modules, run factories and download weights.
        progress: as in :func:`render`.

    Raises:
        TrustError: the recipe would do one of these, and ``trust`` is false.
        RecipeError: the picture's recipe is damaged, or its network has other weights.
        StorageError: the file cannot be read.
    """
    saved = store.read_png_pixels(path)
    picture = read_document(store.read_png_document(path), trust=trust)
    network = _load_again(picture, trust) if net is None else net
    if network.digest != picture.network["digest"]:
        raise RecipeError(f"network.digest: {network.name} has other weights than the network of this picture")
    for name in ("mean", "std", "value_range", "channel_order", "input_size"):
        was, now = picture.network.get(name), network.source.get(name)
        if net is not None and was is not None and now is not None and list_of(was) != list_of(now):
            raise RecipeError(f"network.{name}: the picture was made with {was}, but net= has {now}")
    result = _render_again(picture, network, progress)
    return compare(result, saved)


def compare(result: Result, saved: display.Pixels) -> Replay:
    """A new picture beside the saved one.

    Raises:
        RecipeError: they differ in size.
    """
    made = display.to_uint8(result.images[0], alpha=result.has_alpha)
    if saved.shape != made.shape:
        raise RecipeError(f"document: it describes a picture of {made.shape}, but the file holds {saved.shape}")
    difference = np.abs(saved.astype(np.int16) - made.astype(np.int16))
    return Replay(result, not difference.any(), int(difference.max()), int((difference > 0).sum()))


def list_of(value: object) -> object:
    """JSON knows lists only."""
    return list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value


def _load_again(picture: Picture, trust: bool) -> Network:
    """The network of a picture; only the bundled one is loaded without trust."""
    return reload_trusted({key: value for key, value in picture.network.items() if key != "digest"}, trust=trust)


def _render_again(picture: Picture, net: Network, progress: Progress) -> Result:
    """The whole batch again, with as many threads: a picture's last bits depend on the shapes it was computed in."""
    rows = zip(picture.objectives, picture.keys, strict=True)
    jobs = [Job(i, objective, picture.recipe, key) for i, (objective, key) in enumerate(rows)]
    settings = Settings(
        seed=picture.seed,
        device=usable_device(picture.device),
        dtype=picture.dtype,
        snapshots=frozenset(),
        weights_digest=net.digest,
        until=picture.until,
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(picture.threads)
    try:
        return run_jobs(jobs, net, settings, batch_size=len(jobs), progress=progress)[picture.index]
    finally:
        torch.set_num_threads(threads)
