"""The painting network, against Lucid's written out pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import CPU, conv_net, quick, streams

import phosphene as ph
from phosphene.errors import ParameterError
from phosphene.parameterizations import CPPN
from phosphene.parameterizations.cppn import ACTIVATIONS, places


def canvas(parameterization, n=2, dtype=torch.float64, *, seed=0):
    made = parameterization.build(n, streams(n, seed).fork("start"), device=CPU, dtype=dtype)
    with torch.no_grad():
        # Away from grey, so that there is something to compare.
        for i, weights in enumerate(list(made.weights)[-1]):
            weights.copy_(torch.linspace(-0.4, 0.5 + i, weights.numel()).view_as(weights))
    return made


def activated(name, x):
    a = np.arctan(x)
    return {
        "composite": np.concatenate([a / 0.67, a**2 / 0.6], -1),
        "unbiased": np.concatenate([a / 0.67, (a**2 - 0.45) / 0.396], -1),
        "relu": (np.maximum(x, 0) - 0.40) / 0.58,
    }[name]


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(("channels", "size"), [(3, (6, 6)), (1, (5, 8)), (5, (9, 4))])
def test_each_pixel_is_painted_from_its_place_by_its_images_own_network(activation, normalize, channels, size):
    made = canvas(CPPN(*size, channels=channels, hidden=4, layers=3, activation=activation, normalize=normalize))
    images, step = made().detach(), 2 * np.sqrt(3) / (max(size) - 1)
    for i in range(2):
        y, x = np.meshgrid(*(step * (np.arange(k) - (k - 1) / 2) for k in size), indexing="ij")
        values = np.stack([x, y], -1)
        for layer in range(3):
            values = values @ made.weights[layer][i].detach().numpy().T + made.biases[layer][i, :, 0].detach().numpy()
            if normalize:
                values = (values - values.mean((0, 1))) / np.sqrt(values.var((0, 1)) + 1e-6)
            values = activated(activation, values)
        colors = values @ made.weights[3][i].detach().numpy().T + made.biases[3][i, :, 0].detach().numpy()
        np.testing.assert_allclose(images[i].permute(1, 2, 0), 1 / (1 + np.exp(-colors)), atol=1e-10)


def test_the_defaults_have_lucids_8451_weights_in_nine_layers():
    made = CPPN(4, 4).build(1, streams(1).fork("start"), device=CPU, dtype=torch.float32)
    assert sum(p.numel() for p in made.parameters()) == 8451
    assert len(made.weights) == 9


def test_the_constants_standardise_a_normal_input():
    """Composite: unit second moment of each half; unbiased and relu: mean 0 and unit variance; to the digits given."""
    x = np.random.default_rng(0).normal(size=2_000_000)
    a = np.arctan(x)
    assert np.sqrt((a**2).mean()) == pytest.approx(0.67, abs=0.002)
    assert np.sqrt((a**4).mean()) == pytest.approx(0.6, abs=0.002)
    assert (a**2).mean() == pytest.approx(0.45, abs=0.002)
    assert (a**2).std() == pytest.approx(0.396, abs=0.002)
    assert np.maximum(x, 0).mean() == pytest.approx(0.40, abs=0.002)
    assert np.maximum(x, 0).std() == pytest.approx(0.58, abs=0.005)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_start_is_grey_and_its_first_gradient_is_not_zero(channels):
    made = CPPN(7, 5, channels=channels).build(2, streams(2).fork("start"), device=CPU, dtype=torch.float64)
    assert (made() == 0.5).all()
    gradients = torch.autograd.grad(made().square().sum(), list(made.parameters()))
    assert any((g != 0).any() for g in gradients)


def test_hidden_weights_have_the_variance_of_their_fan_in_and_are_cut_at_two_standard_deviations():
    made = CPPN(4, 4, hidden=64, layers=3).build(4, streams(4).fork("start"), device=CPU, dtype=torch.float64)
    for weights, fan_in in zip(list(made.weights)[:-1], (2, 128, 128), strict=True):
        assert weights.std().item() * np.sqrt(fan_in) == pytest.approx(1, rel=0.1 if fan_in == 2 else 0.02)
        assert weights.abs().max().item() * np.sqrt(fan_in) <= 2 / 0.8796
    assert torch.cat([b.flatten() for b in list(made.biases)[:-1]]).std().item() == pytest.approx(0.1, rel=0.1)
    assert (made.biases[-1] == 0).all()


def test_places_are_lucids_on_a_square_and_square_pixels_elsewhere():
    line = np.linspace(-np.sqrt(3), np.sqrt(3), 9)
    np.testing.assert_allclose(places(9, 9)[0], np.tile(line, (9, 1)), atol=1e-12)
    np.testing.assert_allclose(places(9, 9)[1], np.tile(line[:, None], (1, 9)), atol=1e-12)
    np.testing.assert_allclose(places(9, 5)[0, 0], line[2:7], atol=1e-12)
    assert (places(1, 1) == 0).all()


def test_the_same_weights_are_drawn_at_every_size():
    made = canvas(CPPN(5, 5, hidden=6, layers=2))
    assert torch.equal(made.draw(5, 5), made().detach())
    # A grid of twice the density passes through the places of the coarse one.
    torch.testing.assert_close(made.draw(9, 9)[:, :, ::2, ::2], made().detach(), rtol=0, atol=1e-12)
    assert made.draw(3, 8).shape == (2, 3, 3, 8)
    assert not made.draw(9, 9).requires_grad


def test_images_have_networks_of_their_own():
    images = canvas(CPPN(6, 7), 3)()
    assert not torch.equal(images[0], images[1])


def test_adam_at_the_advised_rate_climbs():
    net = conv_net()
    made = CPPN(*net.input_size, hidden=8, layers=3)
    scores = quick(net, ph.Channel("conv2", 0), parameterization=made, optimizer=ph.optimizers.Adam(lr=0.005), steps=30)
    assert scores.scores[0][-1] > scores.scores[0][0] + 0.05


def test_its_weights_cannot_be_found_from_an_image():
    with pytest.raises(ParameterError, match="parameters of a CPPNCanvas cannot be found from an image"):
        canvas(CPPN(4, 4)).assign(torch.zeros(2, 3, 4, 4, dtype=torch.float64))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"height": 0}, "height is 0; expected a whole number from 1 to 16384"),
        ({"hidden": 0}, "hidden is 0; expected a whole number from 1 to 4096"),
        ({"layers": 65}, "layers is 65; expected a whole number from 1 to 64"),
        ({"channels": 0}, "channels is 0"),
        ({"activation": "tanh"}, "activation is 'tanh'; expected one of composite, unbiased, relu"),
    ],
)
def test_a_parameter_out_of_range_is_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        CPPN(**{"height": 4, "width": 4, **options})
