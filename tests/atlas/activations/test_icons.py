"""Icons are pictures of directions, the best of several attempts, and kept."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import networks
import numpy as np
import pytest
import torch
from planes import QUICK

from phosphene._types import FrozenArray
from phosphene.atlas.activations import Icons
from phosphene.atlas.activations.icons import made
from phosphene.blocks import Pictures
from phosphene.blocks.icons import cell_of_grid
from phosphene.errors import ParameterError
from phosphene.objectives import TensorDirection
from phosphene.render import display, render
from phosphene.store.webp import decode_webp

NET = networks.conv_net()


def directions(n: int = 3) -> np.ndarray:
    vectors = np.random.default_rng(0).normal(size=(n, 6)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def objective(direction: np.ndarray) -> TensorDirection:
    rounded = FrozenArray.of((np.round(direction * 1024) / 1024).reshape(6, 1, 1))
    return TensorDirection("conv2", rounded, cossim_power=2.0)


def picture(direction: np.ndarray, attempts: int, steps: int = 2) -> list[np.ndarray]:
    """The attempts at a direction as phosphene's own door renders them."""
    found = render(
        NET, [objective(direction)] * attempts, recipe=cell_of_grid(NET, "conv2", size=12, steps=steps), progress=False
    )
    return [display.to_uint8(image) for image in found.images]


def test_an_icon_is_the_render_of_its_direction() -> None:
    found = made(NET, "conv2", 7 * directions(), icons=QUICK, progress=False)
    for icon, direction in zip(found, directions(), strict=True):
        assert icon.status == "ok"
        assert icon.image is not None
        assert np.abs(decode_webp(icon.image).astype(int) - picture(direction, 1)[0]).max() <= 1


def test_of_several_attempts_one_is_kept_that_no_other_beats() -> None:
    (direction,) = directions(1)
    tried = picture(direction, 4, steps=24)
    values = torch.stack([torch.from_numpy(one).permute(2, 0, 1) / 255 for one in tried])
    scores = networks.scores(NET, [objective(direction)] * 4, values)
    (icon,) = made(NET, "conv2", direction[None], icons=replace(QUICK, attempts=4, steps=24), progress=False)
    assert icon.image is not None
    best = tried[int(scores.argmax())]
    assert np.abs(decode_webp(icon.image).astype(int) - best).max() <= 1
    assert scores.max() > scores.min()


def test_a_mean_of_zero_has_no_picture_and_says_so() -> None:
    vectors = directions()
    vectors[1] = 0
    first, second, third = made(NET, "conv2", vectors, icons=QUICK, progress=False)
    assert (second.image, second.status) == (None, "dead: the mean of its activations is zero")
    assert [first, third] == made(NET, "conv2", vectors[[0, 2]], icons=QUICK, progress=False)
    assert made(NET, "conv2", np.zeros((2, 6), np.float32), icons=QUICK, progress=False) == [second, second]
    assert made(NET, "conv2", vectors[:0], icons=QUICK, progress=False) == []


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_picture_without_a_score_is_left_out() -> None:
    broken = networks.conv_net()
    with torch.no_grad():
        broken.module.get_submodule("conv2").weight[:] = torch.nan
    (icon,) = made(broken, "conv2", directions(1), icons=QUICK, progress=False)
    assert (icon.image, icon.status) == (None, "not_finite: the picture has no score that is a number")


def test_icons_are_kept_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, icons = Pictures(tmp_path), replace(QUICK, attempts=2)
    first = made(NET, "conv2", directions(), icons=icons, pictures=kept, progress=False)
    assert len(list(tmp_path.rglob("*.png"))) == 6
    monkeypatch.setattr("phosphene.blocks.pictures.run_jobs", None)
    assert made(NET, "conv2", directions(), icons=icons, pictures=kept, progress=False) == first


@pytest.mark.parametrize("make", [networks.token_net, networks.linear_net, networks.nhwc_net])
def test_layers_of_other_layouts_and_networks_of_one_size_have_icons(make) -> None:
    net = make()
    layer = "mix" if make is networks.token_net else "out" if make is networks.linear_net else "norm"
    n = net.layer(layer).n_channels
    vectors = np.eye(n, dtype=np.float32)[:2]
    found = made(net, layer, vectors, icons=replace(QUICK, attempts=2), progress=False)
    assert [icon.status for icon in found] == ["ok", "ok"]
    assert found[0].image != found[1].image


def test_one_channel_makes_a_grey_icon() -> None:
    net = networks.conv_net(channels=1)
    (icon,) = made(net, "conv2", directions(1), icons=QUICK, progress=False)
    assert icon.image is not None
    pixels = decode_webp(icon.image)
    assert (pixels == pixels[:, :, :1]).all()


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            {"size": 0},
            {"size": 96.5},
            {"steps": 0},
            {"attempts": 0},
            {"attempts": 1.5},
            {"least": 0},
            {"quality": 101},
        ),
        *({"cossim_power": -1.0}, {"cossim_power": math.nan}, {"ridge": -0.1}, {"ridge": math.inf}),
    ],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        Icons(**wrong)


def test_icons_say_how_they_are_made() -> None:
    assert str(Icons()).startswith("96 × 96 px, 128 steps, the best of 2 attempts, power 2 of the cosine")
    assert str(Icons()).endswith("directions whitened, ridge 3")
    assert str(replace(Icons(), ridge=0.001)).endswith("directions whitened, ridge 0.001")
    assert str(replace(Icons(), whiten=False)).endswith("directions not whitened")
    assert "one attempt" in str(replace(Icons(), attempts=1))
