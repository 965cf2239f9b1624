"""Frames of a render, written while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from phosphene import store
from phosphene._component import check
from phosphene.errors import ArgumentError
from phosphene.render import display
from phosphene.render.finish import finished
from phosphene.render.recipe import Recipe

_MOVIES = frozenset({".gif", ".mp4"})

#: Told a step and a function that gives the images after it.
Watch = Callable[[int, Callable[[], Tensor]], None]
#: Writes the picture of a row of the batch after a step.
Write = Callable[[int, int, display.Pixels], object]


@dataclass(frozen=True)
class Frames:
    """Where to write the picture as it comes about, and how often.

    A folder gets ``UNIT_00010.png`` for step 10 of each unit. A path that ends in ``.gif`` or ``.mp4`` gets a movie of
    a single unit; of several units each gets one, its name behind the path's stem.

    Attributes:
        path: a folder, or a movie's file name.
        every: steps from one frame to the next.
        fps: frames per second of a movie.
    """

    path: Path | str
    every: int = 1
    fps: int = 15

    def __post_init__(self) -> None:
        if not isinstance(self.path, Path | str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(f"path is {self.path!r}; expected a folder, or the name of a .gif or .mp4 file")
        for name, value in (("every", self.every), ("fps", self.fps)):
            if isinstance(value, bool) or not isinstance(value, int):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ArgumentError(f"{name} is {value!r}; expected a whole number")
        check(self.every > 0, "every", self.every, "a whole number of steps above 0")
        check(0 < self.fps <= 240, "fps", self.fps, "frames per second from 1 to 240")


@contextmanager
def watching(
    frames: Frames | None, stems: Sequence[str], recipe: Recipe, *, alone: bool
) -> Generator[Watch, None, None]:
    """While the block lasts, what writes the frames of a batch.

    Args:
        frames: where, if at all.
        stems: the name of each picture's files, distinct over the whole render.
        recipe: how the pictures are made.
        alone: whether the whole render is a single picture.

    Raises:
        StorageError: a file cannot be written.
        MissingExtraError: a movie needs the extra ``video``.
    """
    if frames is None:
        yield lambda step, image: None
        return
    with ExitStack() as stack:
        if _is_movie(frames):
            write = _to_movies(frames, [""] if alone else stems, recipe, stack)
        else:
            write = _to_folder(frames, stems)
        has_alpha = (recipe.parameterization.image_channels, recipe.view_channels) in ((4, 3), (2, 1))

        def watch(step: int, image: Callable[[], Tensor]) -> None:
            if step % frames.every == 0:
                for row, one in enumerate(finished(image(), recipe.finish)):
                    write(row, step, display.to_uint8(one, alpha=has_alpha))

        yield watch


def _is_movie(frames: Frames) -> bool:
    return Path(frames.path).suffix.lower() in _MOVIES


def _to_folder(frames: Frames, stems: Sequence[str]) -> Write:
    folder = Path(frames.path)
    return lambda row, step, pixels: store.write_png(folder / f"{stems[row]}_{step:05d}.png", pixels)


def _to_movies(frames: Frames, stems: Sequence[str], recipe: Recipe, stack: ExitStack) -> Write:
    path = Path(frames.path)
    paths = [path.with_name(f"{path.stem}_{stem}{path.suffix}") if stem else path for stem in stems]
    movies = [stack.enter_context(store.open_movie(p, size=max(recipe.sizes), fps=frames.fps)) for p in paths]
    return lambda row, step, pixels: movies[row](pixels)
