"""What a vector says of the classes, in closed form."""

from __future__ import annotations

import networks
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from phosphene.atlas.activations.classes import class_attributions


def drawn(n: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    return draw.normal(size=(n, channels)).astype(np.float32), draw.normal(size=channels).astype(np.float32)


def test_behind_a_pool_it_is_the_matrix_times_the_difference() -> None:
    net = networks.conv_net()
    vectors, reference = drawn(40, 6)
    matrix = net.module.get_submodule("classifier").weight.detach().numpy()
    found = class_attributions(net, "act2", vectors, reference=reference)
    assert found.shape == (40, 5)
    assert np.allclose(found, (vectors - reference) @ matrix.T, atol=1e-5)


def test_behind_a_curved_function_it_is_the_difference_of_the_answers() -> None:
    net = networks.token_net()
    vectors, reference = drawn(5, 8)
    matrix = net.module.get_submodule("head").weight.detach().numpy()
    expected = (np.tanh(vectors) - np.tanh(reference)) @ matrix.T
    assert np.allclose(class_attributions(net, "mix", vectors, reference=reference), expected, atol=1e-5)


def test_channels_may_come_last() -> None:
    net = networks.nhwc_net()
    vectors, reference = drawn(5, 6)
    matrix = net.module.get_submodule("head").weight.detach().numpy()
    expected = (np.tanh(vectors) - np.tanh(reference)) @ matrix.T
    assert np.allclose(class_attributions(net, "norm", vectors, reference=reference), expected, atol=1e-5)


def test_at_the_output_it_is_the_difference_itself() -> None:
    vectors, reference = drawn(3, 5)
    found = class_attributions(networks.conv_net(), "classifier", vectors, reference=reference)
    assert np.allclose(found, vectors - reference, atol=1e-6)


def test_the_sum_along_the_way_is_the_integral_of_the_gradient() -> None:
    net = networks.conv_net()
    vectors, reference = drawn(1, 4)
    module = net.module.double()
    start, end = torch.from_numpy(reference).double(), torch.from_numpy(vectors[0]).double()
    total, n = np.zeros(5), 100
    for i in range(n):
        place = (start + (i + 0.5) / n * (end - start))[None, :, None, None].expand(1, 4, *networks.SIZE)
        place = place.clone().requires_grad_()
        slopes = [
            torch.autograd.grad(logit, place, retain_graph=True)[0].sum((0, 2, 3)) for logit in module[1:](place)[0]
        ]
        total += [float(slope @ (end - start)) / n for slope in slopes]
    found = class_attributions(networks.conv_net(), "conv1", vectors, reference=reference)[0]
    assert np.allclose(found, total, atol=1e-4)


def test_a_layer_that_runs_twice_is_filled_when_it_runs_last() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.act, self.head = nn.Conv2d(3, 4, 1), nn.SiLU(), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.act(self.act(self.conv(x)).square()).mean((2, 3)))

    net = networks.wrapped(networks.seeded(Twice()))
    vectors, reference = drawn(4, 4)
    matrix = net.module.get_submodule("head").weight.detach().numpy()
    assert np.allclose(
        class_attributions(net, "act", vectors, reference=reference), (vectors - reference) @ matrix.T, atol=1e-5
    )


class WithClassToken(nn.Module):
    """Two tokens before a grid of patches; the head reads the mean of all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.mix, self.head = nn.Conv2d(3, 4, 4, stride=4), nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        before = torch.ones_like(tokens[:, :2])
        return self.head(self.mix(torch.cat([before, tokens], 1)).mean(1))


def test_tokens_before_the_grid_stay_what_they_are() -> None:
    net = networks.wrapped(networks.seeded(WithClassToken()), size=(16, 16))
    assert net.layer("mix").layout == "NLC"
    vectors, reference = drawn(4, 4)
    matrix = net.module.get_submodule("head").weight.detach().numpy()
    expected = 16 / 18 * (vectors - reference) @ matrix.T
    assert np.allclose(class_attributions(net, "mix", vectors, reference=reference), expected, atol=1e-5)


def test_without_classes_or_without_influence_there_is_nothing() -> None:
    vectors, reference = drawn(3, 4)
    maps = networks.wrapped(networks.seeded(nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU())))
    assert class_attributions(maps, "0", vectors, reference=reference).shape == (3, 0)

    class Beside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.side, self.head = nn.Conv2d(3, 4, 1), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            self.side(x)
            return self.head(x.mean((2, 3)))

    beside = networks.wrapped(networks.seeded(Beside()))
    assert class_attributions(beside, "side", vectors, reference=reference).shape == (3, 0)
    assert class_attributions(networks.conv_net(), "conv1", vectors[:0], reference=reference).shape == (0, 0)


@pytest.mark.parametrize("n", [1, 16, 17, 50])
def test_company_does_not_matter(n: int) -> None:
    net = networks.conv_net()
    vectors, reference = drawn(50, 4)
    all_of_them = class_attributions(net, "conv1", vectors, reference=reference)
    assert np.allclose(class_attributions(net, "conv1", vectors[:n], reference=reference), all_of_them[:n], atol=1e-6)
