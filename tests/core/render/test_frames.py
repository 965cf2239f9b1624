"""Frames that are written while a render goes on."""

from __future__ import annotations

import numpy as np
import pytest
from networks import conv_net
from PIL import Image

import phosphene as ph
from phosphene.errors import ArgumentError, MissingExtraError, ParameterError
from phosphene.render import display

UNITS = [ph.Channel("conv2", 1), ph.Channel("conv2", 4)]


def test_a_folder_gets_every_so_many_steps_of_each_unit(tmp_path):
    result = ph.render(conv_net(), UNITS, steps=4, snapshots=ph.Frames(tmp_path, every=2), progress=False)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"conv2_{unit}_{step:05d}.png" for unit in (1, 4) for step in (0, 2, 4)]
    with Image.open(tmp_path / "conv2_4_00004.png") as last:
        assert np.array_equal(np.asarray(last), display.to_uint8(result.images[1]))


def test_frames_are_there_while_the_render_goes_on(tmp_path):
    seen = []
    ph.render(
        conv_net(),
        UNITS[0],
        steps=3,
        snapshots=ph.Frames(tmp_path),
        progress=lambda n: seen.append(len(list(tmp_path.iterdir()))),
    )
    assert seen == [2, 3, 4]


def movie(path):
    ph.render(
        conv_net(), UNITS[0], ph.Pixels(24, 31), steps=6, snapshots=ph.Frames(path, every=2, fps=5), progress=False
    )
    return path


def test_a_gif_has_a_frame_for_every_step_that_was_asked_for(tmp_path):
    pytest.importorskip("imageio")
    with Image.open(movie(tmp_path / "unit.gif")) as frames:
        assert (frames.n_frames, frames.size, frames.info["duration"]) == (4, (31, 24), 200)
    assert [file.name for file in tmp_path.iterdir()] == ["unit.gif"]


def test_an_mp4_has_a_frame_for_every_step_that_was_asked_for(tmp_path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg")
    assert ffmpeg.count_frames_and_secs(str(movie(tmp_path / "unit.mp4"))) == (4, pytest.approx(0.8, abs=0.05))
    assert [file.name for file in tmp_path.iterdir()] == ["unit.mp4"]


def test_several_units_get_a_movie_each(tmp_path):
    pytest.importorskip("imageio")
    ph.render(conv_net(), UNITS, ph.Pixels(16, 16), steps=2, snapshots=ph.Frames(tmp_path / "all.gif"), progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all_conv2_1.gif", "all_conv2_4.gif"]


def test_a_movie_without_its_extra_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "imageio.v2", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'phosphene\[video\]'"):
        ph.render(conv_net(), UNITS[0], steps=1, snapshots=ph.Frames(tmp_path / "x.gif"), progress=False)
    assert list(tmp_path.iterdir()) == []


def test_a_movie_of_another_kind_is_refused(tmp_path):
    from phosphene import store

    with (
        pytest.raises(ArgumentError, match=r"name it \.gif or \.mp4"),
        store.open_movie(tmp_path / "x.avi", size=(2, 2), fps=1),
    ):
        pass


def test_frames_out_of_range_are_refused():
    with pytest.raises(ParameterError, match="every is 0"):
        ph.Frames("x", every=0)
    with pytest.raises(ParameterError, match="fps is 0"):
        ph.Frames("x", fps=0)
    with pytest.raises(ArgumentError, match="expected a folder"):
        ph.Frames(3)


@pytest.mark.parametrize("batch_size", [None, 1])
def test_frames_have_the_same_names_in_one_batch_and_in_several(tmp_path, batch_size):
    options = {"steps": 1, "progress": False, "batch_size": batch_size}
    twice = [UNITS[0], UNITS[0], UNITS[1]]
    ph.render(conv_net(), twice, snapshots=ph.Frames(tmp_path / "folder"), **options)
    stems = {path.stem.rsplit("_", 1)[0] for path in (tmp_path / "folder").iterdir()}
    assert stems == {"conv2_1", "conv2_1-2", "conv2_4"}
    pytest.importorskip("imageio")
    ph.render(conv_net(), UNITS, ph.Pixels(16, 16), snapshots=ph.Frames(tmp_path / "all.gif"), **options)
    assert sorted(path.name for path in tmp_path.glob("*.gif")) == ["all_conv2_1.gif", "all_conv2_4.gif"]


@pytest.mark.parametrize("value", [0.5, "a", True])
def test_whole_numbers_are_asked_for(value):
    with pytest.raises(ArgumentError, match="every is .*; expected a whole number"):
        ph.Frames("x", every=value)


def test_frames_of_a_network_of_four_channels_are_not_transparent(tmp_path):
    ph.render(
        conv_net(4), UNITS[0], ph.Pixels(12, 10, channels=4), steps=0, snapshots=ph.Frames(tmp_path), progress=False
    )
    with Image.open(next(tmp_path.iterdir())) as frame:
        assert frame.mode == "RGB"
