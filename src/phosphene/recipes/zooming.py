"""The zoom of DeepDream in Caffe: dream, enlarge the middle, dream again (google/deepdream, ``dream.ipynb``). After
some frames nothing of the first image is left; noise serves as well.

A frame is carried on in the eight bits in which it is saved, so that a zoom that was broken off goes on exactly as if
it had not been, and so that each frame can be replayed.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene import store
from phosphene._component import check, coerce
from phosphene._types import JSON
from phosphene._version import __version__
from phosphene.errors import ParameterError, PhospheneError
from phosphene.functional.geometry import affine, normalized, resample
from phosphene.models.network import Network
from phosphene.objectives import Objective
from phosphene.recipes.photograph import started_from
from phosphene.render import Recipe, display, render
from phosphene.render.display import Pixels
from phosphene.render.progress import Progress
from phosphene.store.movie import movie_format


@dataclass(frozen=True)
class Zoom:
    """A zoom into a dream.

    Attributes:
        recipe: how each frame is dreamed; the first from the recipe's own start, each other from the frame before it,
            enlarged.
        n_frames: number of frames.
        share: share of the height and width that is cut away from one frame to the next.
        seed: seed of the first frame; each other's is one more.
    """

    recipe: Recipe
    n_frames: int = 100
    share: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        for name, kind in (("n_frames", int), ("share", float), ("seed", int)):
            object.__setattr__(self, name, coerce(getattr(self, name), kind, name))
        check(1 <= self.n_frames <= 10**5, "n_frames", self.n_frames, "a whole number from 1 to 100000")
        check(0 <= self.share < 1, "share", self.share, "a number from 0, below 1")
        sizes = self.recipe.sizes
        canvas = (self.recipe.parameterization.height, self.recipe.parameterization.width)
        if sizes[-1] != canvas:
            raise ParameterError(
                f"{self.recipe.name} turns {canvas} pixels into {sizes[-1]}, so that frames would grow; take a recipe "
                "that keeps the size, such as ph.recipes.deepdream(image)"
            )

    def recipe_after(self, frame: Pixels | None) -> Recipe:
        """How the frame after ``frame`` (h, w or h, w, 3; uint8) is dreamed, or the first one."""
        if frame is None:
            return self.recipe
        image = torch.from_numpy(frame.reshape(*frame.shape[:2], -1).copy()).permute(2, 0, 1)
        enlarged = zoomed(image[None].to(torch.float32) / 255, self.share)
        return started_from(self.recipe, (enlarged[0].clamp(0, 1) * 255).round() / 255)


def zoomed(image: Float[Tensor, "n c h w"], share: float = 0.05) -> Float[Tensor, "n c h w"]:
    """The middle of an image at the image's size, bilinearly: row i shows row ``i · (1 − share) + share · height / 2``,
    as ``scipy.ndimage.affine_transform`` of the published program.
    """
    if share == 0:
        return image
    size = (image.shape[2], image.shape[3])
    linear = torch.eye(2, dtype=torch.float64) * (1 - share)
    matrix = affine(linear, torch.full((2,), share / 2, dtype=torch.float64))
    return resample(image, normalized(matrix, size, size).to(image).expand(len(image), -1, -1), size)


def zoom_frames(
    net: Network,
    objective: Objective,
    zoom: Zoom,
    *,
    folder: str | os.PathLike[str] | None = None,
    device: torch.device | str | None = None,
    progress: Progress = False,
) -> Iterator[Pixels]:
    """The frames of a zoom, one after the other, uint8 (h, w, 3).

    Args:
        net: the network.
        objective: what every frame climbs, such as ``ph.Layer('blocks.5')``.
        zoom: how.
        folder: where each frame is saved as ``0000.png``, ``0001.png`` …, with its recipe; frames that are there
            already, and are those that would be made here, by the same versions, device and number of threads, are not
            made again.
        device: where to compute; by default where the network is.
        progress: as in :func:`phosphene.render`, for each frame.

    Raises:
        KeyboardInterrupt: a person broke off; the frame that was begun is not among the frames.
        StorageError: a frame cannot be saved.
    """
    frame: Pixels | None = None
    for number in range(zoom.n_frames):
        recipe, seed = zoom.recipe_after(frame), zoom.seed + number
        path = None if folder is None else Path(folder) / f"{number:04d}.png"
        frame = None if path is None else _found(path, _told(net, objective, recipe, seed) | _here(net, device))
        if frame is None:
            result = render(net, objective, recipe=recipe, seed=seed, device=device, progress=progress)
            if result.status[0].startswith("interrupted"):
                raise KeyboardInterrupt
            if path is not None:
                result.save(path)
            frame = display.to_uint8(result.images[0])
        yield frame


def save_zoom(path: str | os.PathLike[str], frames: Iterable[Pixels], *, fps: int = 15) -> int:
    """Write frames as a movie; one that is broken off by a person holds the frames so far.

    Args:
        path: ends in ``.gif`` or ``.mp4``.
        frames: those of :func:`zoom_frames`, uint8 (h, w, 3), all of one size.
        fps: frames per second.

    Returns the number of frames.

    Raises:
        KeyboardInterrupt: a person broke off; the movie is written, unless there was no frame yet.
        ArgumentError, MissingExtraError, StorageError: as :func:`phosphene.store.open_movie` says.
        ParameterError: there are no frames.
    """
    movie_format(path, fps)  # found out before a frame is made
    waiting = iter(frames)
    first = next(waiting, None)
    if first is None:
        raise ParameterError("there are no frames to make a movie of; give at least one")
    n_frames, interrupt = 1, None
    with store.open_movie(path, size=(first.shape[0], first.shape[1]), fps=fps) as append:
        append(first)
        try:
            for frame in waiting:
                append(frame)
                n_frames += 1
        except KeyboardInterrupt as raised:
            interrupt = raised
    if interrupt is not None:
        raise interrupt
    return n_frames


def _told(net: Network, objective: Objective, recipe: Recipe, seed: int) -> dict[str, JSON]:
    """What the document of a frame says, if it is the frame that would be made."""
    return {
        "network": {**net.source, "digest": net.digest},
        "objectives": [objective.to_json()],
        "digest": recipe.digest,
        "seed": seed,
    }


def _here(net: Network, device: torch.device | str | None) -> dict[str, JSON]:
    """What the document of a frame says, if it was made here: a frame's last bits depend on all of this."""
    where = next(net.module.parameters(), torch.empty(0)).device if device is None else torch.device(device)
    return {
        "dtype": "float32",
        "device": where.type,
        "threads": torch.get_num_threads(),
        "versions": {"phosphene": __version__, "torch": torch.__version__, "python": platform.python_version()},
    }


def _found(path: Path, told: Mapping[str, JSON]) -> Pixels | None:
    """The picture in a file, if its document says what it should."""
    try:
        document = store.read_png_document(path)
        if {key: document.get(key) for key in told} != told:
            return None
        return store.read_png_pixels(path)
    except (PhospheneError, LookupError, TypeError):
        return None
