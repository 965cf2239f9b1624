"""Runs in several stages: what each starts from, how steps are counted, what an interrupt leaves."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from networks import conv_net, random_images
from torch import Tensor

import phosphene as ph
from phosphene import optimizers, projections, stages, transforms
from phosphene._types import FrozenArray
from phosphene.render import Recipe
from phosphene.stages import Stages

UNITS = [ph.Channel("conv2", 1), ph.Channel("conv2", 4)]


def staged(start: Tensor | None = None, **changes) -> Recipe:
    """Three octaves of a raw canvas."""
    canvas = ph.Pixels(25, 31, decorrelate="none", range="none", start=start, offset=(0.0, 0.0, 0.0))
    recipe = Recipe(
        parameterization=canvas,
        optimizer=optimizers.NormalizedAscent(lr=0.01),
        steps=3,
        stages=stages.Octaves(n=3, scale=1.5),
    )
    return replace(recipe, **changes)


def rendered(recipe: Recipe, units=UNITS, **options):
    return ph.render(conv_net(), units, recipe=recipe, progress=False, **options)


def test_a_run_in_stages_is_a_run_of_each_stage_from_where_the_one_before_it_ended():
    start = random_images(1, 3, (25, 31), dtype=torch.float32)[0] * 0.5 + 0.25
    whole = rendered(staged(start), UNITS[0], dtype=torch.float64)
    sizes = staged().sizes
    assert sizes[-1] == (25, 31)
    assert len(sizes) == 3
    enter = staged().stages.begin(start[None].double())
    image = start[None].double()
    for number, size in enumerate(sizes):
        image = enter(number, image)
        single = Recipe(
            parameterization=ph.Pixels(*size, decorrelate="none", range="none", start=image[0]),
            optimizer=optimizers.NormalizedAscent(lr=0.01),
            steps=3,
            finish="none",
        )
        image = rendered(single, UNITS[0], dtype=torch.float64).images.double()
    torch.testing.assert_close(whole.images, image.float().clamp(0, 1), rtol=0, atol=1e-6)


def test_without_steps_the_octaves_return_the_start_image():
    start = random_images(1, 3, (25, 31), dtype=torch.float32)[0]
    assert torch.equal(rendered(staged(start, steps=0), UNITS[0]).images[0], start)


def test_steps_and_snapshots_are_counted_through_all_stages():
    result = rendered(staged(), snapshots=[0, 3, 4, 9])
    assert [len(curve) for curve in result.scores] == [9, 9]
    first, second, last = staged().sizes
    shapes = {step: tuple(images.shape[2:]) for step, images in result.snapshots.items()}
    assert shapes == {0: last, 3: first, 4: second, 9: last}
    assert torch.equal(result.snapshots[9], result.images)


def test_the_steps_of_a_stage_are_the_schedules():
    growing = stages.Upscaling(n=4, scale=1.2, late_factor=2.0, rounding="floor")
    recipe = staged(stages=growing, parameterization=ph.Pixels(12, 10, range="none"))
    assert recipe.stage_steps == (3, 3, 3, 6)
    assert recipe.sizes == ((12, 10), (14, 12), (16, 14), (19, 16))
    assert rendered(recipe).images.shape == (2, 3, 19, 16)


@pytest.mark.parametrize("optimizer", [optimizers.Adam(), optimizers.momentum(0.05), optimizers.LBFGS()])
def test_every_stage_starts_its_optimizer_and_its_schedule_afresh(optimizer):
    @dataclass(frozen=True)
    class Again(Stages, base=True):
        """The same start twice."""

        def sizes(self, height, width):
            return ((height, width), (height, width))

        def begin(self, start):
            return lambda stage, image: start

    start = random_images(1, 3, (12, 10), dtype=torch.float32)[0]
    recipe = staged(optimizer=optimizer, parameterization=ph.Pixels(12, 10, decorrelate="none", start=start))
    once = rendered(replace(recipe, stages=None), UNITS[0])
    twice = rendered(replace(recipe, stages=Again()), UNITS[0])
    torch.testing.assert_close(twice.images, once.images, rtol=0, atol=2e-5)
    torch.testing.assert_close(twice.scores[0][3:], once.scores[0], rtol=0, atol=1e-4)


def test_later_stages_draw_their_own_views():
    seen = []

    def note(views):
        seen.append(views.detach().clone())
        return views

    recipe = staged(
        transforms=(transforms.Jitter(3, mode="roll"), transforms.Custom(note)),
        steps=1,
        optimizer=optimizers.SGD(lr=1e-9),
    )
    start = random_images(1, 3, (25, 31), dtype=torch.float32)[0]
    octaves = stages.Upscaling(n=3, scale=1.001, rounding="floor")  # every stage the same size
    rendered(replace(recipe, stages=octaves, parameterization=replace(recipe.parameterization, start=start)), UNITS[0])
    looks = seen[1:4]  # after the look for dead starts
    assert not torch.equal(looks[0], looks[1]) or not torch.equal(looks[1], looks[2])


def test_an_interrupt_in_a_later_stage_keeps_what_was_reached_and_replays(tmp_path):
    def stop_after(n):
        told = []

        def tell(count):
            told.append(count)
            if len(told) == n:
                raise KeyboardInterrupt

        return tell

    result = ph.render(conv_net(), UNITS[0], recipe=staged(), progress=stop_after(5))
    assert result.status == ("interrupted after step 5",)
    assert tuple(result.images.shape[2:]) == staged().sizes[1]
    complete = rendered(staged(), UNITS[0], snapshots=[5])
    assert torch.equal(complete.snapshots[5], result.images)
    result.save(tmp_path / "part.png")
    assert ph.replay(tmp_path / "part.png", net=conv_net(), progress=False).identical


def interrupted(recipe, at, where):
    """A run that is interrupted in step ``at`` + 1, or right after step ``at``."""
    told = []

    def tell(count):
        told.append(count)
        if len(told) == at and where == "after":
            raise KeyboardInterrupt

    def stop(views):
        if len(told) == at and where == "within":
            raise KeyboardInterrupt
        return views

    recipe = replace(recipe, transforms=(transforms.Custom(stop),))
    return ph.render(conv_net(), UNITS[0], recipe=recipe, progress=tell)


@pytest.mark.parametrize("where", ["after", "within"])
@pytest.mark.parametrize("at", [2, 3, 4, 6])
def test_an_interrupt_at_the_end_of_a_stage_or_in_the_next_ones_first_step_gives_one_picture(at, where, tmp_path):
    result = interrupted(staged(), at, where)
    complete = rendered(staged(transforms=(transforms.Custom(unchanged),)), UNITS[0], snapshots=[at])
    assert result.status == (f"interrupted after step {at}",)
    assert torch.equal(result.images, complete.snapshots[at])


def unchanged(views):
    return views


@pytest.mark.parametrize("at", [3, 6])
def test_a_picture_interrupted_at_the_end_of_a_stage_replays(at, tmp_path):
    def tell(count, told=[]):  # noqa: B006
        told.append(count)
        if len(told) == at:
            told.clear()
            raise KeyboardInterrupt

    result = ph.render(conv_net(), UNITS[0], recipe=staged(), progress=tell)
    result.save(tmp_path / "part.png")
    assert ph.replay(tmp_path / "part.png", net=conv_net(), progress=False).identical


def test_a_stage_without_steps_at_the_end_still_resizes():
    growing = stages.Upscaling(n=3, scale=1.5, late_factor=0.5, rounding="floor")
    recipe = staged(stages=growing, steps=1, parameterization=ph.Pixels(12, 10, range="none"))
    assert recipe.stage_steps == (1, 1, 0)
    assert rendered(recipe).images.shape[2:] == recipe.sizes[-1] == (27, 22)


def test_the_transparency_of_stages_is_that_of_all_their_steps():
    growing = stages.Upscaling(n=2, scale=1.5, rounding="floor")
    canvas = ph.Pixels(12, 10, decorrelate="none", range="none", offset=(0.0, 0.0, 0.0))
    recipe = staged(
        stages=growing,
        parameterization=canvas,
        transparency="gradients",
        optimizer=optimizers.SGD(lr=0.5),
        finish="none",
    )
    result = rendered(recipe, UNITS[0], snapshots=range(7), dtype=torch.float64)
    kept = result.snapshots
    enlarged = growing.begin(kept[0])(1, kept[3])
    first = sum((kept[i + 1] - kept[i]).abs().sum(1, keepdim=True) for i in range(3)) / 0.5
    second = (kept[4] - enlarged).abs().sum(1, keepdim=True) / 0.5
    second = second + sum((kept[i + 1] - kept[i]).abs().sum(1, keepdim=True) for i in (4, 5)) / 0.5
    expected = torch.nn.functional.interpolate(first, size=second.shape[2:], mode="bilinear") + second
    assert result.transparency is not None
    torch.testing.assert_close(result.transparency, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("where", ["after", "within"])
@pytest.mark.parametrize("at", [1, 3, 5])
def test_an_interrupted_runs_transparency_is_that_of_the_steps_done(at, where):
    recipe = staged(transparency="gradients", stages=None)
    whole = rendered(replace(recipe, steps=at, transforms=(transforms.Custom(unchanged),)), UNITS[0])
    part = interrupted(replace(recipe, steps=8), at, where)
    assert part.transparency is not None
    torch.testing.assert_close(part.transparency, whole.transparency, rtol=1e-5, atol=1e-8)


def test_a_line_search_adds_one_gradient_a_step_to_the_transparency():
    canvas = ph.Pixels(12, 10, decorrelate="none")
    recipe = Recipe(parameterization=canvas, steps=2, optimizer=optimizers.LBFGS(), transparency="gradients")
    result = rendered(recipe, UNITS[0], snapshots=[0, 1], dtype=torch.float64)
    starts = []
    for step in (0, 1):
        image = result.snapshots[step][0]
        one = replace(recipe, parameterization=replace(canvas, start=image), steps=1, optimizer=optimizers.SGD(lr=1e-9))
        starts.append(rendered(one, UNITS[0], dtype=torch.float64).transparency)
    torch.testing.assert_close(result.transparency, starts[0] + starts[1], rtol=1e-3, atol=1e-6)


def test_a_photograph_whose_gradient_is_zero_stays_as_it_was():
    start = random_images(1, 3, (25, 31), dtype=torch.float32)[0]
    dead = ph.Channel("conv2", 0) * 0.0
    result = rendered(staged(start, optimizer=optimizers.SGD(lr=0.1)), dead)
    assert torch.equal(result.images[0], start)
    assert result.status == ("dead: the gradient is exactly zero at the image that it starts from",)
    stopped = rendered(staged(start, optimizer=optimizers.NormalizedAscent(lr=0.1, eps=0.0)), dead)
    torch.testing.assert_close(stopped.images[0], start, rtol=0, atol=1e-6)
    assert stopped.status[0].startswith("stopped at step 1")
    assert stopped.status[0].endswith("the gradient was exactly zero at the start")


def test_stages_too_large_are_refused_before_anything_is_rendered():
    with pytest.raises(ph.errors.ParameterError, match="sizes from 1 to 16384 pixels"):
        staged(stages=stages.Upscaling(n=3, scale=30.0, rounding="floor"))


def test_a_line_search_beside_conditioners_is_refused():
    with pytest.raises(ph.errors.ParameterError, match="optimizer is 'LBFGS'; expected one without a line search"):
        staged(optimizer=optimizers.LBFGS(), conditioners=(ph.conditioners.Normalize("sign"),))


def test_a_projection_without_parameters_for_images_is_refused_before_the_first_step():
    told = []
    recipe = Recipe(parameterization=ph.parameterizations.CPPN(12, 10), steps=2, projections=(projections.Clip(),))
    with pytest.raises(ph.errors.ParameterError, match="CPPNCanvas cannot be found from an image"):
        ph.render(conv_net(), UNITS[0], recipe=recipe, progress=told.append)
    assert told == []


def test_a_whole_run_in_stages_replays_bit_for_bit(tmp_path):
    start = random_images(1, 3, (25, 31), dtype=torch.float32)[0]
    recipe = staged(start, projections=(projections.Clip(),), tiles=ph.conditioners.Tiles(16, 14))
    result = rendered(recipe, UNITS[0])
    result.save(tmp_path / "whole.png")
    assert ph.replay(tmp_path / "whole.png", net=conv_net(), progress=False).identical


def test_an_image_that_stopped_stays_stopped_in_later_stages():
    calls = []

    def spoil(views):
        calls.append(1)
        return views * torch.tensor([1.0, float("nan")])[:, None, None, None] if len(calls) == 3 else views

    result = rendered(staged(transforms=(transforms.Custom(spoil),)))
    assert result.status[0] == "ok"
    assert result.status[1].startswith("stopped at step 2")
    # It is only resized from then on.
    assert torch.isfinite(result.images).all()


def test_parameters_that_no_image_gives_are_refused_where_stages_need_them():
    recipe = replace(staged(), parameterization=ph.parameterizations.CPPN(25, 31))
    with pytest.raises(ph.errors.ParameterError, match="cannot be found from an image"):
        rendered(recipe)


def test_a_recipe_with_too_many_steps_in_all_is_refused():
    with pytest.raises(ph.errors.ParameterError, match="at most 1000000 in all stages"):
        staged(steps=400_000)


def test_tiles_take_neither_transforms_nor_views():
    tiles = ph.conditioners.Tiles(16, 16)
    with pytest.raises(ph.errors.ParameterError, match="none beside tiles"):
        staged(tiles=tiles, transforms=(transforms.Jitter(2),))
    with pytest.raises(ph.errors.ParameterError, match="1 beside tiles"):
        staged(tiles=tiles, views=2)


def test_what_needs_the_whole_image_is_refused_with_tiles():
    original = ph.objectives.InputDifference(FrozenArray.of(random_images(1, 3, (25, 31))[0]))
    recipe = staged(tiles=ph.conditioners.Tiles(16, 16))
    with pytest.raises(ph.errors.ParameterError, match="needs the whole image, but the recipe looks at tiles"):
        rendered(recipe, UNITS[0] - original)
