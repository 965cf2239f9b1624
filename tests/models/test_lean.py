"""Activations out of place: the same values and gradients, and never where the network reads what it overwrote."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from phosphene.models.lean import out_of_place
from phosphene.models.load import wrap
from phosphene.models.network import Network
from phosphene.models.prepare import prepare

from .toys import randomise

KINDS = (nn.ReLU6, nn.Hardtanh, nn.SiLU, nn.Hardswish, nn.Mish, nn.Hardsigmoid, nn.ELU, nn.CELU, nn.SELU)


def chain(kind: Callable[..., nn.Module]) -> nn.Sequential:
    """Convolutions, norms and activations in place; weights strong enough to reach every part of an activation."""
    torch.manual_seed(0)
    parts = [
        nn.Conv2d(3, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        kind(inplace=True),
        nn.Conv2d(6, 4, 3),
        kind(inplace=True),
    ]
    module = nn.Sequential(*parts)
    randomise(module)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(3)
    return module.eval()


class Rereads(nn.Module):
    """Adds the activation to what it has overwritten: y + y where the author may have meant x + y."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.act, self.head = nn.Conv2d(3, 4, 3), nn.ReLU6(inplace=True), nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = 5 * self.conv(x)
        y = self.act(x)
        return self.head(x + y)


def views(n: int = 2) -> Tensor:
    return torch.rand(n, 3, 9, 7, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def make(module: nn.Module) -> Network:
    return wrap(module, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3), input_size=(9, 7))


def literally(net: Network, images: Tensor, part: str = "") -> Tensor:
    """What the module itself computes, in float64; of a part, at the moment when it was computed."""
    module, seen = copy.deepcopy(net.module).double().eval(), []
    module.get_submodule(part).register_forward_hook(lambda _m, _i, out: seen.append(out.clone()))
    module(net.preprocess(images))
    return seen[0]


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_values_and_gradients_are_those_in_place(kind: Callable[..., nn.Module]) -> None:
    net = make(chain(kind))
    found = views().requires_grad_()
    with prepare(net, ["4"], dtype=torch.float64) as forward:
        answer = forward(found)["4"]
        (ours,) = torch.autograd.grad(answer.square().sum(), found)
    wanted = views().requires_grad_()
    expected = literally(net, wanted)
    (theirs,) = torch.autograd.grad(expected.square().sum(), wanted)
    torch.testing.assert_close(answer, expected, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_every_kind_that_copies_is_changed_and_changed_back(kind: Callable[..., nn.Module]) -> None:
    module = chain(kind)
    undo = out_of_place(module)
    assert [module[2].inplace, module[4].inplace] == [False, False]
    undo()
    assert [module[2].inplace, module[4].inplace] == [True, True]


def test_what_was_out_of_place_stays_so_and_relu_is_left_alone() -> None:
    module = nn.Sequential(nn.ReLU6(), nn.ReLU6(inplace=True), nn.ReLU(inplace=True))
    undo = out_of_place(module)
    assert [part.inplace for part in module] == [False, False, True]
    undo()
    assert [part.inplace for part in module] == [False, True, True]


@pytest.mark.parametrize("layer", ["", "head", "act"])
def test_a_network_that_reads_what_it_overwrote_is_left_as_it_is(layer: str) -> None:
    net = make(Rereads())
    doubled = literally(net, views())
    apart = copy.deepcopy(net.module)
    apart.act.inplace = False
    assert (literally(make(apart), views()) - doubled).abs().max() > 0.1  # it does tell the difference
    with prepare(net, [layer], dtype=torch.float64) as forward:
        found = forward(views())[layer].detach()
    torch.testing.assert_close(found, literally(net, views(), layer).detach(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("layer", ["0", "1", "2", "3"])
def test_a_layer_before_an_activation_in_place_is_given_as_it_was_computed(layer: str) -> None:
    net = make(chain(nn.ReLU6))
    with prepare(net, [layer], dtype=torch.float64) as forward:
        found = forward(views())[layer].detach()
    torch.testing.assert_close(found, literally(net, views(), layer).detach(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("module", [Rereads(), chain(nn.ReLU6)], ids=["rereads", "chain"])
def test_the_callers_module_keeps_its_activations_in_place(module: nn.Module) -> None:
    before = [getattr(part, "inplace", None) for part in module.modules()]
    with prepare(make(module), [""]) as forward:
        forward(views().float())
        assert [getattr(part, "inplace", None) for part in module.modules()] == before
    assert [getattr(part, "inplace", None) for part in module.modules()] == before
