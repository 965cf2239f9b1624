"""DeepDream in Caffe against a slow, literal re-implementation, and what must hold of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from dreaming import Array, dreamed, gradient_of, photo
from networks import (
    CPU,
    SIZE,
    activations,
    conv_net,
    linear_net,
    look,
    nhwc_net,
    random_images,
    scores,
    seeded,
    streams,
    token_net,
    wrapped,
)
from torch import nn

import phosphene as ph
from phosphene import store
from phosphene._types import FrozenArray
from phosphene.conditioners import Tiles
from phosphene.errors import ArgumentError, ImageError, LayoutError, ParameterError, UnknownLayerError
from phosphene.objectives import Guide
from phosphene.recipes.deepdream import METHODS, deepdream, dream, dream_of, guided_by
from phosphene.recipes.photograph import fitted_to, pixels_of, started_from
from phosphene.render.finish import finished


def nd_zoom(array: Array, size: tuple[int, int]) -> Array:
    """``scipy.ndimage.zoom`` of order 1 over the last two axes: corners map to corners."""
    for axis, n in zip((-2, -1), size, strict=True):
        extent = array.shape[axis]
        at = np.arange(n) * ((extent - 1) / (n - 1) if n > 1 else 0.0)
        array = np.apply_along_axis(lambda line, at=at, m=extent: np.interp(at, np.arange(m), line), axis, array)
    return array


def caffe_deepdream(image, gradient, shifts, *, mean, n_iterations, n_octaves, scale, step, clip):
    """``deepdream`` and ``make_step`` of the published notebook, on (c, h, w) in 0 … 255."""
    bias = np.array(mean)[:, None, None]
    octaves = [image - bias]
    for _ in range(n_octaves - 1):
        size = tuple(round(n * (1.0 / scale)) for n in octaves[-1].shape[1:])
        octaves.append(nd_zoom(octaves[-1], size))
    shifts = iter(shifts)
    detail = np.zeros_like(octaves[-1])
    for base in octaves[::-1]:
        if detail.shape != base.shape:
            detail = nd_zoom(detail, base.shape[1:])
        source = base + detail
        for _ in range(n_iterations):
            oy, ox = next(shifts)
            source = np.roll(np.roll(source, ox, -1), oy, -2)
            g = gradient(source + bias)
            source = source + step / np.abs(g).mean() * g
            source = np.roll(np.roll(source, -ox, -1), -oy, -2)
            if clip:
                source = np.clip(source, -bias, 255 - bias)
        detail = source - base
    assert next(shifts, None) is None
    return source + bias


@pytest.mark.parametrize(("height", "width", "channels"), [(24, 31, 3), (27, 20, 1), (21, 21, 5)])
@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("jitter", [0, 7])
def test_the_recipe_is_the_published_program(height, width, channels, clip, jitter):
    net, image = conv_net(channels), photo(channels, height, width)
    recipe = deepdream(image, steps=3, step=20 / 255, octaves=3, scale=1.4, jitter=jitter, clip=clip)
    made = dreamed(net, ph.Layer("conv2"), recipe)
    # The published objective is half the sum of squares: its gradient is the activation itself.
    gradient = gradient_of(net, "conv2", lambda a: 0.5 * a.square().sum())
    expected = caffe_deepdream(
        image.double().numpy() * 255,
        gradient,
        made.shifts or [(0, 0)] * 9,
        mean=(104.0, 116.0, 122.0, 90.0, 80.0)[:channels],
        n_iterations=3,
        n_octaves=3,
        scale=1.4,
        step=20.0,
        clip=clip,
    )
    assert np.abs(made.image - expected / 255).max() < 1e-8
    assert (expected.min() < 0 or expected.max() > 255) is not clip
    assert len({*made.shifts}) > 3 or jitter == 0


def test_several_layers_are_climbed_at_once():
    net, image = conv_net(), photo(3, 20, 26)
    made = dreamed(net, dream_of(net, ["conv1", "conv2"]), deepdream(image, steps=2, octaves=2, jitter=0))
    first = gradient_of(net, "conv1", lambda a: a.square().mean())
    second = gradient_of(net, "conv2", lambda a: a.square().mean())
    options = {"n_iterations": 2, "n_octaves": 2, "scale": 1.4, "step": 1.5, "clip": True, "mean": (0.0,) * 3}
    both = caffe_deepdream(image.double().numpy() * 255, lambda x: first(x) + second(x), [(0, 0)] * 4, **options)
    assert np.abs(made.image - both / 255).max() < 1e-8


def test_the_gradient_of_half_the_sum_of_squares_is_the_activation():
    a = random_images(2, 3, (4, 5)).requires_grad_()
    (slope,) = torch.autograd.grad(0.5 * a.square().sum(), a)
    assert torch.equal(slope, a)


def test_the_defaults_are_the_published_ones():
    recipe = deepdream(photo(3, 40, 30))
    assert recipe.steps == 10
    assert recipe.stages == ph.stages.Octaves(4, 1.4, "ndzoom")
    assert recipe.transforms == (ph.transforms.Jitter(32, "roll"),)
    assert recipe.optimizer == ph.optimizers.NormalizedAscent(lr=1.5 / 255, norm="mean_abs", eps=0.0)
    assert recipe.projections == (ph.projections.Clip(0.0, 1.0),)
    assert recipe.finish == "clip"
    assert "mordvintsev2015inceptionism" in recipe.citation()
    assert METHODS[0].start == "photograph"


@pytest.mark.parametrize("octaves", [1, 4])
@pytest.mark.parametrize("clip", [True, False])
def test_no_steps_give_the_photograph_back_exactly(octaves, clip):
    image = photo(3, 31, 44)
    recipe = deepdream(image, steps=0, octaves=octaves, clip=clip)
    assert np.array_equal(dreamed(conv_net(), ph.Layer("conv2"), recipe).image, image.double().numpy())


@pytest.mark.parametrize("step", [1.5 / 255, 0.01])
def test_an_unclipped_step_changes_values_by_the_step_on_average(step):
    image = photo(3, 18, 25)
    recipe = deepdream(image, steps=1, octaves=1, step=step, clip=False)
    made = dreamed(conv_net(), ph.Layer("conv2"), recipe)
    assert np.abs(made.image - image.double().numpy()).mean() == pytest.approx(step, rel=1e-12)


def test_the_size_of_the_objective_does_not_matter():
    net, recipe = conv_net(), deepdream(photo(3, 18, 25), steps=2, octaves=2)
    one, thousand = (dreamed(net, factor * ph.Layer("conv2"), recipe).image for factor in (1.0, 1000.0))
    assert np.abs(one - thousand).max() < 1e-12


def test_tiles_replace_the_jitter():
    recipe = deepdream(photo(3, 30, 30), tiles=Tiles(16, 16))
    assert recipe.transforms == ()
    assert recipe.tiles == Tiles(16, 16)
    assert deepdream(photo(3, 30, 30)) == deepdream(photo(3, 30, 30), jitter=32)


@pytest.mark.parametrize("jitter", [0, 32])
def test_a_jitter_beside_tiles_is_refused(jitter):
    with pytest.raises(ArgumentError, match=rf"jitter is {jitter}, but tiles shift the image by themselves"):
        deepdream(photo(3, 30, 30), tiles=Tiles(16, 16), jitter=jitter)


def test_unclipped_values_are_shown_by_their_percentile():
    recipe = deepdream(photo(3, 30, 30), clip=False)
    assert recipe.projections == ()
    assert recipe.finish == "percentile"


@pytest.mark.parametrize(("n", "channels", "size"), [(1, 3, (40, 60)), (3, 1, (7, 5)), (2, 5, (101, 83))])
def test_the_percentile_is_that_of_the_published_display(n, channels, size):
    images = 1.5 * random_images(n, channels, size) - 0.2
    shown = finished(images, "percentile").numpy()
    for image, made in zip(images.numpy(), shown, strict=True):
        # showarray(vis * (255 / np.percentile(vis, 99.98))), which cuts off what lies beyond.
        assert np.abs(np.clip(image / np.percentile(image, 99.98), 0, 1) - made).max() < 1e-12


def test_a_picture_without_light_stays_black():
    assert (finished(torch.zeros(1, 3, 4, 4), "percentile") == 0).all()


@pytest.mark.parametrize("views", [1, 3])
def test_jitter_rolls_by_whole_pixels_exactly(views):
    images = random_images(2, 3, (15, 22))
    seen = look([ph.transforms.Jitter(40, "roll")], images, views=views, step=2)
    assert seen.shape == (2 * views, 3, 15, 22)
    for row, view in enumerate(seen):
        rolls = [images[row // views].roll((y, x), (1, 2)) for y in range(15) for x in range(22)]
        assert sum(torch.equal(view, rolled) for rolled in rolls) == 1


def test_a_recipe_keeps_its_photograph_in_its_document():
    recipe = deepdream(photo(3, 12, 17))
    assert ph.Recipe.from_json(recipe.to_json()) == recipe


def test_a_saved_dream_is_replayed_bit_for_bit(tmp_path):
    net = ph.load("efficientnet_lite0")
    result = dream(net, photo(3, 40, 56), "blocks.1", recipe=deepdream(photo(3, 40, 56), steps=2), progress=False)
    (path,) = result.save(tmp_path / "dream.png")
    assert ph.replay(path, progress=False).identical


# Guided dreams


def literal_guide(x: Array, y: Array) -> Array:
    """``diff = y[:, A.argmax(1)]`` with A = xᵀy, position by position."""
    diff = np.zeros_like(x)
    for p in range(x.shape[1]):
        best, match = -math.inf, 0
        for k in range(y.shape[1]):
            dot = float(sum(x[c, p] * y[c, k] for c in range(len(x))))
            if dot > best:
                best, match = dot, k
        diff[:, p] = y[:, match]
    return diff


@pytest.mark.parametrize("guide_size", [SIZE, (9, 14)])
def test_a_guided_dream_is_the_published_program(guide_size):
    net, image, guide = conv_net(), photo(3, 14, 18), photo(3, *guide_size, seed=5)
    made = dreamed(net, dream_of(net, "conv2", guide), deepdream(image, steps=2, octaves=2, jitter=5))
    y = activations(net, "conv2", guide[None]).flatten(2)[0].float().double().numpy()

    def score(a: torch.Tensor) -> torch.Tensor:
        diff = literal_guide(a.detach().flatten(2)[0].numpy(), y)
        return (a.flatten(2)[0] * torch.from_numpy(diff)).sum()

    expected = caffe_deepdream(
        image.double().numpy() * 255,
        gradient_of(net, "conv2", score),
        made.shifts,
        mean=(0.0,) * 3,
        n_iterations=2,
        n_octaves=2,
        scale=1.4,
        step=1.5,
        clip=True,
    )
    # The guide's features are kept in single precision.
    assert np.abs(made.image - expected / 255).max() < 1e-5


def test_a_guide_that_is_the_image_matches_itself():
    net, image = wrapped(seeded(nn.Sequential(nn.Conv2d(3, 300, 3, padding=1)), 3)), photo(3, 6, 5)
    guide = guided_by(net, image, "0")
    unit = guide.features.tensor() / guide.features.tensor().norm(dim=0)
    alike = Guide("0", FrozenArray.of(unit))  # of unit vectors each is its own best match
    here = activations(net, "0", image[None])
    expected = (here.flatten(2)[0] * unit.double()).sum()
    assert scores(net, [alike], image[None].double())[0].item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(("net", "layer"), [(conv_net(), "conv2"), (nhwc_net(), "norm"), (token_net(), "mix")])
def test_a_guides_features_are_its_activations(net, layer):
    image = photo(3, *net.input_size)
    features = guided_by(net, image, layer).features
    here = activations(net, layer, image[None])[0]
    table = here.flatten(1) if net.layer(layer).layout == "NCHW" else here.reshape(-1, here.shape[-1]).T
    assert torch.allclose(features.tensor(dtype=torch.float64), table, atol=1e-5)


def test_a_network_of_fixed_size_sees_the_guide_at_that_size():
    net = linear_net()
    assert guided_by(net, photo(3, 20, 30), "out").features.shape == (4, 1)


def test_a_guide_draws_its_features():
    net, image, guide = conv_net(), photo(3, 20, 20), photo(3, 16, 16, seed=3)
    toward = dream_of(net, "conv2", guide)
    before = dream(net, image, toward, recipe=deepdream(image, steps=0), progress=False)
    after = dream(net, image, "conv2", guide=guide, progress=False)
    assert after.final_scores[0] > before.final_scores[0]


# What can be asked for


def test_layers_are_named_or_given_as_objectives():
    net = conv_net()
    assert dream_of(net, "conv2") == ph.Layer("conv2")
    assert dream_of(net, ph.Channel("conv2", 3)) == ph.Channel("conv2", 3)
    assert dream_of(net, ["conv1", ph.Channel("conv2", 3)]) == ph.Layer("conv1") + ph.Channel("conv2", 3)
    assert isinstance(dream_of(net, ph.Layer("conv2"), photo(3, 8, 8)), Guide)


def test_a_dream_follows_the_recipe_from_its_own_image():
    net, image = conv_net(), photo(3, 16, 22)
    other = deepdream(photo(3, 8, 8), steps=1, octaves=2)
    assert dream(net, image, "conv2", recipe=other, progress=False).images.shape == (1, 3, 16, 22)
    assert started_from(other, image) == deepdream(image, steps=1, octaves=2)


def test_equal_seeds_give_equal_dreams_and_others_different_ones():
    net, image = conv_net(), photo(3, 16, 22)
    a, b, c = (dream(net, image, "conv2", seed=seed, progress=False).images for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda net: dream(net, torch.zeros(8, 8), "conv2"), ImageError, r"shape \(8, 8\); expected \(channels"),
        (lambda net: dream(net, torch.full((3, 8, 8), 2.0), "conv2"), ImageError, r"from 2 to 2; expected \[0, 1\]"),
        (lambda net: dream(net, "cat.jpg", "conv2"), ArgumentError, "expected numbers, an array or a tensor"),
        (lambda net: dream(net, photo(3, 8, 8), "conv9"), UnknownLayerError, "no layer 'conv9'"),
        (lambda net: dream(net, photo(3, 8, 8), []), ParameterError, "nothing to dream of"),
        (lambda net: dream(net, photo(3, 8, 8), 7), TypeError, "not iterable"),
        (lambda net: dream(net, photo(3, 8, 8), [7]), ArgumentError, "name of a layer.*got 7"),
        (
            lambda net: dream(net, photo(3, 8, 8), ph.Channel("conv2", 1), guide=photo(3, 8, 8)),
            ArgumentError,
            "a guide leads whole layers; give a layer's name, not conv2:1",
        ),
        (lambda net: guided_by(net, photo(3, 8, 8), "conv9"), UnknownLayerError, "no layer 'conv9'"),
        (lambda net: deepdream(photo(3, 8, 8), octaves=20, scale=4.0), ParameterError, "leave no pixels"),
        (lambda net: started_from(deepdream(photo(3, 8, 8)), photo(1, 8, 8)), ImageError, "the image has 1 channels"),
        (
            lambda net: started_from(ph.Recipe(parameterization=ph.parameterizations.CPPN(8, 8)), photo(3, 8, 8)),
            ArgumentError,
            "cannot start from an image; use ph.Pixels",
        ),
    ],
)
def test_what_does_not_fit_is_said(call, error, message):
    with pytest.raises(error, match=message):
        call(conv_net())


def test_a_layer_without_channels_leads_no_dream():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.fold = nn.Unflatten(1, (1, 3))

        def forward(self, x):
            return self.fold(x).flatten(1)

    with pytest.raises(LayoutError, match="no channel axis"):
        guided_by(wrapped(Odd()), photo(3, 8, 8), "fold")


def test_a_photograph_is_shown_exactly():
    image = photo(3, 9, 14)
    canvas = pixels_of(image).build(1, streams(1).fork("start"), device=CPU, dtype=torch.float32)
    assert torch.equal(canvas()[0], image)


@pytest.mark.parametrize(("size", "longest", "expected"), [((30, 41), 20, (15, 20)), ((41, 30), 82, (82, 60))])
def test_a_photograph_is_fitted_by_its_longer_side(size, longest, expected):
    made = fitted_to(torch.full((3, *size), 0.2), longest)
    assert made.shape == (3, *expected)
    assert torch.equal(made, torch.full_like(made, 51 / 255))


def test_a_photograph_of_no_size_is_refused():
    with pytest.raises(ParameterError, match="longest is 0"):
        fitted_to(photo(3, 8, 8), 0)


def test_a_file_is_read(tmp_path):
    from phosphene.store.photographs import read_image

    pixels = (photo(3, 10, 12).permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    store.write_png(tmp_path / "photo.png", pixels)
    image = read_image(tmp_path / "photo.png")
    assert torch.equal(image, photo(3, 10, 12))
