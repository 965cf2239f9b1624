"""The gradient by way of the image: the same as straight to the parameters, conditioned, in tiles."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from networks import conv_net, random_images
from torch import Tensor

import phosphene as ph
from phosphene import conditioners, optimizers, projections
from phosphene.conditioners import Conditioner, Tiles
from phosphene.functional.random import Streams
from phosphene.models.prepare import prepare
from phosphene.objectives import compile_objectives
from phosphene.projections import Projection
from phosphene.render import Recipe
from phosphene.render.problem import Look, Problem
from phosphene.render.slopes import Tiled, WholeImage

UNITS = [ph.Channel("conv1", 1), ph.Channel("conv1", 3)]


@dataclass(frozen=True)
class Nothing(Conditioner, base=True):
    """The gradient as it is."""

    def condition(self, gradient: Tensor, step: int) -> Tensor:
        return gradient


@pytest.mark.parametrize(
    "canvas",
    [ph.Fourier(13, 10), ph.Pixels(13, 10), ph.Pixels(13, 10, range="clip"), ph.Pixels(13, 10, range="none")],
    ids=str,
)
def test_by_way_of_the_image_the_gradient_is_the_same(canvas):
    recipe = Recipe(parameterization=canvas, steps=4, optimizer=optimizers.SGD(lr=0.3))
    objectives = [unit - 0.01 * ph.TotalVariation() for unit in UNITS]
    options = {"dtype": torch.float64, "progress": False}
    straight = ph.render(conv_net(), objectives, recipe=recipe, **options)
    around = ph.render(conv_net(), objectives, recipe=replace(recipe, conditioners=(Nothing(),)), **options)
    torch.testing.assert_close(around.images, straight.images, rtol=0, atol=1e-7)
    torch.testing.assert_close(torch.stack(around.scores), torch.stack(straight.scores), rtol=0, atol=1e-6)


def slopes(image: Tensor, tiles: Tiles | None, units=UNITS, total: bool = True) -> Tensor:
    """The gradient of the summed channel in the images, whole or in tiles; a sum, not a mean, has no scale of its own."""
    net = conv_net()

    def summed(index: int):
        def score(activations: Tensor) -> Tensor:
            return activations[:, index].flatten(1).sum(1)

        return score

    objectives = [ph.objectives.Custom(summed(unit.index), ("conv1",)) for unit in units]
    scorer = compile_objectives(objectives, net)
    streams = Streams(tuple(f"{i}" for i in range(len(units))), 0, torch.device("cpu"))
    canvas = ph.Pixels(*image.shape[2:], decorrelate="none", range="none").build(
        len(units), streams.fork("start"), device=torch.device("cpu"), dtype=torch.float64
    )
    with prepare(net, ["conv1"], dtype=torch.float64) as forward:
        problem = Problem(canvas, forward, scorer)
        in_image = WholeImage() if tiles is None else Tiled(tiles, streams.fork("tiles"))
        return in_image(problem, image, Look(lambda views: views, 0))[1]


@pytest.mark.parametrize("mode", ["cover", "tensorflow", "matlab"])
def test_a_tile_as_large_as_the_image_gives_the_whole_gradient(mode):
    image = random_images(2, 3, (17, 23))
    whole = slopes(image, None)
    torch.testing.assert_close(slopes(image, Tiles(23, 23, mode=mode, roll=False)), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("height", "width"), [(17, 23), (31, 20), (24, 24)])
def test_away_from_the_seams_tiles_give_the_whole_gradient(height, width):
    image = random_images(2, 3, (height, width))
    tiles = Tiles(12, 10, roll=False)
    whole, tiled = slopes(image, None), slopes(image, tiles)
    near = torch.zeros(height, width, dtype=torch.bool)
    for tile in tiles.places(height, width):  # conv1 and SiLU reach one pixel across a seam
        for edge, axis, limit in (
            (tile.top, 0, 0),
            (tile.bottom, 0, height),
            (tile.left, 1, 0),
            (tile.right, 1, width),
        ):
            if edge != limit:
                near.index_fill_(
                    axis, torch.tensor(range(max(0, edge - 1), min(edge + 1, (height, width)[axis]))), True
                )
    assert (~near).any()
    assert near.any()
    torch.testing.assert_close(tiled[..., ~near], whole[..., ~near], rtol=0, atol=1e-12)
    assert not torch.allclose(tiled[..., near], whole[..., near])


@pytest.mark.parametrize("size", [(600, 40), (40, 768), (769, 33)])
def test_covering_tiles_give_every_pixel_a_gradient_and_tensorflows_leave_strips(size):
    image = random_images(1, 3, size)
    covered = slopes(image, Tiles(512, 512, roll=True), UNITS[:1])
    assert (covered.abs().sum(1) > 0).all()
    strict = slopes(image, Tiles(512, 512, mode="tensorflow", roll=False), UNITS[:1]).abs().sum((0, 1))
    left_out = {(600, 40): 88 * 40, (40, 768): 256 * 40, (769, 33): 0}[size]
    assert int((strict == 0).sum()) == left_out


def test_matlabs_tiles_see_zeros_beyond_the_image():
    image = random_images(2, 3, (17, 23))
    padded = torch.nn.functional.pad(image, (0, 1, 0, 7))
    expected = torch.zeros_like(padded)
    for top in (0, 12):
        for left in (0, 12):
            expected[:, :, top : top + 12, left : left + 12] = slopes(
                padded[:, :, top : top + 12, left : left + 12], None
            )
    tiled = slopes(image, Tiles(12, 12, mode="matlab", roll=False))
    torch.testing.assert_close(tiled, expected[:, :, :17, :23], rtol=0, atol=1e-12)


def test_every_image_is_rolled_by_its_own_shift_and_rolled_back():
    image = random_images(2, 3, (30, 26))
    tiles = Tiles(12, 10, mode="cover")
    rolled = slopes(image, tiles)
    uniform = Streams(("0", "1"), 0, torch.device("cpu")).fork("tiles").uniform(2)
    shifts = (uniform * torch.tensor([12, 10])).floor().int().tolist()
    assert shifts[0] != shifts[1]
    for row, (down, right) in enumerate(shifts):
        moved = image[row : row + 1].roll((down, right), (2, 3))
        expected = slopes(moved, replace(tiles, roll=False), UNITS[row : row + 1]).roll((-down, -right), (2, 3))
        torch.testing.assert_close(rolled[row : row + 1], expected, rtol=0, atol=1e-12)


def test_averaging_over_shifts_shrinks_the_seams():
    image = random_images(1, 3, (30, 26))
    whole = slopes(image, None, UNITS[:1])

    def error(n: int) -> float:
        total = torch.zeros_like(whole)
        for i in range(n):
            moved = image.roll((3 * i, 2 * i), (2, 3))
            total += slopes(moved, Tiles(12, 10, roll=False), UNITS[:1]).roll((-3 * i, -2 * i), (2, 3))
        return float((total / n - whole)[..., 4:-4, 4:-4].abs().max())

    assert error(8) < 0.6 * error(1)


def test_conditioners_work_on_the_images_gradient_one_after_the_other():
    recipe = Recipe(
        parameterization=ph.Pixels(13, 10, decorrelate="none", range="none"),
        steps=1,
        optimizer=optimizers.SGD(lr=1.0),
        conditioners=(conditioners.Normalize("l2"), conditioners.ClipGradient(0.25)),
        finish="none",
    )
    result = ph.render(conv_net(), UNITS, recipe=recipe, snapshots=[0], dtype=torch.float64, progress=False)
    change = (result.images - result.snapshots[0]).flatten(1).norm(dim=1)
    torch.testing.assert_close(change, torch.full((2,), 0.25), rtol=0, atol=1e-5)


def test_projections_follow_the_step():
    @dataclass(frozen=True)
    class Counted(Projection, base=True):
        """The number of the step, everywhere."""

        def project(self, image: Tensor, step: int) -> Tensor:
            return torch.full_like(image, step / 10)

    recipe = Recipe(
        parameterization=ph.Pixels(13, 10, range="none"), steps=4, projections=(Counted(), projections.Clip())
    )
    result = ph.render(conv_net(), UNITS, recipe=recipe, snapshots=range(1, 5), progress=False)
    for step in range(1, 5):
        torch.testing.assert_close(
            result.snapshots[step], torch.full((2, 3, 13, 10), (step - 1) / 10), rtol=0, atol=1e-6
        )


def test_the_transparency_is_the_sum_of_the_gradients_magnitudes():
    canvas = ph.Pixels(13, 10, decorrelate="none", range="none")
    recipe = Recipe(
        parameterization=canvas, steps=3, optimizer=optimizers.SGD(lr=0.5), transparency="gradients", finish="none"
    )
    result = ph.render(conv_net(), UNITS, recipe=recipe, snapshots=range(4), dtype=torch.float64, progress=False)
    moved = [
        (result.snapshots[i + 1].double() - result.snapshots[i].double()).abs().sum(1, keepdim=True) for i in range(3)
    ]
    assert result.transparency is not None
    torch.testing.assert_close(result.transparency.double(), sum(moved) / 0.5, rtol=0, atol=1e-4)
    assert result[1].transparency is not None
    assert torch.equal(result[1].transparency, result.transparency[1:])
    assert ph.render(conv_net(), UNITS, steps=1, progress=False).transparency is None


def test_cutouts_are_opaque_where_the_gradient_was_strong():
    recipe = Recipe(parameterization=ph.Pixels(13, 10), steps=3, transparency="gradients")
    result = ph.render(conv_net(), UNITS, recipe=recipe, progress=False)
    cut = result.cutouts(90.0)
    assert torch.equal(cut[:, :3], result.images)
    for row in range(2):
        strength = result.transparency[row, 0]
        full = strength.flatten().sort().values[117 - 1]
        torch.testing.assert_close(cut[row, 3], (strength / full).clamp(max=1), rtol=1e-5, atol=0)
    with pytest.raises(ph.errors.ParameterError, match="percentile is 0"):
        result.cutouts(0.0)
    plain = ph.render(conv_net(), UNITS, steps=1, progress=False)
    with pytest.raises(ph.errors.ArgumentError, match="transparency='gradients' can be cut out"):
        plain.cutouts()


@pytest.mark.parametrize(("finish", "low", "high"), [("clip", 0.0, 1.0), ("linear", 0.0, 1.0), ("none", -1.0, 2.0)])
def test_the_finish_makes_the_picture(finish, low, high):
    values = torch.linspace(-1, 2, 3 * 13 * 10).view(3, 13, 10)
    canvas = ph.Pixels(13, 10, decorrelate="none", range="none", start=values)
    result = ph.render(
        conv_net(), UNITS[0], recipe=Recipe(parameterization=canvas, steps=0, finish=finish), progress=False
    )
    assert (float(result.images.min()), float(result.images.max())) == pytest.approx((low, high), abs=1e-6)
    if finish == "linear":
        torch.testing.assert_close(result.images[0], (values + 1) / 3, rtol=0, atol=1e-6)


def test_the_standard_finish_has_tensorflows_mean_and_deviation():
    values = random_images(1, 3, (13, 10), dtype=torch.float32)[0] * 0.3 + 0.4
    canvas = ph.Pixels(13, 10, decorrelate="none", range="none", start=values)
    recipe = Recipe(parameterization=canvas, steps=0, finish="standard")
    image = ph.render(conv_net(), UNITS[0], recipe=recipe, progress=False).images
    assert float(image.mean()) == pytest.approx(0.5, abs=1e-5)
    assert float(image.std(correction=0)) == pytest.approx(0.1, abs=1e-5)


@pytest.mark.parametrize("optimizer", [optimizers.SGD(lr=0.5), optimizers.Adam(lr=0.1, eps=0.1), optimizers.AdamW()])
@pytest.mark.parametrize("spread", ["sigmoid", "clip", "none"])
def test_a_gradient_in_another_order_in_memory_moves_the_right_pixels(optimizer, spread):
    canvas = ph.Pixels(13, 10, decorrelate="none", range=spread)
    options = {"optimizer": optimizer, "steps": 2, "progress": False, "dtype": torch.float64, "views": 1}
    straight = ph.render(conv_net(), UNITS, canvas, transforms=(), **options)
    contiguous = ph.render(conv_net(), UNITS, canvas, transforms=(_Contiguous.apply,), **options)
    torch.testing.assert_close(straight.images, contiguous.images, rtol=0, atol=1e-7)


class _Contiguous(torch.autograd.Function):
    """The identity, whose gradient is contiguous."""

    @staticmethod
    def forward(ctx, values):
        return values.view_as(values)

    @staticmethod
    def backward(ctx, gradient):
        return gradient.contiguous()
