"""DeepDream in TensorFlow against a slow, literal re-implementation, and what must hold of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from dreaming import Array, dreamed, gradient_of, photo
from networks import conv_net, seeded, wrapped
from torch import nn

import phosphene as ph
from phosphene.conditioners import LaplacianNormalize, Tiles
from phosphene.recipes.deepdream_tensorflow import METHODS, tf_deepdream, tf_lapnorm, tf_multiscale, tf_naive
from phosphene.render.slopes import Tiled

CHANNEL = ph.Channel("conv2", 2)
LAYER = ph.Layer("conv2")
# The program's tiles in all but their size.
SMALL = Tiles(16, 16, mode="tensorflow")

Gradient = Callable[[Array], Array]


def gradients(channels: int) -> dict[str, Gradient]:
    net = conv_net(channels)
    return {
        "channel": gradient_of(net, "conv2", lambda a: a[:, 2].mean()),
        "layer": gradient_of(net, "conv2", lambda a: a.square().mean()),
    }


# The published functions, on (h, w, c) in 0 … 255 with plain loops; networks of (c, h, w) are turned for.


def resize(image: Array, size) -> Array:
    """Bilinear, as TensorFlow 1 places its samples: output i at i · in / out, the last pixel repeated."""
    height, width = (int(n) for n in size)
    made = np.zeros((height, width, image.shape[2]))
    for i in range(height):
        for j in range(width):
            y, x = i * image.shape[0] / height, j * image.shape[1] / width
            top, left = int(y), int(x)
            below, right = min(top + 1, image.shape[0] - 1), min(left + 1, image.shape[1] - 1)
            upper = image[top, left] * (1 - (x - left)) + image[top, right] * (x - left)
            lower = image[below, left] * (1 - (x - left)) + image[below, right] * (x - left)
            made[i, j] = upper * (1 - (y - top)) + lower * (y - top)
    return made


def seen(gradient: Gradient, image: Array) -> Array:
    return gradient(image.transpose(2, 0, 1)).transpose(1, 2, 0)


def calc_grad_tiled(image: Array, gradient: Gradient, shift: tuple[int, int], size: int) -> Array:
    sy, sx = shift
    h, w = image.shape[:2]
    shifted = np.roll(np.roll(image, sx, 1), sy, 0)
    grad = np.zeros_like(image)
    for y in range(0, max(h - size // 2, size), size):
        for x in range(0, max(w - size // 2, size), size):
            grad[y : y + size, x : x + size] = seen(gradient, shifted[y : y + size, x : x + size])
    return np.roll(np.roll(grad, -sx, 1), -sy, 0)


K5 = np.outer([1.0, 4.0, 6.0, 4.0, 1.0], [1.0, 4.0, 6.0, 4.0, 1.0]) / 256


def before(n: int) -> int:
    """Zeros that "SAME" puts before n values, for 5 taps and a stride of 2."""
    return max((-(-n // 2) - 1) * 2 + 5 - n, 0) // 2


def conv_down(image: Array) -> Array:
    h, w = image.shape[:2]
    made = np.zeros((-(-h // 2), -(-w // 2), image.shape[2]))
    for i, j in np.ndindex(made.shape[:2]):
        for a, b in np.ndindex(5, 5):
            y, x = 2 * i + a - before(h), 2 * j + b - before(w)
            if 0 <= y < h and 0 <= x < w:
                made[i, j] += K5[a, b] * image[y, x]
    return made


def conv_up(low: Array, shape) -> Array:
    made = np.zeros(shape)
    for i, j in np.ndindex(low.shape[:2]):
        for a, b in np.ndindex(5, 5):
            y, x = 2 * i + a - before(shape[0]), 2 * j + b - before(shape[1])
            if 0 <= y < shape[0] and 0 <= x < shape[1]:
                made[y, x] += 4 * K5[a, b] * low[i, j]
    return made


def lap_normalize(image: Array, n: int) -> Array:
    levels = []
    for _ in range(n):
        low = conv_down(image)
        levels.append(image - conv_up(low, image.shape))
        image = low
    levels = [image, *levels[::-1]]
    levels = [level / max(np.sqrt(np.mean(level**2)), 1e-10) for level in levels]
    made = levels[0]
    for high in levels[1:]:
        made = conv_up(made, high.shape) + high
    return made


def render_naive(image, gradient, *, n, step):
    for _ in range(n):
        g = seen(gradient, image)
        image = image + g / (g.std() + 1e-8) * step
    return image


def render_multiscale(image, gradient, shifts, *, n, step, octaves, scale, size, lap_n=None):
    shifts = iter(shifts)
    for octave in range(octaves):
        if octave > 0:
            image = resize(image, np.int32(np.float32(image.shape[:2]) * np.float32(scale)))
        for _ in range(n):
            g = calc_grad_tiled(image, gradient, next(shifts), size)
            g = g / (g.std() + 1e-8) if lap_n is None else lap_normalize(g, lap_n)
            image = image + g * step
    assert next(shifts, None) is None
    return image


def render_deepdream(image, gradient, shifts, *, n, step, octaves, scale, size):
    shifts, highs = iter(shifts), []
    for _ in range(octaves - 1):
        low = resize(image, np.int32(np.float32(image.shape[:2]) / np.float32(scale)))
        highs.append(image - resize(low, image.shape[:2]))
        image = low
    for octave in range(octaves):
        if octave > 0:
            high = highs[-octave]
            image = resize(image, high.shape[:2]) + high
        for _ in range(n):
            g = calc_grad_tiled(image, gradient, next(shifts), size)
            image = image + g * (step / (np.abs(g).mean() + 1e-7))
    assert next(shifts, None) is None
    return image


def hwc(image: Array) -> Array:
    """An image in [0, 1] as the program has it."""
    return image.transpose(1, 2, 0) * 255


def difference(made: Array, expected: Array) -> float:
    return float(np.abs(made - expected.transpose(2, 0, 1) / 255).max())


SIZES = [(22, 31, 3), (33, 17, 1), (20, 20, 5)]


@pytest.mark.parametrize(("height", "width", "channels"), SIZES)
def test_naive_is_the_published_program(height, width, channels):
    made = dreamed(conv_net(channels), CHANNEL, tf_naive(height, width, channels, steps=3, step=5 / 255))
    expected = render_naive(hwc(made.start), gradients(channels)["channel"], n=3, step=5.0)
    assert difference(made.image, expected) < 1e-8


@pytest.mark.parametrize(("height", "width", "channels"), SIZES)
def test_multiscale_is_the_published_program(height, width, channels):
    options = {"steps": 2, "step": 5 / 255, "tiles": SMALL}
    made = dreamed(conv_net(channels), CHANNEL, tf_multiscale(height, width, channels, **options))
    gradient = gradients(channels)["channel"]
    numbers = {"n": 2, "step": 5.0, "octaves": 3, "scale": 1.4, "size": 16}
    assert difference(made.image, render_multiscale(hwc(made.start), gradient, made.shifts, **numbers)) < 1e-8
    assert len({*made.shifts}) > 2


@pytest.mark.parametrize(("height", "width", "channels"), [(22, 31, 3), (25, 17, 1)])
@pytest.mark.parametrize("levels", [4, 2])
def test_lapnorm_is_the_published_program(height, width, channels, levels):
    options = {"steps": 2, "step": 5 / 255, "octaves": 2, "levels": levels, "tiles": SMALL}
    made = dreamed(conv_net(channels), CHANNEL, tf_lapnorm(height, width, channels, **options))
    gradient = gradients(channels)["channel"]
    numbers = {"n": 2, "step": 5.0, "octaves": 2, "scale": 1.4, "size": 16, "lap_n": levels}
    assert difference(made.image, render_multiscale(hwc(made.start), gradient, made.shifts, **numbers)) < 1e-8


@pytest.mark.parametrize(("height", "width", "channels"), SIZES)
def test_deepdream_is_the_published_program(height, width, channels):
    image = photo(channels, height, width)
    recipe = tf_deepdream(image, steps=2, step=5 / 255, octaves=3, tiles=SMALL)
    made = dreamed(conv_net(channels), LAYER, recipe)
    gradient = gradients(channels)["layer"]
    start = hwc(image.double().numpy())
    numbers = {"n": 2, "step": 5.0, "octaves": 3, "scale": 1.4, "size": 16}
    assert difference(made.image, render_deepdream(start, gradient, made.shifts, **numbers)) < 1e-8


def test_the_defaults_are_the_published_ones():
    eight_bits = 255
    naive, multiscale, lapnorm, dream = tf_naive(), tf_multiscale(), tf_lapnorm(), tf_deepdream(photo(3, 60, 40))
    assert [r.steps for r in (naive, multiscale, lapnorm, dream)] == [20, 10, 10, 10]
    assert [r.optimizer.lr * eight_bits for r in (naive, multiscale, lapnorm, dream)] == pytest.approx([1, 1, 1, 1.5])
    assert [r.finish for r in (naive, multiscale, lapnorm, dream)] == ["standard", "standard", "standard", "clip"]
    assert [r.tiles for r in (naive, multiscale, lapnorm, dream)] == [None, Tiles(), Tiles(), Tiles()]
    assert naive.optimizer.norm == multiscale.optimizer.norm == "sd"
    assert dream.optimizer.norm == "mean_abs"
    assert multiscale.sizes == lapnorm.sizes == ((224, 224), (313, 313), (438, 438))
    assert dream.stages == ph.stages.Octaves(4, 1.4, "tf1")
    assert lapnorm.conditioners == (LaplacianNormalize(4, "tensorflow", 255e-10),)
    assert all("mordvintsev2015inceptionism" in r.citation() for r in (naive, multiscale, lapnorm, dream))
    assert [method.start for method in METHODS] == ["noise", "noise", "noise", "photograph"]


def test_the_start_is_grey_with_one_level_of_noise():
    start = dreamed(conv_net(), CHANNEL, tf_naive(40, 30, steps=0)).start * 255
    assert 100 <= start.min() < 100.01
    assert 100.99 < start.max() < 101
    assert start.mean() == pytest.approx(100.5, abs=0.02)


@pytest.mark.parametrize("tiles", [None, Tiles(16, 16), SMALL])
def test_no_steps_give_the_photograph_back_exactly(tiles):
    image = photo(3, 45, 31)
    made = dreamed(conv_net(), LAYER, tf_deepdream(image, steps=0, tiles=tiles))
    assert np.array_equal(made.image, image.double().numpy())


def test_a_step_changes_values_by_the_step_on_average():
    image = photo(3, 18, 25)
    # Large, so that the program's guard does not count.
    made = dreamed(conv_net(), 1e6 * LAYER, tf_deepdream(image, steps=1, octaves=1, step=0.01))
    assert np.abs(made.image - image.double().numpy()).mean() == pytest.approx(0.01, rel=1e-6)


def test_a_laplacian_normalised_gradient_has_no_size():
    recipe = tf_lapnorm(20, 26, steps=2, octaves=2, tiles=None)
    one, seven = (dreamed(conv_net(), factor * CHANNEL, recipe).image for factor in (1.0, 7.0))
    assert np.abs(one - seven).max() < 1e-12


# Tiles


def slope(net, objective, image, tiles, shift=None):
    """The gradient of one step of ascent without normalisation, tile by tile."""
    recipe = ph.Recipe(
        parameterization=tf_deepdream(image).parameterization,
        optimizer=ph.optimizers.SGD(lr=1.0),
        steps=1,
        tiles=tiles,
    )
    if shift is None:
        return dreamed(net, objective, recipe).image - image.double().numpy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tiled, "_shift", lambda self, size, step: [shift])
        return dreamed(net, objective, recipe).image - image.double().numpy()


@pytest.mark.parametrize("mode", ["cover", "tensorflow"])
@pytest.mark.parametrize("tile", [(20, 26), (64, 64)])
def test_a_tile_as_large_as_the_image_gives_its_whole_gradient(mode, tile):
    net, image = conv_net(), photo(3, 20, 26)
    whole = slope(net, CHANNEL, image, None)
    assert np.array_equal(slope(net, CHANNEL, image, Tiles(*tile, mode=mode, roll=False)), whole)


class Sum(nn.Module):
    """A convolution whose one channel is added up over all positions: local, so that tiles change nothing inside."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 3, padding=1)

    def forward(self, x):
        return torch.tanh(self.conv(x)).sum((2, 3))


def test_pixels_away_from_every_seam_have_their_whole_gradient():
    net, image = wrapped(seeded(Sum())), photo(3, 32, 48)
    objective = ph.Channel("", 0)
    whole = slope(net, objective, image, None)
    tiled = slope(net, objective, image, Tiles(16, 16, roll=False))
    inside = np.zeros((32, 48), bool)
    for y in range(0, 32, 16):
        for x in range(0, 48, 16):
            inside[y + 2 : y + 14, x + 2 : x + 14] = True
    assert np.abs(tiled - whole)[:, inside].max() < 1e-12
    assert np.abs(tiled - whole).max() > 1e-3


@pytest.mark.parametrize("height", [16, 23, 24, 25, 40, 41])
def test_every_pixel_is_covered_and_the_published_strips_are_not(height):
    """The program gives a remainder of up to half a tile nothing in a step; ours reaches every pixel."""
    net, image = conv_net(), photo(3, height, 16)
    published = slope(net, CHANNEL, image, SMALL, shift=(0, 0))
    ours = slope(net, CHANNEL, image, Tiles(16, 16), shift=(0, 0))
    assert (np.abs(ours).sum((0, 2)) > 0).all()
    rows = height if height % 16 > 8 else height // 16 * 16
    assert (np.abs(published).sum((0, 2)) > 0).tolist() == [True] * rows + [False] * (height - rows)


def test_the_shift_hides_the_seams():
    """The mean over shifts is nearer to the whole gradient than any one of them."""
    net, image = wrapped(seeded(Sum())), photo(3, 32, 32)
    objective = ph.Channel("", 0)
    whole = slope(net, objective, image, None)
    tiles = Tiles(16, 16)
    shifted = [slope(net, objective, image, tiles, shift=(y, x)) for y in range(0, 16, 4) for x in range(0, 16, 4)]
    worst = min(np.abs(one - whole).max() for one in shifted)
    assert np.abs(np.mean(shifted, 0) - whole).max() < worst


def test_stages_of_one_step_draw_shifts_of_their_own():
    recipe = tf_multiscale(20, 20, steps=1, octaves=4, tiles=SMALL)
    made = dreamed(conv_net(), CHANNEL, recipe)
    assert len(made.shifts) == 4
    assert len({*made.shifts}) > 1


@pytest.mark.parametrize("mode", ["cover", "tensorflow", "matlab"])
def test_company_leaves_a_tiled_dream_as_it_is(mode):
    net, recipe = conv_net(), tf_multiscale(21, 30, steps=2, octaves=2, tiles=Tiles(16, 16, mode=mode))
    wanted = [ph.Channel("conv2", index) for index in range(3)]
    together = ph.render(net, wanted, recipe=recipe, progress=False)
    for one, image in zip(wanted, together.images, strict=True):
        alone = ph.render(net, one, recipe=recipe, progress=False)
        assert (alone.images[0] - image).abs().max() < 1e-4


@pytest.mark.parametrize("mode", ["cover", "tensorflow", "matlab"])
@pytest.mark.parametrize("shift", [(0, 0), (5, 11), (16, 3)])
def test_a_tiled_gradient_is_that_of_the_rolled_image_cut_into_tiles(mode, shift):
    """Slowly: roll, pad, cut, put the tiles' gradients back, divide by how many saw a pixel, roll back."""
    net, image = conv_net(), photo(3, 37, 26)
    tiles = Tiles(16, 12, mode=mode)
    gradient = gradient_of(net, "conv2", lambda a: a[:, 2].mean())
    rolled = np.roll(image.double().numpy(), shift, (1, 2))
    height, width = tiles.padded(37, 26)
    padded = np.pad(rolled, ((0, 0), (0, height - 37), (0, width - 26)))
    total, seen_by = np.zeros_like(padded), np.zeros((height, width))
    for top, left, bottom, right in tiles.places(37, 26):
        # The oracle's gradient is of values in 0 … 255.
        total[:, top:bottom, left:right] += 255 * gradient(255 * padded[:, top:bottom, left:right])
        seen_by[top:bottom, left:right] += 1
    expected = np.roll((total / np.maximum(seen_by, 1))[:, :37, :26], (-shift[0], -shift[1]), (1, 2))
    assert np.abs(slope(net, CHANNEL, image, tiles, shift=shift) - expected).max() < 1e-12
