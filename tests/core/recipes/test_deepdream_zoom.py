"""The zoom of DeepDream in Caffe: frames, names, and what happens when it is broken off."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from dreaming import photo
from networks import conv_net, random_images
from PIL import Image

import phosphene as ph
from phosphene import store
from phosphene.errors import ArgumentError, ParameterError
from phosphene.recipes import zooming
from phosphene.recipes.deepdream import deepdream
from phosphene.recipes.deepdream_tensorflow import tf_multiscale
from phosphene.recipes.zooming import Zoom, save_zoom, zoom_frames, zoomed

LAYER = ph.Layer("conv2")


def affine_transform(image: np.ndarray, share: float) -> np.ndarray:
    """``nd.affine_transform(frame, [1-s, 1-s, 1], [h*s/2, w*s/2, 0], order=1)`` of one channel, with plain loops."""
    h, w = image.shape
    made = np.zeros_like(image)
    for i, j in np.ndindex(h, w):
        y, x = i * (1 - share) + h * share / 2, j * (1 - share) + w * share / 2
        top, left = int(np.floor(y)), int(np.floor(x))
        for a, b in np.ndindex(2, 2):
            weight = (1 - abs(y - top - a)) * (1 - abs(x - left - b))
            if weight > 0 and top + a < h and left + b < w:
                made[i, j] += weight * image[top + a, left + b]
    return made


@pytest.mark.parametrize("share", [0.05, 0.3])
@pytest.mark.parametrize(("n", "channels", "size"), [(1, 3, (20, 31)), (2, 1, (25, 24)), (3, 5, (33, 60))])
def test_the_zoom_is_the_published_transform(n, channels, size, share):
    images = random_images(n, channels, size)
    expected = np.stack([[affine_transform(channel, share) for channel in image] for image in images.numpy()])
    assert np.abs(zoomed(images, share).numpy() - expected).max() < 1e-12


def test_a_constant_frame_stays_constant():
    assert torch.allclose(zoomed(torch.full((1, 3, 40, 30), 0.3)), torch.full((1, 3, 40, 30), 0.3), atol=1e-6)


def test_without_a_share_nothing_is_cut_away():
    images = random_images(2, 3, (9, 8))
    assert torch.equal(zoomed(images, 0.0), images)


def test_a_network_that_adds_nothing_zooms_into_the_photograph():
    image = photo(3, 20, 24)
    zoom = Zoom(deepdream(image, steps=0, octaves=2), n_frames=3)
    first, second, third = zoom_frames(conv_net(), LAYER, zoom)
    assert np.array_equal(first, (image.permute(1, 2, 0) * 255).round().numpy())
    for before, after in ((first, second), (second, third)):
        for c in range(3):
            assert np.abs(affine_transform(before[:, :, c].astype(float), 0.05) - after[:, :, c]).max() < 0.51


def test_each_frame_is_dreamed_from_the_one_before_it():
    net, image = conv_net(1), photo(1, 20, 24)
    recipe = deepdream(image, steps=2, octaves=2, jitter=3)
    first, second = zoom_frames(net, LAYER, Zoom(recipe, n_frames=2, seed=4))
    alone = ph.render(net, LAYER, recipe=recipe, seed=4, progress=False)
    assert np.array_equal(first, (alone.images[0, 0] * 255).round().numpy())
    start = zoomed(torch.from_numpy(first)[None, None].float() / 255)[0]
    again = deepdream((start * 255).round() / 255, steps=2, octaves=2, jitter=3)
    expected = ph.render(net, LAYER, recipe=again, seed=5, progress=False)
    assert np.array_equal(second, (expected.images[0, 0] * 255).round().numpy())


def test_a_folder_gets_numbered_frames_that_can_be_replayed(tmp_path):
    net = conv_net()
    zoom = Zoom(deepdream(photo(3, 20, 24), steps=1, octaves=2), n_frames=3)
    frames = list(zoom_frames(net, LAYER, zoom, folder=tmp_path / "zoom"))
    assert sorted(path.name for path in (tmp_path / "zoom").iterdir()) == ["0000.png", "0001.png", "0002.png"]
    for number, frame in enumerate(frames):
        path = tmp_path / "zoom" / f"{number:04d}.png"
        assert np.array_equal(store.read_png_pixels(path), frame)
        assert ph.replay(path, net=net, progress=False).identical


def counting(monkeypatch) -> list[int]:
    seeds, render = [], zooming.render

    def spy(*given, **options):
        seeds.append(options["seed"])
        return render(*given, **options)

    monkeypatch.setattr(zooming, "render", spy)
    return seeds


def test_a_zoom_goes_on_from_the_frames_that_are_there(tmp_path, monkeypatch):
    net, recipe = conv_net(), deepdream(photo(3, 20, 24), steps=1, octaves=2)
    whole = list(zoom_frames(net, LAYER, Zoom(recipe, n_frames=4)))
    list(zoom_frames(net, LAYER, Zoom(recipe, n_frames=2), folder=tmp_path))
    seeds = counting(monkeypatch)
    resumed = list(zoom_frames(net, LAYER, Zoom(recipe, n_frames=4), folder=tmp_path))
    assert seeds == [2, 3]
    assert all(np.array_equal(a, b) for a, b in zip(whole, resumed, strict=True))


@pytest.mark.parametrize("damage", ["share", "unit", "seed", "file", "foreign"])
def test_frames_of_another_zoom_are_made_anew(tmp_path, monkeypatch, damage):
    net, recipe = conv_net(), deepdream(photo(3, 20, 24), steps=1, octaves=2)
    list(zoom_frames(net, LAYER, Zoom(recipe, n_frames=3), folder=tmp_path))
    objective = ph.Channel("conv2", 1) if damage == "unit" else LAYER
    options = {"share": {"share": 0.1}, "seed": {"seed": 7}}.get(damage, {})
    if damage == "file":
        (tmp_path / "0001.png").write_bytes(b"no picture")
    if damage == "foreign":
        store.write_png(tmp_path / "0001.png", np.zeros((20, 24, 3), np.uint8), {"versions": {}})
    seeds = counting(monkeypatch)
    list(zoom_frames(net, objective, Zoom(recipe, n_frames=3, **options), folder=tmp_path))
    assert seeds == {"share": [1, 2], "unit": [0, 1, 2], "seed": [7, 8, 9], "file": [1], "foreign": [1]}[damage]


@pytest.mark.parametrize("difference", ["torch", "python", "device", "threads", "dtype"])
def test_frames_that_were_made_elsewhere_are_made_anew(tmp_path, monkeypatch, difference):
    net, zoom = conv_net(), Zoom(deepdream(photo(3, 20, 24), steps=1, octaves=2), n_frames=2)
    list(zoom_frames(net, LAYER, zoom, folder=tmp_path))
    path = tmp_path / "0001.png"
    document, elsewhere = store.read_png_document(path), {"device": "cuda", "threads": 77, "dtype": "float64"}
    table = document if difference in elsewhere else document["versions"]
    table[difference] = elsewhere.get(difference, "0.0")
    store.write_png(path, store.read_png_pixels(path), document)
    seeds = counting(monkeypatch)
    list(zoom_frames(net, LAYER, zoom, folder=tmp_path, device="cpu"))
    assert seeds == [1]


def interrupted_at(monkeypatch, number: int) -> None:
    """A person breaks off in the first step of a frame."""
    render = zooming.render

    def break_off(*given, **options):
        def stop(n):
            raise KeyboardInterrupt

        return render(*given, **{**options, "progress": stop if options["seed"] == number else False})

    monkeypatch.setattr(zooming, "render", break_off)


def test_an_interrupt_leaves_the_whole_frames(tmp_path, monkeypatch):
    interrupted_at(monkeypatch, 2)
    zoom = Zoom(deepdream(photo(3, 20, 24), steps=3, octaves=2), n_frames=4)
    with pytest.raises(KeyboardInterrupt):
        list(zoom_frames(conv_net(), LAYER, zoom, folder=tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0000.png", "0001.png"]


def n_frames_of(path: Path) -> int:
    if path.suffix == ".mp4":
        return pytest.importorskip("imageio_ffmpeg").count_frames_and_secs(str(path))[0]
    with Image.open(path) as movie:
        return movie.n_frames


@pytest.mark.parametrize("name", ["zoom.gif", "zoom.mp4"])
def test_a_movie_holds_every_frame(tmp_path, name):
    pytest.importorskip("imageio_ffmpeg")
    zoom = Zoom(deepdream(photo(3, 20, 24), steps=1, octaves=2), n_frames=3)
    assert save_zoom(tmp_path / name, zoom_frames(conv_net(), LAYER, zoom), fps=5) == 3
    assert n_frames_of(tmp_path / name) == 3


def test_an_interrupt_leaves_a_movie_of_the_frames_so_far(tmp_path, monkeypatch):
    pytest.importorskip("imageio")
    interrupted_at(monkeypatch, 2)
    zoom = Zoom(deepdream(photo(3, 20, 24), steps=3, octaves=2), n_frames=4)
    with pytest.raises(KeyboardInterrupt):
        save_zoom(tmp_path / "zoom.gif", zoom_frames(conv_net(), LAYER, zoom))
    assert n_frames_of(tmp_path / "zoom.gif") == 2


def test_an_interrupt_in_the_first_frame_leaves_no_movie(tmp_path, monkeypatch):
    interrupted_at(monkeypatch, 0)
    zoom = Zoom(deepdream(photo(3, 20, 24), steps=3, octaves=2), n_frames=4)
    with pytest.raises(KeyboardInterrupt):
        save_zoom(tmp_path / "zoom.gif", zoom_frames(conv_net(), LAYER, zoom))
    assert list(tmp_path.iterdir()) == []


def test_noise_can_be_zoomed_into():
    recipe = ph.Recipe(
        parameterization=ph.Pixels(16, 20, range="none", decorrelate="none", start=ph.parameterizations.UniformStart()),
        optimizer=ph.optimizers.NormalizedAscent(lr=0.01),
        steps=1,
    )
    first, second = zoom_frames(conv_net(), LAYER, Zoom(recipe, n_frames=2))
    assert first.shape == second.shape == (16, 20, 3)
    assert first.std() > 50


def never():
    """Frames that must not be made."""
    pytest.fail("a frame was made for nothing")
    yield


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda recipe: Zoom(recipe, n_frames=0), ParameterError, "n_frames is 0"),
        (lambda recipe: Zoom(recipe, n_frames="a"), ArgumentError, "n_frames is 'a'; expected a whole number"),
        (lambda recipe: save_zoom("x.gif", never(), fps=51), ParameterError, "fps is 51; .* from 1 to 50 for a .gif"),
        (lambda recipe: save_zoom("x.avi", never()), ArgumentError, "no movie"),
        (lambda recipe: Zoom(recipe, share=1.0), ParameterError, "share is 1.0"),
        (lambda recipe: Zoom(tf_multiscale(16, 16)), ParameterError, "frames would grow; take a recipe that keeps"),
        (lambda recipe: save_zoom("x.gif", []), ParameterError, "there are no frames"),
        (lambda recipe: save_zoom("x.avi", [np.zeros((4, 4, 3), np.uint8)]), ArgumentError, "no movie"),
    ],
)
def test_what_does_not_fit_is_said(make, error, message):
    with pytest.raises(error, match=message):
        make(deepdream(photo(3, 12, 12)))
