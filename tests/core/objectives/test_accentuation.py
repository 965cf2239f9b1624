"""Feature accentuation, against its formula on views worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from members import SEEING, name_of
from networks import SIZE, conv_net, quick, random_images, scores

import phosphene as ph
from phosphene._types import FrozenArray
from phosphene.errors import ImageError, ParameterError, UnknownLayerError
from phosphene.objectives import Accentuation, Scene, compile_objectives

UNIT = ph.Channel("conv2", 1)
SEED = FrozenArray.of(random_images(1, 3, SIZE, seed=9)[0])


class World:
    """A network and two views of each image: as it is, and flipped."""

    def __init__(self, objectives):
        self.net = conv_net()
        self.module = self.net.module.double()
        self.scorer = compile_objectives(objectives, self.net)

    def see(self, images):
        views = torch.stack([images, images.flip(3)], 1).flatten(0, 1)
        first = self.module.conv1(views)
        return {"conv1": first, "conv2": self.module.conv2(self.module.act1(first))}

    def scene(self, images, parameters=(), step=0):
        def see(others):
            with torch.no_grad():
                return self.see(others)

        return Scene(images, self.see(images), 2, step, parameters, see)

    def score(self, images, parameters=()):
        return self.scorer(self.scene(images, parameters))


def pieces(images, seeds, layer="conv1"):
    """The unit's mean over views, and the distance's, per image."""
    world = World([UNIT] * len(images))
    here, there = world.see(images), world.see(seeds)
    gains = here["conv2"][:, 1].mean((1, 2)).view(-1, 2)
    distances = (here[layer] - there[layer]).flatten(1).square().sum(1).sqrt().view(-1, 2)
    return gains.mean(1), distances.mean(1)


def seeds(n):
    return SEED.tensor(dtype=torch.float64).expand(n, -1, -1, -1)


def test_with_a_given_balance_it_is_the_feature_less_the_distance_of_matched_views():
    images = random_images(3, 3, SIZE)
    wanted = [
        Accentuation(UNIT, "conv1", SEED, strength=s, balance=b) for s, b in ((1.0, 0.5), (0.0, 1.0), (2.0, 0.25))
    ]
    gains, distances = pieces(images, seeds(3))
    expected = gains - torch.tensor([0.5, 0.0, 0.5]) * distances
    torch.testing.assert_close(World(wanted).score(images), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_the_distance_by_positions_is_the_mean_of_their_norms(layer):
    images = random_images(3, 3, SIZE)
    wanted = Accentuation(UNIT, layer, SEED, balance=0.5, distance="positions")
    world = World([wanted] * 3)
    here, there = world.see(images)[layer].detach().numpy(), world.see(seeds(3))[layer].detach().numpy()
    distances = []
    for a, b in zip(here, there, strict=True):
        norms = [np.linalg.norm(a[:, y, x] - b[:, y, x]) for y in range(a.shape[1]) for x in range(a.shape[2])]
        distances.append(np.mean(norms))
    expected = pieces(images, seeds(3))[0] - 0.5 * torch.tensor(distances).view(3, 2).mean(1)
    torch.testing.assert_close(world.score(images), expected, rtol=1e-9, atol=1e-12)


def literal_balance(images):
    """Sum of absolute gradients of the feature over that of the distance, image by image."""
    given = images.clone().requires_grad_()
    gains, distances = pieces(given, seeds(len(images)))
    gain, pull = (
        torch.autograd.grad(t.sum(), given, retain_graph=True)[0].abs().sum((1, 2, 3)) for t in (gains, distances)
    )
    return gain / pull


def test_the_balance_is_the_ratio_of_the_gradients_measured_once():
    first, second = random_images(3, 3, SIZE), random_images(3, 3, SIZE, seed=5)
    world = World([Accentuation(UNIT, "conv1", SEED, strength=0.75)] * 3)
    balance = literal_balance(first)
    for images in (first, second):
        parameter = images.clone().requires_grad_()
        gains, distances = pieces(images, seeds(3))
        found = world.score(parameter, (parameter,))
        torch.testing.assert_close(found, gains - 0.75 * balance * distances, rtol=1e-9, atol=1e-12)
    later = world.score(second).detach()
    torch.testing.assert_close(later, gains - 0.75 * balance * distances, rtol=1e-9, atol=1e-12)


def test_both_terms_pull_equally_hard_at_strength_one():
    images = random_images(2, 3, SIZE)
    parameter = images.clone().requires_grad_()
    world = World([Accentuation(UNIT, "conv1", SEED)] * 2)
    world.score(parameter, (parameter,))
    gains, distances = pieces(parameter, seeds(2))
    balance = (gains - world.score(parameter, (parameter,))) / distances
    pulls = [
        torch.autograd.grad(t.sum(), parameter, retain_graph=True)[0].abs().sum((1, 2, 3))
        for t in (gains, balance.detach() * distances)
    ]
    torch.testing.assert_close(*pulls, rtol=1e-9, atol=1e-12)


def test_at_the_seed_the_balance_waits_for_each_image_until_there_is_a_gradient():
    """The first image begins at the seed, where the distance is exactly 0 and has no direction; the second does not."""
    images = torch.cat([seeds(1), random_images(1, 3, SIZE)])
    world = World([Accentuation(UNIT, "conv1", SEED)] * 2)
    parameter = images.clone().requires_grad_()
    found = world.score(parameter, (parameter,))
    gains, distances = pieces(images, seeds(2))
    assert distances[0] == 0
    torch.testing.assert_close(found[0], gains[0])
    (gradient,) = torch.autograd.grad(found.sum(), parameter)
    assert torch.isfinite(gradient).all()
    moved = random_images(2, 3, SIZE, seed=3)
    parameter = moved.clone().requires_grad_()
    found = world.score(parameter, (parameter,))
    balance = torch.stack([literal_balance(moved)[0], literal_balance(images[1:])[0]])
    gains, distances = pieces(moved, seeds(2))
    torch.testing.assert_close(found, gains - balance * distances, rtol=1e-9, atol=1e-12)


def test_without_gradients_nothing_is_measured_and_the_balance_is_one():
    images = random_images(2, 3, SIZE)
    gains, distances = pieces(images, seeds(2))
    found = World([Accentuation(UNIT, "conv1", SEED, strength=0.25)] * 2).score(images)
    torch.testing.assert_close(found, gains - 0.25 * distances, rtol=1e-9, atol=1e-12)


def test_a_feature_without_gradient_leaves_the_balance_alone():
    images = random_images(2, 3, SIZE)
    parameter = images.clone().requires_grad_()
    found = World([Accentuation(ph.objectives.Constant(2.0), "conv1", SEED)] * 2).score(parameter, (parameter,))
    torch.testing.assert_close(found, 2 - pieces(images, seeds(2))[1], rtol=1e-9, atol=1e-12)


def test_among_other_objectives_each_image_keeps_its_own_parameters():
    images = random_images(4, 3, SIZE)
    accent = Accentuation(UNIT, "conv1", SEED)
    mixed = World([UNIT, accent, ph.Layer("conv1"), accent])
    parameter = images.clone().requires_grad_()
    found = mixed.score(parameter, (parameter,))[[1, 3]]
    alone = images[[1, 3]].clone().requires_grad_()
    torch.testing.assert_close(found, World([accent] * 2).score(alone, (alone,)), rtol=1e-9, atol=1e-12)


def test_unused_parameters_are_no_part_of_the_balance():
    images = random_images(2, 3, SIZE)
    parameter, unused = images.clone().requires_grad_(), torch.zeros(2, 3, requires_grad=True)
    found = World([Accentuation(UNIT, "conv1", SEED)] * 2).score(parameter, (parameter, unused))
    again = World([Accentuation(UNIT, "conv1", SEED)] * 2).score(parameter, (parameter,))
    assert torch.equal(found, again)


def test_two_runs_share_no_balance():
    objective = Accentuation(UNIT, "conv1", SEED)
    found = []
    for seed in (0, 1):
        parameter = random_images(1, 3, SIZE, seed=seed).requires_grad_()
        World([objective]).score(parameter, (parameter,))
        found.append(World([objective]).score(parameter, (parameter,)))
    fresh = random_images(1, 3, SIZE, seed=1).requires_grad_()
    assert torch.equal(World([objective]).score(fresh, (fresh,)), found[1])


@pytest.mark.parametrize("objective", SEEING, ids=name_of)
def test_an_accentuation_comes_back_from_its_json_form(objective):
    assert ph.objectives.Objective.from_json(objective.to_json()) == objective


@pytest.mark.parametrize("views", [1, 2])
def test_an_accentuation_renders_near_its_seed_and_drives_its_unit(views):
    net = conv_net()
    start = SEED.numpy()
    options = {
        "parameterization": ph.Pixels(*SIZE, start=start),
        "steps": 40,
        "transforms": ph.transforms.random_views(0.8, noise=0.02),
        "views": views,
        "dtype": torch.float64,
    }

    def distance(strength):
        result = quick(net, Accentuation(UNIT, "conv1", SEED, strength=strength), **options)
        gain = scores(net, [UNIT], result.images.double()) - scores(net, [UNIT], seeds(1))
        return float(np.abs(result.images[0].numpy() - start).mean()), gain.item()

    loose, tight = distance(0.0), distance(1.0)
    assert tight[0] < 0.7 * loose[0]
    assert 0 < tight[1] < loose[1]


def test_a_seed_with_other_channels_is_refused():
    wrong = FrozenArray.of(np.zeros((2, 4, 4)))
    with pytest.raises(ImageError, match="the given image has 2 channels, the rendered ones have 3"):
        World([Accentuation(UNIT, "conv1", wrong)]).score(random_images(1, 3, SIZE))


def test_a_scene_without_a_network_is_refused():
    with pytest.raises(ParameterError, match="this scene shows no other images"):
        scores(conv_net(), [Accentuation(UNIT, "conv1", SEED)], random_images(1, 3, SIZE))


def test_an_unknown_layer_is_refused():
    with pytest.raises(UnknownLayerError, match="conv9"):
        compile_objectives([Accentuation(UNIT, "conv9", SEED)], conv_net())


@pytest.mark.parametrize(
    ("options", "message"),
    [({"strength": -1.0}, "strength is -1.0; expected a number from 0"), ({"balance": -1.0}, "balance is -1.0")],
)
def test_parameters_out_of_range_are_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        Accentuation(UNIT, "conv1", SEED, **options)


def test_a_seed_that_is_no_image_is_refused():
    with pytest.raises(ParameterError, match=r"image is \(2, 3\); expected an image"):
        Accentuation(UNIT, "conv1", FrozenArray.of(np.zeros((2, 3))))


@pytest.mark.parametrize("objective", SEEING, ids=name_of)
def test_an_accentuation_is_the_same_alone_again_and_in_company_and_its_snapshots_tell_the_truth(objective):
    net = conv_net()
    options = {"transforms": ph.transforms.random_views(0.5, noise=0.1), "views": 2, "dtype": torch.float64}
    long = quick(net, objective, steps=3, snapshots=range(4), **options)
    assert torch.equal(long.images, quick(net, objective, steps=3, **options).images)
    assert torch.equal(long.snapshots[2], quick(net, objective, steps=2, **options).images)
    company = quick(net, [ph.Channel("conv2", 3), objective, ph.Layer("conv1")], steps=3, **options)
    torch.testing.assert_close(company.images[1], long.images[0], rtol=0, atol=1e-6)


def test_an_accentuation_climbs_by_a_line_search_and_by_normalised_steps():
    net = conv_net()
    options = {"parameterization": ph.Pixels(*SIZE, start=SEED.numpy()), "steps": 3}
    for optimizer in (ph.optimizers.LBFGS(), ph.optimizers.NormalizedAscent(0.01)):
        result = quick(net, Accentuation(UNIT, "conv1", SEED, strength=0.1), optimizer=optimizer, **options)
        assert torch.isfinite(result.images).all()
        assert result.scores[0][-1] > result.scores[0][0]


def test_the_rounding_of_a_start_image_is_no_distance():
    net, seed = conv_net(), random_images(1, 3, SIZE, dtype=torch.float32)[0]
    unit = ph.Channel("conv2", 1)
    objective = Accentuation(unit, "conv1", FrozenArray.of(seed), strength=5.0, balance=1.0)
    canvas = ph.Fourier(*SIZE, start=seed)
    options = {"transforms": (), "views": 1, "steps": 1, "optimizer": ph.optimizers.SGD(lr=0.1), "progress": False}
    held = ph.render(net, objective, canvas, **options)
    free = ph.render(net, unit, canvas, **options)
    torch.testing.assert_close(held.images, free.images, rtol=0, atol=1e-6)
