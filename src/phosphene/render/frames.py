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
        check(self.every > 0, "every", self.every, "a whole number of steps above 0")
        check(0 < self.fps <= 240, "fps", self.fps, "frames per second from 1 to 240")


@contextmanager
def watching(frames: Frames | None, names: Sequence[str], recipe: Recipe) -> Generator[Watch, None, None]:
    """While the block lasts, what writes the frames of a batch whose pictures are called ``names``.

    Raises:
        StorageError: a file cannot be written.
        MissingExtraError: a movie needs the extra ``video``.
    """
    if frames is None:
        yield lambda step, image: None
        return
    with ExitStack() as stack:
        write = _writer(frames, names, recipe, stack)

        def watch(step: int, image: Callable[[], Tensor]) -> None:
            if step % frames.every == 0:
                for row, one in enumerate(finished(image(), recipe.finish)):
                    write(row, step, display.to_uint8(one, alpha=one.shape[0] == 4))

        yield watch


def _writer(
    frames: Frames, names: Sequence[str], recipe: Recipe, stack: ExitStack
) -> Callable[[int, int, display.Pixels], object]:
    path = Path(frames.path)
    stems = store.distinct_stems(names)
    if path.suffix.lower() not in _MOVIES:
        return lambda row, step, pixels: store.write_png(path / f"{stems[row]}_{step:05d}.png", pixels)
    paths = [path] if len(names) == 1 else [path.with_name(f"{path.stem}_{stem}{path.suffix}") for stem in stems]
    size = max(recipe.sizes)
    movies = [stack.enter_context(store.open_movie(p, size=size, fps=frames.fps)) for p in paths]
    return lambda row, step, pixels: movies[row](pixels)
