"""``phosphene dream``: pictures and zooms that stay, and mistakes that are one message."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest

import phosphene as ph
from phosphene import store
from phosphene.cli import dream
from phosphene.recipes import zooming
from phosphene.recipes.deepdream import deepdream

NET = "efficientnet_lite0"
QUICK = ("--layer", "blocks.1", "--steps", 1, "--octaves", 2, "--jitter", 4)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photograph of 48 × 36 pixels."""
    y, x = np.mgrid[0:36, 0:48]
    pixels = np.stack([4 * y + x, 255 - 5 * y, 3 * x + 20], axis=2).astype(np.uint8)
    return store.write_png(tmp_path / "photo.png", pixels)


def pixels(path: Path) -> np.ndarray:
    return store.read_png_pixels(path).astype(int)


def test_a_dream_is_a_png_that_replays_bit_for_bit(run, photo: Path, tmp_path: Path) -> None:
    result = run("dream", NET, photo, *QUICK, "-o", tmp_path / "dream.png")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("blocks.1  score ")
    assert result.stdout.strip().endswith("dream.png")
    made, start = pixels(tmp_path / "dream.png"), pixels(photo)
    assert made.shape == start.shape
    assert 0 < np.abs(made - start).mean() < 10
    assert run("replay", tmp_path / "dream.png").exit_code == 0


def test_json_says_what_was_saved(run, photo: Path, tmp_path: Path) -> None:
    result = run("dream", NET, photo, *QUICK, "-o", tmp_path / "dream.png", "--json")
    record = json.loads(result.stdout)
    assert record["unit"] == "blocks.1"
    assert record["file"] == str(tmp_path / "dream.png")
    assert isinstance(record["score"], float)
    assert record["status"] == "ok"


def test_the_options_reach_the_recipe(run, photo: Path, tmp_path: Path) -> None:
    options = ("--octaves", 3, "--scale", 1.3, "--steps", 2, "--step", 3, "--jitter", 5)
    result = run("dream", NET, photo, "--layer", "blocks.1", *options, "-o", tmp_path / "a.png")
    assert result.exit_code == 0, result.output
    recipe = ph.Recipe.from_json(store.read_png_document(tmp_path / "a.png")["recipe"])
    start = deepdream(recipe.parameterization.start, octaves=3, scale=1.3, steps=2, step=3 / 255, jitter=5)
    assert recipe == start


def test_several_layers_and_channels_are_dreamed_of_at_once(run, photo: Path, tmp_path: Path) -> None:
    result = run("dream", NET, photo, *QUICK, "--layer", "blocks.2:3", "-o", tmp_path / "a.png")
    assert result.exit_code == 0, result.output
    (objective,) = store.read_png_document(tmp_path / "a.png")["objectives"]
    assert objective == (ph.Layer("blocks.1") + ph.Channel("blocks.2", 3)).to_json()


def test_a_guide_leads_the_dream(run, photo: Path, tmp_path: Path) -> None:
    guide = store.write_png(tmp_path / "guide.png", np.indices((40, 56)).sum(0).astype(np.uint8) * 2)
    for name, options in (("plain", ()), ("guided", ("--guide", guide))):
        result = run("dream", NET, photo, *QUICK, *options, "-o", tmp_path / f"{name}.png")
        assert result.exit_code == 0, result.output
    assert (pixels(tmp_path / "plain.png") != pixels(tmp_path / "guided.png")).any()
    assert run("replay", tmp_path / "guided.png").exit_code == 0


def test_tensorflows_dream_is_made_in_tiles(run, photo: Path, tmp_path: Path) -> None:
    options = ("--layer", "blocks.1", "--steps", 1, "--octaves", 2, "--recipe", "tf_deepdream")
    result = run("dream", NET, photo, *options, "--tile", 32, "-o", tmp_path / "a.png")
    assert result.exit_code == 0, result.output
    recipe = ph.Recipe.from_json(store.read_png_document(tmp_path / "a.png")["recipe"])
    assert recipe.name == "tf_deepdream"
    assert recipe.tiles == ph.conditioners.Tiles(32, 32)


def test_a_large_photograph_is_cut_into_tiles(run, tmp_path: Path) -> None:
    large = store.write_png(tmp_path / "large.png", np.full((1025, 1024, 3), 90, np.uint8))
    result = run("dream", NET, large, "--layer", "blocks.1", "--steps", 0, "-o", tmp_path / "a.png")
    assert result.exit_code == 0, result.output
    assert "tiles of 512 pixels" in " ".join(result.stderr.split())
    assert (pixels(tmp_path / "a.png") == 90).all()


def test_a_large_photograph_takes_no_jitter(mistake, tmp_path: Path) -> None:
    large = store.write_png(tmp_path / "large.png", np.full((1025, 1024, 3), 90, np.uint8))
    message = mistake("dream", NET, large, "--layer", "blocks.1", "--jitter", 4, "-o", tmp_path / "a.png")
    assert "and the image is large; --size makes it smaller" in message


def test_a_large_guide_is_made_smaller(run, photo: Path, tmp_path: Path, monkeypatch) -> None:
    guide = store.write_png(tmp_path / "guide.png", np.zeros((40, 56, 3), np.uint8))
    monkeypatch.setattr(dream, "_LARGE", 1000)
    caffe = importlib.import_module("phosphene.recipes.deepdream")
    shapes, guided_by = [], caffe.guided_by
    monkeypatch.setattr(
        caffe, "guided_by", lambda net, image, layer: shapes.append(image.shape) or guided_by(net, image, layer)
    )
    result = run("dream", NET, photo, *QUICK, "--size", 32, "--guide", guide, "-o", tmp_path / "a.png")
    assert result.exit_code == 0, result.output
    assert shapes == [(3, 26, 37)]


def test_trying_the_output_leaves_what_was_there(run, photo: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "a.png").write_bytes(b"before")

    def break_off(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib.import_module("phosphene.render"), "render", break_off)
    assert run("dream", NET, photo, *QUICK, "-o", tmp_path / "a.png").exit_code == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "photo.png"]
    assert (tmp_path / "a.png").read_bytes() == b"before"


def test_the_size_is_that_of_the_longer_side(run, photo: Path, tmp_path: Path) -> None:
    result = run("dream", NET, photo, *QUICK, "--size", 32, "-o", tmp_path / "a.png")
    assert result.exit_code == 0, result.output
    assert pixels(tmp_path / "a.png").shape == (24, 32, 3)


def test_a_zoom_fills_a_folder(run, photo: Path, tmp_path: Path) -> None:
    result = run("dream", NET, photo, *QUICK, "--zoom", 2, "-o", tmp_path / "zoom")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "zoom").iterdir()) == ["0000.png", "0001.png"]
    assert "2 frames" in result.stdout
    assert run("replay", tmp_path / "zoom" / "0001.png").exit_code == 0


def test_a_zoom_becomes_a_movie(run, photo: Path, tmp_path: Path) -> None:
    pytest.importorskip("imageio")
    result = run("dream", NET, photo, *QUICK, "--zoom", 2, "--fps", 5, "-o", tmp_path / "zoom.gif", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {"unit": "blocks.1", "path": str(tmp_path / "zoom.gif"), "n_frames": 2}
    assert (tmp_path / "zoom.gif").read_bytes().startswith(b"GIF")


def breaking_off(monkeypatch: pytest.MonkeyPatch, room: object, after: int) -> None:
    """A person breaks off after so many steps of all renders."""
    render, n_done = ph.render, 0

    def limited(*given, **options):
        tell = options["progress"]

        def progress(n: int) -> None:
            nonlocal n_done
            n_done += n
            if callable(tell):
                tell(n)
            if n_done > after:
                raise KeyboardInterrupt

        return render(*given, **{**options, "progress": progress})

    monkeypatch.setattr(room, "render", limited)


def test_an_interrupt_keeps_the_picture_as_it_is(run, photo: Path, tmp_path: Path, monkeypatch) -> None:
    breaking_off(monkeypatch, importlib.import_module("phosphene.render"), after=1)
    result = run("dream", NET, photo, *QUICK, "--steps", 3, "-o", tmp_path / "a.png", "--json")
    assert result.exit_code == 130
    assert "interrupted after step" in json.loads(result.stdout)["status"]
    assert pixels(tmp_path / "a.png").size
    assert run("replay", tmp_path / "a.png").exit_code == 0


def test_an_interrupt_keeps_the_frames_so_far(run, photo: Path, tmp_path: Path, monkeypatch) -> None:
    breaking_off(monkeypatch, zooming, after=5)
    result = run("dream", NET, photo, *QUICK, "--zoom", 9, "-o", tmp_path / "zoom", "--json")
    assert result.exit_code == 130
    assert json.loads(result.stdout)["n_frames"] == 2
    assert sorted(path.name for path in (tmp_path / "zoom").iterdir()) == ["0000.png", "0001.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--layer", "bloks.8"), "did you mean blocks.8"),
        (("--layer", "blocks.1:999"), "blocks.1 has 24 channels"),
        (("--layer", "blocks.1", "--recipe", "dreem"), "'dreem' is no way to dream; there are deepdream"),
        (("--layer", "blocks.1", "--recipe", "tf_deepdream", "--jitter", 3), "--jitter belongs to deepdream"),
        (("--layer", "blocks.1:3", "--guide", "PHOTO"), "a guide leads whole layers"),
        (("--layer", "blocks.1", "--guide", "nowhere.jpg"), "nowhere.jpg cannot be read"),
        (("--layer", "blocks.1", "--octaves", 20, "--scale", 4), "leave no pixels"),
        (("--layer", "blocks.1", "--scale", 1), "scale is 1"),
        (("--layer", "blocks.1", "--step", 0), "lr is 0"),
        (("--layer", "blocks.1", "--steps", 0, "-o", "dream.jpg"), "would not be a PNG"),
        (("--layer", "blocks.1", "-o", "movie.mp4"), "is a movie, but a dream is one picture; --zoom N makes movies"),
        (("--layer", "blocks.1", "-o", "movie.GIF"), "is a movie, but a dream is one picture"),
        (("--layer", "blocks.1", "--zoom", 2, "-o", "zoom.png"), "is one picture, but --zoom makes many"),
        (("--layer", "blocks.1", "--zoom", 2, "-o", "zoom.jpg"), "is one picture, but --zoom makes many"),
        (("--layer", "blocks.1", "--zoom", 2, "-o", "zoom.gif", "--fps", 51), "fps is 51; expected frames per second"),
        (("--layer", "blocks.1", "-o", "photo.png/x.png"), "photo.png is a file, not a folder"),
        (("--layer", "blocks.1", "--zoom", 2, "-o", "photo.png/zoom"), "photo.png/zoom is a file, not a folder"),
        (("--layer", "blocks.1", "-o", "folder.png"), "folder.png was not written: it is a folder"),
        (("--layer", "blocks.1", "--tile", 64, "--jitter", 3), "--jitter is not for tiles, which shift by themselves"),
        (("--layer", "blocks.1", "--zoom", 2, "--share", 1), "share is 1"),
        (("--layer", "blocks.1", "--size", 99999), "longest is 99999"),
    ],
)
def test_a_mistake_is_one_message(mistake, photo: Path, monkeypatch, tmp_path: Path, arguments, message) -> None:
    monkeypatch.chdir(tmp_path)
    for room in (importlib.import_module("phosphene.render"), zooming):
        monkeypatch.setattr(room, "render", None)  # every mistake is found out before the dream
    (tmp_path / "folder.png").mkdir()
    given = [photo if argument == "PHOTO" else argument for argument in arguments]
    assert message in mistake("dream", NET, photo, *given)


def test_a_file_that_is_no_picture_is_a_mistake(mistake, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_text("not a picture")
    assert "no picture that can be read" in mistake("dream", NET, tmp_path / "photo.jpg", "--layer", "blocks.1")


def test_without_a_layer_there_is_nothing_to_dream_of(run, photo: Path) -> None:
    result = run("dream", NET, photo)
    assert result.exit_code == 2
    assert "--layer" in result.stderr
