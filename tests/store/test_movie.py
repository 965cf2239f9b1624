"""Movies hold the frames that they are given, at their size and pace."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from phosphene import store
from phosphene.errors import ParameterError

pytest.importorskip("imageio")


def frames(n: int, height: int, width: int) -> list[np.ndarray]:
    """Columns of black and white, which any resampling would blur; each frame's the other way round."""
    stripes = np.indices((height, width))[1] % 2 * 255
    return [np.repeat((stripes if i % 2 else 255 - stripes)[..., None], 3, axis=2).astype(np.uint8) for i in range(n)]


def written(path, given, fps):
    with store.open_movie(path, size=given[0].shape[:2], fps=fps) as append:
        for frame in given:
            append(frame)
    return path


@pytest.mark.parametrize(("height", "width"), [(21, 15), (20, 15), (21, 14), (20, 14)])
def test_a_gif_holds_the_frames_as_they_are(tmp_path, height, width):
    given = frames(3, height, width)
    with Image.open(written(tmp_path / "x.gif", given, 10)) as movie:
        for number, frame in enumerate(given):
            movie.seek(number)
            assert np.array_equal(np.asarray(movie.convert("RGB")), frame)


@pytest.mark.parametrize(
    ("fps", "milliseconds"), [(1, 1000), (3, 330), (7, 140), (15, 70), (30, 30), (45, 20), (50, 20)]
)
def test_a_gifs_frames_last_whole_hundredths_of_a_second(tmp_path, fps, milliseconds):
    with Image.open(written(tmp_path / "x.gif", frames(2, 8, 8), fps)) as movie:
        assert movie.info["duration"] == milliseconds


@pytest.mark.parametrize(("height", "width"), [(33, 47), (32, 47), (33, 46), (32, 46)])
def test_an_mp4_of_odd_size_repeats_its_last_row_and_column(tmp_path, monkeypatch, height, width):
    imageio = pytest.importorskip("imageio.v2")
    pytest.importorskip("imageio_ffmpeg")
    given, seen = frames(2, height, width), []
    real = imageio.get_writer

    def spying(*args, **options):
        writer = real(*args, **options)
        append = writer.append_data
        writer.append_data = lambda frame: seen.append(frame) or append(frame)
        return writer

    monkeypatch.setattr(imageio, "get_writer", spying)
    written(tmp_path / "x.mp4", given, 100)
    for made, frame in zip(seen, given, strict=True):
        assert made.shape == (height + height % 2, width + width % 2, 3)
        assert np.array_equal(made[:height, :width], frame)
        assert np.array_equal(made[-1], made[height - 1])
        assert np.array_equal(made[:, -1], made[:, width - 1])


@pytest.mark.parametrize(("name", "fps", "most"), [("x.gif", 51, 50), ("x.gif", 0, 50), ("x.mp4", 241, 240)])
def test_a_pace_that_a_movie_cannot_have_is_refused(tmp_path, name, fps, most):
    with pytest.raises(
        ParameterError, match=f"fps is {fps}; expected frames per second from 1 to {most} for a {name[1:]}"
    ):
        written(tmp_path / name, frames(1, 8, 8), fps)
    assert list(tmp_path.iterdir()) == []
