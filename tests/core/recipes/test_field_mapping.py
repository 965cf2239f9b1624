"""Fields of units by their gradients: analytic boxes, literal slopes, populations, tokens."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from networks import conv_net, linear_net, nhwc_net, random_images, seeded, token_net, wrapped
from torch import nn

import phosphene as ph
from phosphene.errors import ArgumentError, ImageError, LayoutError, ParameterError, UnitRangeError
from phosphene.functional.placing import Box
from phosphene.models.receptive_field import receptive_fields
from phosphene.recipes.field_map import FieldMap
from phosphene.recipes.field_mapping import receptive_field


def stack():
    """Convolutions, a dilated one, pools and strides, with padding and without."""
    layers = OrderedDict(
        a=nn.Conv2d(2, 4, 3, padding=1),
        b=nn.SiLU(),
        c=nn.Conv2d(4, 4, 3, stride=2, padding=1),
        d=nn.AvgPool2d(2),
        e=nn.Conv2d(4, 3, 3, padding=2, dilation=2),
        f=nn.Conv2d(3, 3, (1, 3)),
    )
    return wrapped(seeded(nn.Sequential(layers)), size=(36, 44), channels=2)


def analytic(net, layer, position):
    field = receptive_fields(net)[layer]
    top, left = (field.offset[axis] + field.stride[axis] * position[axis] for axis in (0, 1))
    return Box(top, left, top + field.size[0], left + field.size[1]).within(*net.input_size)


@pytest.mark.parametrize("layer", ["a", "c", "d", "e", "f"])
@pytest.mark.parametrize("place", [(0, 0), (0.5, 0.5), (0.99, 0.99), (0, 0.5), (0.99, 0)])
def test_the_box_of_a_stack_of_convolutions_is_the_analytic_field_cut_at_the_border(layer, place):
    net = stack()
    rows, columns = net.layer(layer).shape[2:]
    position = (int(place[0] * rows), int(place[1] * columns))
    found = receptive_field(net, ph.Neuron(layer, 1, position), n_images=6)
    assert found.box == analytic(net, layer, position)
    core = found.core
    assert core.within(*net.input_size) == core
    assert core.top >= found.box.top
    assert core.right <= found.box.right


@pytest.mark.parametrize("batch_size", [1, 3, 20])
def test_the_map_is_the_mean_absolute_slope(batch_size):
    net, images = conv_net(), random_images(4, 3, (12, 10), dtype=torch.float32)
    found = receptive_field(net, ph.Neuron("conv2", 2, (1, 3)), images=images, batch_size=batch_size)
    module, expected = net.module.double().eval(), torch.zeros(12, 10, dtype=torch.float64)
    for image in images.double():
        leaf = net.preprocess(image[None]).requires_grad_()
        module.conv2(module.act1(module.conv1(leaf)))[0, 2, 1, 3].backward()
        for channel in range(3):
            expected += leaf.grad[0, channel].abs() / 3 / len(images)
    module.float()
    torch.testing.assert_close(found.values, expected, rtol=1e-4, atol=1e-7)
    assert found.size == (12, 10)


def test_noise_is_seeded_and_uniform():
    net, unit = conv_net(), ph.Neuron("conv2", 2)
    one, same, other = (receptive_field(net, unit, n_images=5, seed=s) for s in (0, 0, 1))
    assert torch.equal(one.values, same.values)
    assert not torch.equal(one.values, other.values)
    drawn = torch.rand(5, 3, 12, 10, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(receptive_field(net, unit, images=drawn).values, one.values, rtol=0, atol=0)


def test_a_populations_map_is_the_weighted_mean_of_its_units_and_slopes_do_not_cancel():
    net, images = conv_net(), random_images(3, 3, (12, 10), dtype=torch.float32)
    unit, other = ph.Neuron("conv2", 2, (1, 3)), ph.Neuron("conv1", 0, (10, 2))
    one, two = (receptive_field(net, u, images=images).values for u in (unit, other))
    found = receptive_field(net, [unit, other], weights=[3.0, 1.0], images=images).values
    torch.testing.assert_close(found, (3 * one + two) / 4, rtol=1e-6, atol=1e-9)
    both = receptive_field(net, [unit, -1.0 * unit], images=images).values
    torch.testing.assert_close(both, one, rtol=1e-6, atol=1e-9)


def test_the_gaussian_of_a_gabor_shaped_unit_lies_where_the_unit_does():
    kernel = torch.zeros(1, 1, 24, 30)
    y, x = torch.meshgrid(torch.arange(24.0), torch.arange(30.0), indexing="ij")
    kernel[0, 0] = torch.exp(-((x - 18) ** 2) / (2 * 3.0**2) - (y - 9) ** 2 / (2 * 2.0**2))
    module = nn.Conv2d(1, 1, (24, 30), bias=False)
    module.weight.data = kernel
    found = receptive_field(wrapped(module, size=(24, 30), channels=1), ph.Channel("", 0), n_images=1).gaussian
    assert (found.x0, found.y0, found.sigma_x, found.sigma_y) == pytest.approx((18, 9, 3, 2), abs=1e-3)
    assert found.r_squared == pytest.approx(1.0, abs=1e-6)


def test_a_token_sees_its_patch_and_its_layer_needs_one_number():
    net = token_net()
    found = receptive_field(net, ph.Neuron("mix", 3, (3,)), n_images=4)
    assert found.box == Box(4, 4, 8, 8)
    with pytest.raises(LayoutError, match=r"position \(1, 1\) does not fit layer 'mix'; expected \(token,\)"):
        receptive_field(net, ph.Neuron("mix", 3, (1, 1)))


def test_tokens_after_attention_see_the_whole_image():
    class Attending(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches = nn.Conv2d(3, 8, 4, stride=4)
            self.mix = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

        def forward(self, x):
            return self.mix(self.patches(x).flatten(2).transpose(1, 2))

    net = wrapped(seeded(Attending()), size=(12, 8))
    assert receptive_field(net, ph.Neuron("mix", 3, (3,)), n_images=4).box == Box(0, 0, 12, 8)


def test_channels_last_layers_and_vectors_have_fields_too():
    net = nhwc_net()
    assert receptive_field(net, ph.Neuron("norm", 1, (2, 2)), n_images=3).box == Box(3, 3, 6, 6)
    whole = receptive_field(linear_net(), ph.Channel("out", 1), n_images=2)
    assert whole.box == Box(0, 0, 6, 5)
    with pytest.raises(LayoutError, match="has no positions: its output is .*; use a Channel"):
        receptive_field(linear_net(), ph.Neuron("out", 1))


def test_stimuli_are_placed_in_the_core_and_cut_out_again():
    values = torch.zeros(8, 9, dtype=torch.float64)
    values[2:5, 3:7] = 1.0
    values[1, 1] = 1e-3
    field = FieldMap(values)
    assert (field.box, field.core) == (Box(1, 1, 5, 7), Box(2, 3, 5, 7))
    assert field.bounds(least=0.5) == field.core
    assert int(field.mask().sum()) == 12
    stimulus = random_images(2, 3, (3, 4))
    shown = field.place(stimulus, background=0.2)
    assert shown.shape == (2, 3, 8, 9)
    assert torch.equal(field.crop(shown), stimulus)
    assert float(shown[0, 0, 0, 0]) == pytest.approx(0.2)
    assert field.place(stimulus, box=field.box).shape == (2, 3, 8, 9)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda n: receptive_field(n, "conv2"), ArgumentError, "expected a unit such as ph.Neuron"),
        (lambda n: receptive_field(n, []), ArgumentError, "expected a unit such as ph.Neuron"),
        (lambda n: receptive_field(n, ph.Neuron("conv2", 0, (9, 9))), UnitRangeError, "lies beyond layer 'conv2'"),
        (
            lambda n: receptive_field(n, UNIT, weights=[1.0, 2.0]),
            ParameterError,
            "weights is .*one from 0 for each of 1",
        ),
        (lambda n: receptive_field(n, UNIT, weights=[0.0]), ParameterError, "not all of them 0"),
        (lambda n: receptive_field(n, UNIT, n_images=0), ParameterError, "n_images is 0"),
        (lambda n: receptive_field(n, UNIT, batch_size=0), ParameterError, "batch_size is 0"),
        (lambda n: receptive_field(n, UNIT, images=torch.zeros(3, 12, 10)), ImageError, r"expected \(n, 3, 12, 10\)"),
        (lambda n: receptive_field(n, UNIT, images=torch.full((1, 3, 12, 10), torch.nan)), ImageError, "not finite"),
        (lambda n: receptive_field(n, UNIT, n_images=1.5), ParameterError, "n_images is 1.5; expected a whole number"),
        (lambda n: receptive_field(n, UNIT, batch_size=1.5), ParameterError, "batch_size is 1.5; expected a whole"),
        (lambda n: receptive_field(n, UNIT, images=torch.ones(1, 3, 12, 10).byte()), ImageError, "are torch.uint8"),
        (lambda n: receptive_field(n, UNIT, images=[[0.5]]), ImageError, "images are list; expected a tensor"),
        (
            lambda n: receptive_field(n, UNIT, images=torch.full((1, 3, 12, 10), 1.5)),
            ImageError,
            "from 1.5 to 1.5; exp",
        ),
        (
            lambda n: receptive_field(n, [UNIT, ph.objectives.Similarity()]),
            ParameterError,
            "scores images by their company; a field is of what scores each on its own",
        ),
        (lambda n: FieldMap(torch.zeros(4, 5)).box, ParameterError, "no pixel changes the unit's response .*ReLU"),
        (lambda n: FieldMap(torch.eye(5)).bounds(least=-1.0), ParameterError, "least is -1.0"),
        (lambda n: FieldMap(torch.eye(5)).mask(share=2.0), ParameterError, "share is 2.0"),
        (lambda n: FieldMap(torch.eye(5)).crop(torch.zeros(3, 4, 4)), ImageError, r"expected \(5, 5\) rows"),
    ],
)
def test_what_has_no_field_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(conv_net())


UNIT = ph.Neuron("conv2", 0)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode], ids=["no_grad", "inference_mode"])
@pytest.mark.parametrize("given", [False, True], ids=["noise", "images"])
def test_the_map_is_the_same_in_whatever_mode_it_is_asked_for(mode, given):
    net, unit = conv_net(), ph.Neuron("conv2", 2, (1, 3))
    images = random_images(3, 3, (12, 10), dtype=torch.float32) if given else None
    expected = receptive_field(net, unit, images=images, n_images=3)
    with mode():
        within = images.clone() if images is not None else None
        found = receptive_field(net, unit, images=within, n_images=3)
        assert found.box == expected.box
        assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == (False, mode is torch.inference_mode)
    assert torch.equal(found.values, expected.values)
    assert all(p.grad is None for p in net.module.parameters())


@pytest.mark.parametrize("unit_of_response", [1e-12, 1.0, 1e9])
def test_boxes_do_not_depend_on_the_unit_of_the_response(unit_of_response):
    net = stack()
    unit = ph.Neuron("e", 1, (3, 4))
    expected = receptive_field(net, unit, n_images=4)
    found = receptive_field(net, unit_of_response * unit, n_images=4)
    assert (found.box, found.core) == (expected.box, expected.core)
    values = torch.full((6, 6), 1e-30, dtype=torch.float64)
    values[2, 3], values[4, 4] = unit_of_response, 1e-5 * unit_of_response
    assert FieldMap(values).core == Box(2, 3, 3, 4)
    assert FieldMap(values).box == Box(2, 3, 5, 5)


def test_a_silent_unit_and_one_that_reads_no_image_have_an_empty_map():
    net = wrapped(
        nn.Sequential(OrderedDict(conv=nn.Conv2d(1, 1, 3, padding=1), act=nn.ReLU())), size=(6, 6), channels=1
    )
    nn.init.constant_(net.module.conv.bias, -100.0)
    assert float(receptive_field(net, ph.Neuron("act", 0), n_images=3).values.max()) == 0
    constant = receptive_field(net, ph.objectives.Constant(2.0), n_images=2)
    assert float(constant.values.max()) == 0
