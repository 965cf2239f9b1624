"""Weighted groups of neurons, against literal slices."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import SIZE, activations, conv_net, nhwc_net, random_images, scores, token_net

import phosphene as ph
from phosphene._types import FrozenArray
from phosphene.errors import LayoutError, ParameterError, UnitRangeError
from phosphene.objectives import LocalGroup, WeightedChannels


def numbers(*shape, seed=0):
    return FrozenArray.of(np.random.default_rng(seed).normal(size=shape))


def close(net, wanted, images, expected, views=1):
    torch.testing.assert_close(
        scores(net, wanted, images, views=views), torch.as_tensor(np.asarray(expected)), rtol=1e-5, atol=1e-7
    )


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("size", [None, (1, 1), (3, 2), (6, 5)])
def test_a_group_is_the_mean_over_its_window_of_the_weighted_channels(channels, layout, size):
    net, layer = (conv_net(channels), "conv2") if layout == "NCHW" else (nhwc_net(channels), "norm")
    images = random_images(3, channels, SIZE)
    acts = activations(net, layer, images).numpy()
    acts = acts if layout == "NCHW" else np.moveaxis(acts, 3, 1)
    rows, columns = size or (1, 1)
    starts = [(0, 0), (6 - rows, 5 - columns), ((6 - rows) // 2, 0)]
    weights = [numbers(6, seed=i) for i in range(3)]
    cuts = [a[:, y : y + rows, x : x + columns].mean((1, 2)) for a, (y, x) in zip(acts, starts, strict=True)]
    wanted = [LocalGroup(layer, w, s, size) for w, s in zip(weights, starts, strict=True)]
    close(net, wanted, images, [c @ w.numpy().astype(float) for c, w in zip(cuts, weights, strict=True)])
    close(net, [LocalGroup(layer, None, s, size) for s in starts], images, [c.mean() for c in cuts])


def test_a_group_of_tokens_is_a_run_of_them():
    net, images = token_net(), random_images(4, 3, (12, 8))
    acts = activations(net, "mix", images).numpy()
    weights = numbers(8)
    expected = [acts[2 * i : 2 * i + 2, 2:5].mean((0, 1)) @ weights.numpy() for i in range(2)]
    close(net, [LocalGroup("mix", weights, (2,), (3,))] * 2, images, expected, views=2)


def test_one_position_and_one_weight_is_a_neuron_and_the_whole_layer_a_channel():
    net, images = conv_net(), random_images(2, 3, SIZE)
    hot = FrozenArray.of([0, 0, 0, 1, 0, 0])
    for place in (None, (2, 4)):
        close(
            net, [LocalGroup("conv2", hot, place)] * 2, images, scores(net, [ph.Neuron("conv2", 3, place)] * 2, images)
        )
    whole = scores(net, [LocalGroup("conv2", hot, (0, 0), (6, 5))] * 2, images)
    close(net, [ph.Channel("conv2", 3)] * 2, images, whole)
    weighed = [WeightedChannels("conv2", ((0, 0.5), (5, -2.0)))] * 2
    same = FrozenArray.of([0.5, 0, 0, 0, 0, -2.0])
    close(net, weighed, images, scores(net, [LocalGroup("conv2", same, (0, 0), (6, 5))] * 2, images))


@pytest.mark.parametrize(("size", "start"), [((1, 1), (3, 2)), ((2, 3), (2, 1)), ((3, 2), (2, 1)), ((6, 5), (0, 0))])
def test_a_window_without_a_place_is_centred(size, start):
    net, images = conv_net(), random_images(2, 3, SIZE)
    close(
        net,
        [LocalGroup("conv2", None, None, size)] * 2,
        images,
        scores(net, [LocalGroup("conv2", None, start, size)] * 2, images),
    )


def test_groups_of_one_size_share_one_gather():
    net, images = conv_net(), random_images(8, 3, SIZE)
    compiled = ph.objectives.compile_objectives(
        [LocalGroup("conv2", numbers(6, seed=i), (i % 4, 0), (3, 2)) for i in range(8)], net
    )
    calls, original = [], torch.Tensor.gather

    def gather(self, *args, **kwargs):
        calls.append(1)
        return original(self, *args, **kwargs)

    scene = ph.objectives.Scene(images, {"conv2": activations(net, "conv2", images)}, 1)
    torch.Tensor.gather = gather
    try:
        compiled(scene)
    finally:
        torch.Tensor.gather = original
    assert len(calls) == 1


def test_the_gradient_of_a_group_is_its_weights_within_the_window():
    net, images = conv_net(), random_images(1, 3, SIZE)
    acts = activations(net, "conv2", images).requires_grad_()
    compiled = ph.objectives.compile_objectives([LocalGroup("conv2", numbers(6), (1, 2), (3, 2))], net)
    compiled(ph.objectives.Scene(images, {"conv2": acts}, 1)).sum().backward()
    expected = torch.zeros(6, 6, 5, dtype=torch.float64)
    expected[:, 1:4, 2:4] = numbers(6).tensor().double()[:, None, None] / 6
    torch.testing.assert_close(acts.grad[0], expected)


@pytest.mark.parametrize(
    ("net", "objective", "error", "message"),
    [
        (
            conv_net,
            LocalGroup("conv2", None, (4, 0), (3, 1)),
            UnitRangeError,
            r"a window of \(3, 1\) from \(4, 0\) leaves layer 'conv2'",
        ),
        (conv_net, LocalGroup("conv2", None, None, (7, 1)), UnitRangeError, "leaves layer 'conv2'"),
        (conv_net, LocalGroup("conv2", numbers(5)), LayoutError, "has 6 channels; the group has 5 weights"),
        (conv_net, LocalGroup("conv2", None, (4,)), LayoutError, r"position \(4,\) does not fit layer 'conv2'"),
        (
            conv_net,
            LocalGroup("conv2", None, None, (4,)),
            LayoutError,
            r"size \(4,\) does not fit .* expected \(rows, columns\)",
        ),
        (token_net, LocalGroup("mix", None, None, (4, 1)), LayoutError, r"expected \(tokens,\) within \(6,\)"),
        (conv_net, LocalGroup("classifier"), LayoutError, "has no positions: .* use WeightedChannels"),
    ],
)
def test_a_group_that_does_not_fit_is_refused(net, objective, error, message):
    made = net()
    with pytest.raises(error, match=message):
        scores(made, [objective] * 2, random_images(2, 3, made.input_size))


def test_a_place_beyond_the_layer_is_refused_before_a_render():
    group = 2 * LocalGroup("conv2", None, (5, 4), (1, 2)) + ph.Channel("conv2", 0)
    with pytest.raises(UnitRangeError, match="leaves layer 'conv2'"):
        ph.objectives.check_positions(group, conv_net())
    with pytest.raises(UnitRangeError, match=r"position \(9, 9\) lies beyond"):
        ph.objectives.check_positions(ph.objectives.TargetLevel(ph.Neuron("conv2", 0, (9, 9)), 1.0), conv_net())
    ph.objectives.check_positions(LocalGroup("conv2", None, (5, 3), (1, 2)), conv_net())
    ph.objectives.check_positions(LocalGroup("conv2"), conv_net())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LocalGroup("a", numbers(2, 2)), r"weights is \(2, 2\); expected one number per channel"),
        (lambda: LocalGroup("a", None, (-1, 0)), r"position is \(-1, 0\); expected .* from 0"),
        (lambda: LocalGroup("a", None, None, (0, 1)), r"size is \(0, 1\); expected .* from 1"),
    ],
)
def test_parameters_out_of_range_are_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()
