"""Activations are those that the network has at the points that were drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import networks
import numpy as np
import pytest
import torch
from torch import nn

import phosphene as ph
from phosphene.atlas.activations.drawing import Draw, planned
from phosphene.atlas.activations.sampling import sampled
from phosphene.collection.sources import open_source
from phosphene.errors import ImageError, LayoutError, NetworkError, UnknownLayerError

#: Networks, a layer of each, its grid, and how its output becomes (n, rows, columns, channels).
CASES: dict[str, tuple[Callable[[], ph.Network], str, tuple[int, int], Callable[[torch.Tensor], torch.Tensor]]] = {
    "NCHW": (networks.conv_net, "conv2", (6, 5), lambda a: a.permute(0, 2, 3, 1)),
    "NHWC": (networks.nhwc_net, "norm", (6, 5), lambda a: a),
    "NLC": (networks.token_net, "mix", (3, 2), lambda a: a.unflatten(1, (3, 2))),
    "NC": (networks.conv_net, "classifier", (1, 1), lambda a: a[:, None, None]),
}


@pytest.mark.parametrize("layout", CASES)
def test_vectors_are_the_activations_at_the_drawn_positions(layout: str) -> None:
    make, layer, (rows, columns), spread = CASES[layout]
    net = make()
    images = networks.random_images(21, 3, net.input_size, dtype=torch.float32)
    draw = Draw(rows, columns, min(4, rows * columns), seed=5)
    found = sampled(net, layer, open_source(images), draw=draw, most=10**6)
    grid = spread(networks.activations(net, layer, images))
    assert grid.shape[1:3] == (rows, columns)
    for vector, image, point in zip(found.vectors, found.images, found.points, strict=True):
        y, x = draw.points(int(image))[int(point)].tolist()
        expected = grid[int(image), int(y * rows), int(x * columns)]
        assert np.allclose(vector, expected, atol=1e-5)
    assert found.images.tolist() == np.repeat(np.arange(21), draw.n_points).tolist()


def test_points_of_a_photograph_lie_in_different_squares_and_depend_on_nothing_else() -> None:
    draw = Draw(3, 4, 12, seed=1)
    squares = {(int(y * 3), int(x * 4)) for y, x in draw.points(7).tolist()}
    assert len(squares) == 12
    assert torch.equal(draw.points(7), Draw(3, 4, 12, seed=1).points(7))
    assert not torch.equal(draw.points(7), draw.points(8))
    assert not torch.equal(draw.points(7), Draw(3, 4, 12, seed=2).points(7))
    points = torch.stack([Draw(3, 4, 1, seed=0).points(i)[0] for i in range(2000)])
    assert points.min() >= 0
    assert points.max() < 1
    assert torch.allclose(points.mean(0), torch.full((2,), 0.5, dtype=torch.float64), atol=0.03)


@pytest.mark.parametrize(("n_images", "n", "points"), [(20, 100, 5), (20, 101, 6), (20, 20, 1), (20, 10**6, 30)])
def test_fewer_photographs_than_activations_give_several_each(n_images: int, n: int, points: int) -> None:
    source = open_source([np.zeros((4, 4, 3), np.uint8)] * n_images)
    some, draw = planned(source, n, (6, 5), seed=0)
    assert some.n == n_images
    assert draw.n_points == points


def test_of_more_photographs_some_are_chosen_in_their_order() -> None:
    images = [np.full((4, 4, 3), i, np.uint8) for i in range(100)]
    some, draw = planned(open_source(images), 30, (6, 5), seed=0)
    other, _ = planned(open_source(images), 30, (6, 5), seed=1)
    numbers = [int(some.key(i)) for i in range(30)]
    assert (some.n, draw.n_points) == (30, 1)
    assert numbers == sorted(set(numbers))
    assert numbers != [int(other.key(i)) for i in range(30)]
    assert some.again is not None
    assert [int(some.again(i)[0, 0, 0]) for i in range(30)] == numbers
    assert [int(some.opened(0)(i)[0, 0, 0]) for i in range(30)] == numbers


def test_a_stream_gives_one_activation_each_until_there_are_enough() -> None:
    net = networks.conv_net()
    images = networks.random_images(200, 3, net.input_size, dtype=torch.float32)
    taken: list[int] = []

    def stream():
        for i, image in enumerate(images):
            taken.append(i)
            yield image

    some, draw = planned(open_source(stream()), 20, (6, 5), seed=0)
    found = sampled(net, "conv2", some, draw=draw, most=20)
    assert draw.n_points == 1
    assert 20 <= len(found) < 64
    assert len(taken) < 120


def test_what_cannot_be_read_is_counted_and_keys_are_paths(tmp_path: Path) -> None:
    from phosphene import store

    for i in range(3):
        store.write_png(tmp_path / "some" / f"{i}.png", np.full((12, 10, 3), 60 * i, np.uint8))
    (tmp_path / "some" / "1.png").write_bytes(b"no picture")
    shown: list[int] = []
    found = sampled(
        networks.conv_net(), "conv2", open_source(tmp_path), draw=Draw(6, 5, 2, 0), most=99, advance=shown.append
    )
    assert found.keys == {0: "some/0.png", 2: "some/2.png"}
    assert found.n_skipped == 1
    assert sum(shown) == 3
    only = found.rows(np.array([3]))
    assert (only.keys, len(only)) == ({2: "some/2.png"}, 1)


def test_nothing_that_can_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(ImageError, match="no photograph could be read from folder"):
        sampled(networks.conv_net(), "conv2", open_source(tmp_path), draw=Draw(6, 5, 1, 0), most=9)


def test_activations_that_are_no_numbers_are_refused() -> None:
    net = networks.conv_net()
    with torch.no_grad():
        net.module.get_submodule("conv2").weight[0] = torch.nan
    images = networks.random_images(2, 3, net.input_size, dtype=torch.float32)
    with pytest.raises(NetworkError, match="values that are not finite"):
        sampled(net, "conv2", open_source(images), draw=Draw(6, 5, 1, 0), most=9)


def test_layers_that_are_none_or_have_no_channels_are_refused() -> None:
    class Odd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, :, :, :, None]

    images = networks.random_images(1, 3, (12, 10), dtype=torch.float32)
    with pytest.raises(UnknownLayerError, match="conv2"):
        sampled(networks.conv_net(), "conv3", open_source(images), draw=Draw(1, 1, 1, 0), most=9)
    net = networks.wrapped(nn.Sequential(Odd(), nn.Flatten()))
    with pytest.raises(LayoutError, match="no channel axis that is known"):
        sampled(net, "0", open_source(images), draw=Draw(1, 1, 1, 0), most=9)
