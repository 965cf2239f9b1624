"""Multi-scale blurring: an oracle of its loop, and the feature maps that a photograph excites."""

from __future__ import annotations

import copy
import math
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import CPU, activations, conv_net, linear_net, nhwc_net, random_images, token_net

import phosphene as ph
from phosphene.errors import ImageError, MissingExtraError, ParameterError, UnknownLayerError
from phosphene.functional.random import Streams
from phosphene.optimizers import Adam
from phosphene.recipes.feature_maps import activations_and_reconstructions, most_activated
from phosphene.recipes.forty_lines import forty_lines
from phosphene.render.batches import stream_keys

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def statistics(channels: int) -> tuple[np.ndarray, np.ndarray]:
    mean, std = (MEAN, STD) if channels == 3 else (np.full(channels, MEAN.mean()), np.full(channels, STD.mean()))
    return mean[:, None, None], std[:, None, None]


def cubic(t: float, a: float = -0.75) -> float:
    t = abs(t)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0


def cubic_matrix(n: int, m: int) -> np.ndarray:
    """Row i holds the weights by which pixel i of m is made of n, the border repeated (cv2)."""
    weights = np.zeros((m, n))
    for i in range(m):
        at = (i + 0.5) * n / m - 0.5
        for k in range(math.floor(at) - 1, math.floor(at) + 3):
            weights[i, min(max(k, 0), n - 1)] += cubic(at - k)
    return weights


def box_matrix(n: int, side: int) -> np.ndarray:
    """Means of ``side`` pixels, mirrored about the border pixels."""
    weights = np.zeros((n, n))
    mirrored = np.pad(np.arange(n), (side // 2, (side - 1) // 2), mode="reflect")
    for i in range(n):
        for k in mirrored[i : i + side]:
            weights[i, k] += 1 / side
    return weights


def oracle(net, objective, size, *, scales, steps, blur, scale=1.2, late_factor=1.0) -> np.ndarray:
    """Normalise, a fresh Adam, denormalise, enlarge, blur; the image before the last enlargement, clipped."""
    module, channels = copy.deepcopy(net.module[:3]).double(), net.n_channels
    mean, std = statistics(channels)
    noise = Streams(stream_keys([objective]), 0, CPU).fork("start").uniform(channels, *size)[0].double().numpy()
    image = (150 + 30 * noise) / 255
    for number in range(scales):
        x = (image - mean) / std
        m, v = np.zeros_like(x), np.zeros_like(x)
        n_steps = int(steps * late_factor) if number > scales / 2 else steps
        for t in range(1, n_steps + 1):
            leaf = torch.tensor((x * std + mean)[None], requires_grad=True)
            (-module(leaf)[0, objective.index].mean()).backward()
            g = leaf.grad[0].numpy() * std + 1e-6 * x
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
            x = x - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        image = last = x * std + mean
        size = (int(scale * image.shape[1]), int(scale * image.shape[2]))
        image = cubic_matrix(last.shape[1], size[0]) @ image @ cubic_matrix(last.shape[2], size[1]).T
        if blur is not None:
            image = box_matrix(size[0], blur) @ image @ box_matrix(size[1], blur).T
    return last.clip(0, 1)


@pytest.mark.parametrize(
    ("channels", "size", "options"),
    [
        (3, (9, 11), {"scales": 4, "steps": 3, "blur": 5}),
        (1, (12, 7), {"scales": 3, "steps": 3, "blur": None, "late_factor": 1.5}),
        (5, (10, 10), {"scales": 3, "steps": 2, "blur": 2, "scale": 1.3}),
    ],
)
def test_the_loop_is_the_published_one(channels, size, options):
    net, units = conv_net(channels), [ph.Channel("conv2", 0), ph.Channel("conv2", 3)]
    recipe = forty_lines(*size, channels, **options)
    result = ph.render(net, units, recipe=recipe, dtype=torch.float64, progress=False)
    for row, unit in enumerate(units):
        expected = oracle(net, unit, size, **options)
        assert np.abs(result.images[row].numpy() - expected).max() < 1e-7


def test_the_sizes_go_from_56_to_408():
    sizes = (56, 67, 80, 96, 115, 138, 165, 198, 237, 284, 340, 408)
    assert forty_lines().sizes == tuple((n, n) for n in sizes)
    assert forty_lines().stage_steps == (20,) * 12
    assert forty_lines(late_factor=1.3).stage_steps == (20,) * 7 + (26,) * 5


def test_the_defaults_are_the_published_ones():
    recipe = forty_lines()
    assert recipe.optimizer == Adam(lr=0.1, weight_decay=1e-6)
    assert (recipe.stages.blur, recipe.stages.convention, recipe.finish) == (5, "bicubic", "clip")
    assert "Graetz" in recipe.citation()
    assert ph.Recipe.from_json(recipe.to_json()) == recipe


def test_without_a_blur_a_constant_image_and_a_sharp_one_are_only_resized():
    recipe = forty_lines(8, 6, scales=2, steps=0, blur=None)
    image = random_images(1, 3, (8, 6), dtype=torch.float32)[0]
    recipe = replace(recipe, parameterization=replace(recipe.parameterization, start=image), finish="none")
    result = ph.render(conv_net(), ph.Channel("conv2", 0), recipe=recipe, progress=False).images[0].numpy()
    expected = cubic_matrix(8, 9) @ image.numpy() @ cubic_matrix(6, 7).T
    assert np.abs(result - expected).max() < 1e-6
    blurred = replace(recipe, stages=replace(recipe.stages, blur=3))
    result = ph.render(conv_net(), ph.Channel("conv2", 0), recipe=blurred, progress=False).images[0].numpy()
    assert np.abs(result - box_matrix(9, 3) @ expected @ box_matrix(7, 3).T).max() < 1e-6


def test_the_start_is_grey_noise_from_150_to_180():
    image = ph.render(conv_net(), ph.Channel("conv2", 0), recipe=forty_lines(scales=1, steps=0), progress=False).images
    assert 150 <= 255 * float(image.min()) < 151
    assert 179 < 255 * float(image.max()) <= 180


def test_no_hook_is_left():
    net, image = conv_net(), random_images(1, 3, (12, 10))[0]
    activations_and_reconstructions(net, image, "conv2", top=1, recipe=forty_lines(6, 6, scales=2), progress=False)
    assert all(not module._forward_hooks for module in net.module.modules())


@pytest.mark.parametrize("size", [(12, 10), (31, 17)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_most_activated_maps_are_the_means_over_rows_and_columns(channels, size):
    net, image = conv_net(channels), random_images(1, channels, size, dtype=torch.float32)[0]
    expected = activations(net, "conv2", image[None]).mean((2, 3))[0].float()
    torch.testing.assert_close(most_activated(net, image, "conv2"), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("net", "layer", "axes"), [(token_net(), "mix", (1,)), (nhwc_net(), "norm", (1, 2))])
def test_maps_of_tokens_and_of_channels_last_are_means_over_their_positions(net, layer, axes):
    image = random_images(1, 3, net.input_size, dtype=torch.float32)[0]
    expected = activations(net, layer, image[None]).mean(axes)[0].float()
    torch.testing.assert_close(most_activated(net, image, layer), expected, rtol=1e-4, atol=1e-6)


def test_a_network_of_one_size_gets_the_middle_of_the_photograph():
    net, middle = linear_net(), random_images(1, 3, (6, 5), dtype=torch.float32)[0]
    around = torch.nn.functional.pad(middle, (2, 2))  # the largest window of its side ratio is the middle itself
    assert torch.equal(most_activated(net, around, "out"), most_activated(net, middle, "out"))


def test_the_top_maps_are_drawn_most_active_first():
    net, image = conv_net(), random_images(1, 3, (12, 10), dtype=torch.float32)[0]
    maps = activations_and_reconstructions(
        net, image, "conv2", top=3, recipe=forty_lines(6, 6, scales=2), progress=False
    )
    order = maps.activations.argsort(descending=True)[:3].tolist()
    assert maps.top == tuple(order)
    assert maps.result.names == tuple(f"conv2:{i}" for i in order)
    assert maps.result.images.shape == (3, 3, 7, 7)
    threshold = float(maps.activations.sort().values[2])
    assert maps.above(threshold) == tuple(i for i, a in enumerate(maps.activations.tolist()) if a > threshold)
    alone = ph.render(net, ph.Channel("conv2", order[1]), recipe=forty_lines(6, 6, scales=2), progress=False)
    torch.testing.assert_close(maps.result.images[1], alone.images[0], rtol=0, atol=1e-5)


def test_four_maps_are_drawn_by_the_published_method_unless_said_otherwise():
    net = conv_net(1)
    image = random_images(1, 1, (12, 10), dtype=torch.float32)[0]
    maps = activations_and_reconstructions(net, image, "conv1", progress=False)
    assert maps.result.images.shape == (4, 1, 408, 408)


def test_the_plot_shows_the_curve_and_marks_the_top_maps():
    net, image = conv_net(), random_images(1, 3, (12, 10), dtype=torch.float32)[0]
    maps = activations_and_reconstructions(
        net, image, "conv2", top=2, recipe=forty_lines(6, 6, scales=2), progress=False
    )
    curve, *marks = maps.plot().axes[0].lines
    assert np.array_equal(curve.get_ydata(), maps.activations.numpy())
    assert [mark.get_xdata()[0] for mark in marks] == list(maps.top)


def test_without_matplotlib_the_plot_says_how_to_get_it(monkeypatch):
    net, image = conv_net(), random_images(1, 3, (12, 10), dtype=torch.float32)[0]
    maps = activations_and_reconstructions(
        net, image, "conv2", top=1, recipe=forty_lines(6, 6, scales=1), progress=False
    )
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"plot\(\) needs the extra 'plot'"):
        maps.plot()


@pytest.mark.parametrize(
    ("image", "layer", "top", "error", "message"),
    [
        (
            torch.zeros(3, 12, 10),
            "conv2",
            7,
            ParameterError,
            "top is 7; expected a whole number from 1 to the layer's 6",
        ),
        (torch.zeros(3, 12, 10), "conv2", 0, ParameterError, "top is 0"),
        (torch.zeros(1, 12, 10), "conv2", 1, ImageError, "the image has 1 channels; Sequential takes 3"),
        (torch.zeros(12, 10), "conv2", 1, ImageError, "the image has shape"),
        (torch.zeros(3, 12, 10), "conv9", 1, UnknownLayerError, "no layer 'conv9'"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(image, layer, top, error, message):
    with pytest.raises(error, match=message):
        activations_and_reconstructions(conv_net(), image, layer, top=top, progress=False)
