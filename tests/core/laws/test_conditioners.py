"""The laws over every conditioner, projection, schedule of stages and override."""

from __future__ import annotations

import json

import members
import pytest
import torch
import torch.nn.functional as F
from members import CONDITIONERS, IDLE_PROJECTIONS, OVERRIDES, PROJECTIONS, STAGES, name_of
from networks import random_images

from phosphene import conditioners, projections, stages
from phosphene._component import Component
from phosphene._references import BIBLIOGRAPHY
from phosphene.models import overrides

SHAPES = [(3, 3, (12, 10)), (1, 1, (9, 7)), (2, 5, (5, 14)), (2, 1, (1, 6)), (3, 2, (1, 1))]
EVERYTHING: tuple[Component, ...] = (
    *CONDITIONERS,
    *PROJECTIONS,
    *STAGES,
    *OVERRIDES,
    conditioners.Tiles(),
    conditioners.Tiles(3, 4, "matlab", roll=False),
)
BASES = (conditioners.Conditioner, projections.Projection, stages.Stages, overrides.Override, conditioners.Tiles)


@pytest.mark.parametrize(
    ("room", "base", "listed"),
    [
        (conditioners, conditioners.Conditioner, CONDITIONERS),
        (projections, projections.Projection, PROJECTIONS),
        (stages, stages.Stages, STAGES),
        (overrides, overrides.Override, OVERRIDES),
    ],
)
def test_every_member_of_a_room_is_in_the_list(room, base, listed):
    assert members.concrete(room, base) == {type(member) for member in listed}


@pytest.mark.parametrize("component", EVERYTHING, ids=name_of)
def test_a_component_comes_back_from_its_json_form(component):
    base = next(b for b in BASES if isinstance(component, b))
    again = base.from_json(json.loads(json.dumps(component.to_json())))
    assert again == component
    assert hash(again) == hash(component)
    assert again.to_json() == component.to_json()


@pytest.mark.parametrize("component", EVERYTHING, ids=name_of)
def test_what_a_component_cites_is_in_the_bibliography(component):
    assert set(component.cites) <= set(BIBLIOGRAPHY)


def noise(n, channels, size):
    return random_images(n, channels, size) - 0.4


@pytest.mark.parametrize("conditioner", CONDITIONERS, ids=name_of)
@pytest.mark.parametrize(("n", "channels", "size"), SHAPES)
def test_a_conditioned_gradient_depends_on_its_own_image_only(conditioner, n, channels, size):
    gradient = noise(n, channels, size)
    together = conditioner.condition(gradient.clone(), 3)
    assert together.shape == gradient.shape
    assert together.dtype == gradient.dtype
    assert together.isfinite().all()
    for i in range(n):
        alone = conditioner.condition(gradient[i : i + 1].clone(), 3)
        torch.testing.assert_close(together[i : i + 1], alone, rtol=0, atol=1e-13)


@pytest.mark.parametrize("conditioner", CONDITIONERS, ids=name_of)
def test_no_gradient_stays_no_gradient(conditioner):
    assert conditioner.condition(torch.zeros(2, 3, 7, 6), 0).abs().max() == 0


@pytest.mark.parametrize("conditioner", CONDITIONERS, ids=name_of)
def test_the_order_in_memory_does_not_matter(conditioner):
    gradient = noise(2, 3, (8, 6))
    last = gradient.clone(memory_format=torch.channels_last)
    torch.testing.assert_close(
        conditioner.condition(last, 0), conditioner.condition(gradient.clone(), 0), rtol=0, atol=1e-13
    )


@pytest.mark.parametrize("projection", PROJECTIONS, ids=name_of)
@pytest.mark.parametrize(("n", "channels", "size"), SHAPES)
def test_a_projected_image_depends_on_itself_only(projection, n, channels, size):
    images = random_images(n, channels, size)
    before = images.clone()
    together = projection.project(images, 3)
    assert torch.equal(images, before)
    assert together.shape == images.shape
    assert together.dtype == images.dtype
    assert together.isfinite().all()
    for i in range(n):
        alone = projection.project(images[i : i + 1], 3)
        torch.testing.assert_close(together[i : i + 1], alone, rtol=0, atol=1e-13)


@pytest.mark.parametrize("projection", IDLE_PROJECTIONS, ids=name_of)
@pytest.mark.parametrize(("n", "channels", "size"), SHAPES)
def test_a_projection_without_effect_is_the_identity(projection, n, channels, size):
    images = random_images(n, channels, size)
    torch.testing.assert_close(projection.project(images, 0), images, rtol=0, atol=1e-15)


@pytest.mark.parametrize("conditioner", [conditioners.BlurGradient(0.0), conditioners.SmoothGradient(0.0)])
def test_a_conditioner_without_effect_is_the_identity(conditioner):
    gradient = noise(2, 3, (7, 6))
    assert torch.equal(conditioner.condition(gradient.clone(), 0), gradient)


@pytest.mark.parametrize(
    "projection",
    [p for p in PROJECTIONS if isinstance(p, projections.Clip | projections.FixNorm | projections.FixContrast)]
    + [projections.Quantize(4), projections.ClipSmallNorm(0.0)],
    ids=name_of,
)
def test_projecting_twice_is_projecting_once(projection):
    once = projection.project(random_images(2, 3, (7, 6)), 0)
    torch.testing.assert_close(projection.project(once, 0), once, rtol=0, atol=1e-14)


def walk(schedule, start):
    """The images with which the stages begin, when each adds a ramp."""
    enter, image, begun = schedule.begin(start), start, []
    for stage, size in enumerate(schedule.sizes(*start.shape[2:])):
        image = enter(stage, image)
        assert tuple(image.shape) == (*start.shape[:2], *size)
        begun.append(image.clone())
        image = image + torch.linspace(0, 1, size[1], dtype=image.dtype)
    return begun


@pytest.mark.parametrize("schedule", STAGES, ids=name_of)
@pytest.mark.parametrize(("n", "channels", "size"), SHAPES[:3])
def test_a_stage_begins_from_its_own_image_only_and_leaves_the_start(schedule, n, channels, size):
    start = random_images(n, channels, size)
    before = start.clone()
    together = walk(schedule, start)
    assert torch.equal(start, before)
    for i in range(n):
        for one, all_ in zip(walk(schedule, start[i : i + 1]), together, strict=True):
            torch.testing.assert_close(all_[i : i + 1], one, rtol=0, atol=1e-14)


@pytest.mark.parametrize("schedule", STAGES, ids=name_of)
def test_a_schedule_keeps_nothing_between_two_renders(schedule):
    start = random_images(1, 3, (12, 10))
    first, second = walk(schedule, start), walk(schedule, start)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("schedule", STAGES, ids=name_of)
def test_every_stage_has_steps_if_the_recipe_has(schedule):
    counts = [schedule.n_steps(stage, 10) for stage in range(len(schedule.sizes(12, 10)))]
    assert all(count >= 10 for count in counts)
    assert all(schedule.n_steps(stage, 0) == 0 for stage in range(len(counts)))


def net(x):
    return F.max_pool2d(F.relu6(torch.relu(x) - 0.2), 2).sum()


@pytest.mark.parametrize("override", OVERRIDES, ids=name_of)
@pytest.mark.parametrize(("n", "channels", "size"), [(3, 3, (6, 8)), (2, 1, (4, 5)), (4, 5, (3, 2))])
def test_an_overridden_gradient_depends_on_its_own_image_only(override, n, channels, size):
    images = 4 * noise(n, channels, size)
    images[0] = -1

    def gradient(rows):
        x = images[rows].clone().requires_grad_()
        with overrides.overriding(override):
            value = net(x)
        assert torch.equal(value, net(x))
        return torch.autograd.grad(value, x)[0]

    together = gradient(slice(None))
    for i in range(n):
        torch.testing.assert_close(together[i : i + 1], gradient(slice(i, i + 1)), rtol=0, atol=1e-14)


@pytest.mark.parametrize("override", OVERRIDES, ids=name_of)
def test_gradients_of_a_loss_mirror_those_of_a_score(override):
    x = (4 * noise(2, 3, (6, 4))).requires_grad_()
    with overrides.overriding(override):
        score = net(x)
    with overrides.overriding(override, ascent=False):
        loss = -net(x)
    mirrored = -torch.autograd.grad(loss, x)[0]
    torch.testing.assert_close(mirrored, torch.autograd.grad(score, x)[0], rtol=0, atol=0)
