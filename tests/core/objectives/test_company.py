"""Objectives that couple images, against literal loops over pairs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from members import COUPLED, name_of
from networks import SIZE, activations, conv_net, nhwc_net, quick, random_images, scores, token_net

import phosphene as ph
from phosphene.errors import LayoutError, ParameterError
from phosphene.objectives import Alignment, Diversity, Scene, compile_objectives

LAYOUTS = {
    "NCHW": (conv_net, "conv2", lambda a: a.reshape(a.shape[0], -1)),
    "NC": (conv_net, "classifier", lambda a: a[:, None]),
    "NHWC": (nhwc_net, "norm", lambda a: a.reshape(-1, a.shape[-1]).T),
    "NLC": (token_net, "mix", lambda a: a.T),
}
EVERY = pytest.mark.parametrize(
    ("layout", "channels", "n", "views"),
    [(x, c, n, v) for x in LAYOUTS for c, n, v in ((1, 4, 1), (3, 3, 2), (5, 1, 1))],
)


def case(layout, channels, n, views):
    make, layer, spread = LAYOUTS[layout]
    net = make(channels)
    images = random_images(n * views, channels, net.input_size)
    return net, layer, images, activations(net, layer, images).numpy(), spread


def literal_diversity(tables):
    """Lucid's total: the sum over ordered pairs of the products of normalised Gram matrices, over the number of images."""
    grams = []
    for table in tables:
        matrix = table @ table.T
        grams.append(matrix / np.sqrt(max((matrix**2).sum(), 1e-10)))
    n = len(grams)
    return sum((grams[i] * grams[j]).sum() for i in range(n) for j in range(n) if i != j) / n


def literal_alignment(acts, decay, reach=4):
    """Lucid's total: mean squared differences of images up to four apart."""
    total = 0.0
    for d in range(1, reach + 1):
        for i in range(len(acts) - d):
            total += ((acts[i] - acts[i + d]) ** 2).mean() / decay**d
    return total


@EVERY
def test_the_diversity_of_a_batch_is_a_literal_sum_over_pairs(layout, channels, n, views):
    net, layer, images, acts, spread = case(layout, channels, n, views)
    found = scores(net, [Diversity(layer)] * n, images, views=views).sum()
    expected = np.mean([literal_diversity([spread(a) for a in acts[k::views]]) for k in range(views)])
    assert found.item() == pytest.approx(expected, rel=1e-6, abs=1e-12)


@EVERY
@pytest.mark.parametrize("decay", [2.0, 5.0])
def test_the_alignment_of_a_batch_is_a_literal_sum_over_neighbours(layout, channels, n, views, decay):
    net, layer, images, acts, _ = case(layout, channels, n, views)
    found = scores(net, [Alignment(layer, decay)] * n, images, views=views).sum()
    expected = np.mean([literal_alignment(acts[k::views], decay) for k in range(views)])
    assert found.item() == pytest.approx(expected, rel=1e-6, abs=1e-12)


def total(objective, acts):
    """The batch's total for given activations of conv2."""
    net = conv_net()
    return compile_objectives([objective] * len(acts), net)(
        Scene(acts.new_zeros(len(acts), 3, 2, 2), {"conv2": acts}, 1)
    )


@pytest.mark.parametrize(("n", "expected"), [(1, 0.0), (2, 1.0), (4, 3.0)])
def test_identical_images_have_a_similarity_of_their_number_less_one(n, expected):
    acts = random_images(1, 6, (3, 4)).expand(n, -1, -1, -1)
    found = total(Diversity("conv2"), acts)
    assert found.sum().item() == pytest.approx(expected)
    torch.testing.assert_close(found, torch.full((n,), expected / n, dtype=torch.float64))


def test_orthogonal_gram_matrices_have_no_similarity():
    acts = torch.zeros(3, 6, 2, 2, dtype=torch.float64)
    for i in range(3):
        acts[i, i] = 1.0
    assert total(Diversity("conv2"), acts).abs().max() == 0


def test_a_silent_layer_has_no_similarity_and_no_undefined_gradient():
    acts = torch.zeros(2, 6, 2, 2, dtype=torch.float64, requires_grad=True)
    found = total(Diversity("conv2"), acts).sum()
    found.backward()
    assert found.item() == 0
    assert (acts.grad == 0).all()


@pytest.mark.parametrize("distance", [1, 2, 3, 4, 5])
def test_the_weights_of_an_alignment_are_halves_of_halves(distance):
    """Two equal outliers at a distance would hide each other's difference; one outlier shows the weights."""
    acts = torch.zeros(distance + 1, 6, 2, 2, dtype=torch.float64)
    acts[0] = 1.0
    expected = sum(0.5**d for d in range(1, min(distance, 4) + 1))
    assert total(Alignment("conv2"), acts).sum().item() == pytest.approx(expected)
    shares = total(Alignment("conv2"), acts).tolist()
    assert shares[1:] == pytest.approx([0.5**d / 2 if d <= 4 else 0.0 for d in range(1, distance + 1)])


@pytest.mark.parametrize("n", [1, 2, 6])
def test_equal_images_are_aligned(n):
    assert total(Alignment("conv2"), random_images(1, 6, (3, 4)).expand(n, -1, -1, -1)).abs().max() == 0


@pytest.mark.parametrize("objective", [Diversity("conv2"), Alignment("conv2"), Alignment("conv2", 3.0, 1)])
def test_gradients_are_those_of_finite_differences(objective):
    acts = random_images(3, 6, (2, 2)).requires_grad_()
    compiled, image = compile_objectives([objective] * 3, conv_net()), acts.new_zeros(3, 3, 2, 2)
    assert torch.autograd.gradcheck(
        lambda a: compiled(Scene(image, {"conv2": a}, 1)), (acts,), eps=1e-6, atol=1e-6, rtol=1e-5
    )


def test_no_python_loop_runs_over_pairs():
    """One product of matrices for all Gram matrices of a batch."""
    calls, original = [], torch.Tensor.__matmul__

    def matmul(self, other):
        calls.append(1)
        return original(self, other)

    torch.Tensor.__matmul__ = matmul
    try:
        total(Diversity("conv2"), random_images(16, 6, (3, 4)))
    finally:
        torch.Tensor.__matmul__ = original
    assert len(calls) == 1


def test_images_of_another_objective_are_no_company():
    net, images = conv_net(), random_images(4, 3, SIZE)
    coupled = ph.Channel("conv2", 1) - 2 * Diversity("conv2")
    both = scores(net, [coupled, ph.Channel("conv2", 0), coupled, ph.Layer("conv1")], images)
    torch.testing.assert_close(both[[0, 2]], scores(net, [coupled] * 2, images[[0, 2]]), rtol=1e-9, atol=1e-11)


def test_weights_of_the_images_multiply_their_shares():
    net, images = conv_net(), random_images(3, 3, SIZE)
    plain = scores(net, [Diversity("conv2")] * 3, images)
    weighed = scores(net, [-1.0 * Diversity("conv2"), 2.0 * Diversity("conv2"), 0.5 * Diversity("conv2")], images)
    torch.testing.assert_close(weighed, plain * torch.tensor([-1.0, 2.0, 0.5]))


def test_subtracted_similarity_makes_different_images():
    net, unit = conv_net(), ph.Channel("conv2", 1)
    options = {"steps": 30, "optimizer": ph.optimizers.Adam(0.1), "dtype": torch.float64}

    def unlikeness(weight):
        result = quick(net, [unit - weight * Diversity("conv2")] * 3, **options)
        return 2 - scores(net, [Diversity("conv2")] * 3, result.images.double()).sum().item()

    assert unlikeness(10.0) > 100 * unlikeness(0.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Alignment("a", 0.0), "decay_ratio is 0.0; expected a number above 0"),
        (lambda: Alignment("a", reach=0), "reach is 0; expected a whole number from 1"),
    ],
)
def test_parameters_out_of_range_are_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


def test_a_layer_without_channels_has_no_diversity():
    from networks import wrapped
    from torch import nn

    net = wrapped(nn.Sequential(nn.Unflatten(1, (3, 1)), nn.Flatten()))
    with pytest.raises(LayoutError, match="no channel axis that is known"):
        scores(net, [Diversity("0")], random_images(1, 3, SIZE))


@pytest.mark.parametrize("objective", [Diversity("a"), Alignment("a", 3.0, 2)])
def test_coupled_objectives_come_back_from_their_json_form(objective):
    assert ph.objectives.Objective.from_json(objective.to_json()) == objective
    assert "a" in str(objective)


@pytest.mark.parametrize("coupled", COUPLED, ids=name_of)
def test_a_coupled_batch_renders_the_same_bits_again_and_its_snapshots_tell_the_truth(coupled):
    net, wanted = conv_net(), [ph.Channel("conv2", i) - coupled for i in range(3)]
    options = {"transforms": ph.transforms.random_views(0.5, noise=0.1), "views": 2}
    long = quick(net, wanted, steps=3, snapshots=range(4), **options)
    assert torch.equal(long.images, quick(net, wanted, steps=3, **options).images)
    assert torch.equal(long.snapshots[2], quick(net, wanted, steps=2, **options).images)
    alone = quick(net, wanted[0], steps=3, **options)
    assert not torch.equal(alone.images[0], long.images[0])
