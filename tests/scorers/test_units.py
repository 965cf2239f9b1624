"""Units of a network as a black box: what renders measure, never a gradient, and nothing is left behind."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import SIZE, activations, conv_net, gabor_net, linear_net, quick, random_images, wrapped
from torch import nn

import phosphene as ph
from phosphene import objectives as o
from phosphene._types import FrozenArray
from phosphene.errors import ArgumentError, ImageError, ParameterError, UnitRangeError, UnknownLayerError
from phosphene.scorers import UnitScorer, units

CPU = torch.device("cpu")
HOOKS = [name for name in vars(nn.Module()) if name.endswith("_hooks")]


def images(n=5, channels=3, size=SIZE, seed=0):
    return random_images(n, channels, size, seed, torch.float32)


def responses(box, seen):
    with box.open(CPU) as respond:
        return respond(seen)


def test_a_channels_response_is_its_mean_activation_and_a_neurons_its_activation():
    net = conv_net()
    acts = activations(net, "conv2", images().double())
    logits = activations(net, "classifier", images().double())
    found = responses(units(net, ph.Channel("conv2", 5), ph.Neuron("conv2", 3, (1, 4)), ph.Logit("dog")), images())
    expected = torch.stack([acts[:, 5].mean((1, 2)), acts[:, 3, 1, 4], logits[:, 1]], 1)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [SIZE, (7, 19), (31, 24)])
@pytest.mark.parametrize("net", [conv_net(), linear_net(size=(6, 5)), conv_net(1)], ids=["any", "fixed", "grey"])
def test_a_response_is_the_score_that_a_render_measures_of_the_clean_picture(net, size):
    objective = ph.Channel("conv2", 1) if hasattr(net.module, "conv2") else ph.Channel("out", 2)
    (seen,) = images(1, net.n_channels, size) * 0.9 + 0.05
    start = ph.Pixels(
        *size, channels=net.n_channels, start=seen, range="none", decorrelate="none", offset=(0.0,) * net.n_channels
    )
    rendered = quick(net, objective, parameterization=start, steps=0)
    found = responses(units(net, objective), rendered.images)
    torch.testing.assert_close(found[:, 0].float(), rendered.final_scores, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size", [SIZE, (17, 9)])
def test_a_response_depends_on_its_own_image_only(size):
    box, seen = units(conv_net(), ph.Channel("conv2", 0), ph.Logit(3)), images(11, size=size)
    with box.open(CPU) as respond:
        together = respond(seen)
        alone = torch.cat([respond(seen[i : i + 1]) for i in range(11)])
        others = respond(torch.cat([seen[:1], 1 - seen[1:]]))
        again = respond(seen)
    torch.testing.assert_close(alone, together, rtol=1e-6, atol=1e-7)
    assert torch.equal(others[0], together[0])
    assert torch.equal(again, together)
    assert torch.equal(responses(box, seen[:1]), alone[:1])


@pytest.mark.parametrize("batch_size", [1, 3, 11, 64])
def test_the_size_of_the_batches_does_not_matter(batch_size):
    net, seen = conv_net(), images(11)
    objectives = (ph.Channel("conv2", 0), ph.Logit(3), -ph.TotalVariation())
    expected = responses(units(net, *objectives), seen)
    found = responses(units(net, *objectives, batch_size=batch_size), seen)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_objectives_that_read_the_image_or_show_others_are_responses_too():
    net, seen = conv_net(), images(3)
    accentuation = o.Accentuation(ph.Channel("conv2", 1), "conv1", FrozenArray.of(seen[0]))
    found = responses(units(net, ph.TotalVariation(), accentuation, batch_size=2), seen)
    x = seen.double().numpy()
    per_image = [sum(np.abs(np.diff(one, axis=axis)).sum() for axis in (1, 2)) for one in x]
    ratio = found[:, 0].numpy() / np.array(per_image)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)
    assert float(found[0, 1]) != float(found[1, 1])


def test_a_network_that_takes_any_size_sees_images_as_they_are_if_told_so():
    net, seen = conv_net(), images(3, size=(20, 14))
    expected = activations(net, "conv2", seen.double())[:, 2].mean((1, 2))
    found = responses(units(net, ph.Channel("conv2", 2), resize=False), seen)[:, 0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    with pytest.raises(ImageError, match=r"views are \(20, 14\) pixels, but .* takes only \(6, 5\)"):
        responses(units(linear_net(), ph.Channel("out", 2), resize=False), seen)


class _NoWayBack(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        raise AssertionError("a black box was asked for a gradient")


class Guarded(nn.Module):
    """A network whose backward pass raises, and which writes down what it was shown."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.seen = []

    def forward(self, x):
        y = _NoWayBack.apply(self.conv(x))
        self.seen.append((x.requires_grad, y.requires_grad, torch.is_grad_enabled()))
        return y.mean((2, 3))

    def __deepcopy__(self, memo):
        raise TypeError("used itself, so that what it writes down can be read")


def test_a_unit_is_never_asked_for_a_gradient():
    net = wrapped(Guarded())
    seen = images().requires_grad_()
    with torch.enable_grad():
        box = units(net, ph.Channel("conv", 1), ph.Channel("", 2))
        net.module.seen.clear()
        with box.open(CPU) as respond:
            found = respond(seen)
            assert torch.is_grad_enabled()
    assert net.module.seen
    assert all(flags == (False, False, False) for flags in net.module.seen)
    assert not found.requires_grad
    assert found.grad_fn is None
    assert seen.grad is None
    assert all(q.grad is None and q.requires_grad for q in net.module.parameters())


def state_of(module):
    return (
        [[len(getattr(part, name) or ()) for name in HOOKS] for part in module.modules()],
        [part.training for part in module.modules()],
        [(q.requires_grad, None if q.grad is None else q.grad.tolist()) for q in module.parameters()],
        [v.tolist() for v in module.state_dict().values()],
        torch.get_rng_state().tolist(),
        torch.is_grad_enabled(),
        torch.get_num_threads(),
    )


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("make", [conv_net, lambda: wrapped(Guarded())], ids=["copied", "used itself"])
def test_the_network_and_the_images_are_left_as_they_were(make, fails):
    net = make()
    net.module.train()
    next(net.module.parameters()).grad = torch.ones_like(next(net.module.parameters()))
    layer = "conv2" if hasattr(net.module, "conv2") else "conv"
    box, seen = units(net, ph.Channel(layer, 1)), images()
    before, pixels = state_of(net.module), seen.clone()
    if fails:
        with pytest.raises(ImageError), box.open(CPU) as respond:
            respond(torch.cat([responses(box, seen)]))
    else:
        responses(box, seen)
    assert state_of(net.module) == before
    assert torch.equal(seen, pixels)


def test_units_work_within_inference_mode():
    net = conv_net()
    expected = responses(units(net, ph.Logit(0)), images())
    with torch.inference_mode():
        found = responses(units(net, ph.Logit(0)), images())
    assert torch.equal(found, expected)


def test_no_images_have_no_responses():
    assert responses(units(conv_net(), ph.Logit(0), ph.Logit(1)), torch.empty(0, 3, *SIZE)).shape == (0, 2)


def test_names_and_numbers_of_responses():
    net = conv_net()
    assert units(net, ph.Channel("conv2", 5)).name == "conv2:5"
    many = units(net, *(ph.Channel("conv2", i) for i in range(5)))
    assert many.name == "conv2:0, conv2:1, conv2:2 and 2 more"
    assert many.n_responses == 5


def test_the_record_says_network_weights_and_objectives():
    net = gabor_net()
    found = units(net, ph.Channel("", 0), batch_size=4).describe()
    assert found["kind"] == "units"
    assert found["network"] == {**net.source, "digest": net.digest}
    assert found["objectives"] == [ph.Channel("", 0).to_json()]
    assert (found["batch_size"], found["resize"]) == (4, True)


def test_what_is_no_unit_of_the_network_is_refused_at_once():
    net = conv_net()
    with pytest.raises(ArgumentError, match="net must come from ph.load or ph.wrap; got Sequential"):
        units(net.module, ph.Logit(0))
    with pytest.raises(ArgumentError, match="expected an objective such as .*; got 'conv2:1'"):
        units(net, "conv2:1")
    with pytest.raises(ParameterError, match="objectives is .*; expected at least one"):
        units(net)
    with pytest.raises(ParameterError, match="scores images by their company"):
        units(net, o.Diversity("conv2"))
    with pytest.raises(ParameterError, match="batch_size is 0; expected a whole number from 1"):
        units(net, ph.Logit(0), batch_size=0)
    with pytest.raises(ParameterError, match="batch_size is 4097; expected a whole number from 1 to 4096"):
        units(net, ph.Logit(0), batch_size=4097)
    with pytest.raises(UnknownLayerError, match="conv3"):
        units(net, ph.Channel("conv3", 0))
    with pytest.raises(UnitRangeError, match="6"):
        units(net, ph.Channel("conv2", 6))
    with pytest.raises(UnitRangeError, match="position"):
        units(net, ph.Neuron("conv2", 0, (9, 9)))
    assert isinstance(units(net, ph.Logit(0)), UnitScorer)


@pytest.mark.parametrize("wrong", ["images", torch.zeros(3, 12, 10), torch.zeros(1, 3, 12, 10).long()])
def test_what_are_no_images_is_refused(wrong):
    with pytest.raises(ImageError, match=r"expected a tensor of floating point numbers \(n, c, h, w\) in \[0, 1\]"):
        responses(units(conv_net(), ph.Logit(0)), wrong)


@pytest.mark.parametrize("value", [-0.1, 255.0, float("nan")])
def test_values_outside_zero_to_one_are_refused(value):
    seen = images()
    seen[2, 0, 0, 0] = value
    with pytest.raises(ImageError, match="images have values from .*; expected numbers in"):
        responses(units(conv_net(), ph.Logit(0)), seen)


def test_images_of_other_channels_are_refused():
    with pytest.raises(ImageError, match="views have 1 channels, but .* takes 3"):
        responses(units(conv_net(), ph.Logit(0)), images(2, 1))
