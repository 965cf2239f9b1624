"""The prepared pass computes what the network computes, fast, and the network is left as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from phosphene.errors import ImageError, NetworkError, ParameterError, UnknownLayerError
from phosphene.models.capture import capture
from phosphene.models.load import load, wrap
from phosphene.models.network import Network
from phosphene.models.prepare import prepare

from .toys import Both, Listed, Tuples, Twice, Uncopyable, randomise, small

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


class Grouped(nn.Module):
    """Every kind of affine layer that a norm may follow, with groups and without affine parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.norm1 = nn.ConvTranspose2d(3, 8, 2, stride=2, bias=False), nn.BatchNorm2d(8)
        self.grouped, self.norm2 = nn.ConvTranspose2d(8, 4, 3, groups=2), nn.BatchNorm2d(4, affine=False)
        self.depthwise, self.norm3 = nn.Conv2d(4, 4, 3, groups=4), nn.BatchNorm2d(4)
        self.fc, self.norm4 = nn.Linear(4, 5), nn.BatchNorm1d(5)
        for norm in (self.norm1, self.norm3, self.norm4):
            randomise(norm)
        self.norm2.running_mean.fill_(0.3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm2(self.grouped(self.norm1(self.up(x)).relu()))
        return self.norm4(self.fc(self.norm3(self.depthwise(x)).mean((2, 3))))


def make(module: nn.Module) -> Network:
    return wrap(module, mean=MEAN, std=STD, input_size=(13, 10))


def views(n: int = 2, *, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.rand(n, 3, 13, 10, generator=torch.Generator().manual_seed(3), dtype=dtype)


def expected(net: Network, layer: str, images: Tensor) -> Tensor:
    module = copy.deepcopy(net.module).eval()
    with torch.no_grad(), capture(module, [layer]) as captured:
        module((images - torch.tensor(MEAN).view(-1, 1, 1)) / torch.tensor(STD).view(-1, 1, 1))
    return captured[layer]


CASES = [
    *((small, layer) for layer in ("conv1", "bn1", "relu1", "conv2", "bn2", "pool", "fc", "")),
    *((Grouped, layer) for layer in ("up", "norm1", "norm2", "norm3", "norm4")),
    *((Both, layer) for layer in ("conv", "norm", "")),
    *((Twice, layer) for layer in ("layer", "")),
    *((Tuples, layer) for layer in ("pair", "table")),
    *((Listed, f"parts.{i}") for i in range(3)),
    *((Uncopyable, layer) for layer in ("body.bn1", "body.fc")),
]


@pytest.mark.parametrize(("kind", "layer"), CASES)
def test_activations_are_the_networks_in_every_pass(kind: Callable[[], nn.Module], layer: str) -> None:
    net = make(kind())
    with pytest.MonkeyPatch.context() as patch:
        if kind is Uncopyable:
            patch.setattr(copy, "deepcopy", lambda module: module)
        want = (
            expected(net, layer, views())
            if kind is not Uncopyable
            else expected(make(net.module.body), layer[5:], views())
        )
    with prepare(net, [layer]) as forward:
        for _ in range(3):
            torch.testing.assert_close(forward(views())[layer].detach(), want, rtol=1e-4, atol=1e-5)


def test_several_layers_at_once_are_each_right_in_every_pass() -> None:
    net = make(small())
    layers = ["fc", "bn1", "conv2", "relu1", "bn2"]
    with prepare(net, layers) as forward:
        for _ in range(3):
            activations = forward(views())
            assert list(activations) == layers
            for layer in layers:
                torch.testing.assert_close(
                    activations[layer].detach(), expected(net, layer, views()), rtol=1e-4, atol=1e-5
                )


def test_the_gradient_of_the_views_is_the_networks_in_float64() -> None:
    net = make(small())
    images = views(dtype=torch.float64).requires_grad_()
    with prepare(net, ["fc"], dtype=torch.float64) as forward:
        (gradient,) = torch.autograd.grad(forward(images)["fc"].sum(), images)
    module = copy.deepcopy(net.module).double().eval()
    mean, std = (torch.tensor(values, dtype=torch.float64).view(-1, 1, 1) for values in (MEAN, STD))
    (want,) = torch.autograd.grad(module((images - mean) / std).sum(), images)
    torch.testing.assert_close(gradient, want)


def test_bfloat16_computes_in_bfloat16_and_returns_float32() -> None:
    net = make(small())
    with prepare(net, ["fc"], dtype=torch.bfloat16) as forward:
        got = forward(views())["fc"].detach()
    assert got.dtype is torch.float32
    want = expected(net, "fc", views())
    assert 0 < (got - want).abs().max() < 0.05 * want.abs().max()


def test_nothing_after_the_deepest_layer_runs() -> None:
    calls: list[str] = []
    module = small()
    module.relu2.register_forward_hook(lambda *_: calls.append("relu2"))
    module.conv1.register_forward_hook(lambda *_: calls.append("conv1"))
    with prepare(make(module), ["bn1"]) as forward:
        calls.clear()
        forward(views())
    assert calls == ["conv1"]


def test_norms_are_folded_but_not_where_the_convolution_itself_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    n_norms: list[int] = []
    real = torch.batch_norm
    monkeypatch.setattr(torch, "batch_norm", lambda *args: n_norms.append(1) or real(*args))
    for layer, n in (("bn2", 0), ("conv2", 0), ("fc", 0)):
        with prepare(make(small()), [layer]) as forward:
            n_norms.clear()
            forward(views())
            assert len(n_norms) == n
    with prepare(make(small()), ["conv2", "fc"]) as forward:
        n_norms.clear()
        forward(views())
    assert len(n_norms) == 1
    with prepare(make(Both()), [""]) as forward:
        n_norms.clear()
        forward(views())
    assert len(n_norms) == 1


def test_a_norm_with_someones_hook_is_not_folded() -> None:
    seen: list[Tensor] = []
    module = small()
    module.bn1.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0].detach().clone()))
    net = make(module)
    with prepare(net, ["bn1"]) as forward:
        seen.clear()
        forward(views())
    torch.testing.assert_close(seen[0], expected(net, "conv1", views()))


def state(module: nn.Module) -> dict[str, Any]:
    """Everything that must not change."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return {
        "training": {name: part.training for name, part in module.named_modules()},
        "requires_grad": {name: tensor.requires_grad for name, tensor in tensors},
        "grad": {
            name: None if tensor.grad is None else (id(tensor.grad), tensor.grad.tolist()) for name, tensor in tensors
        },
        "values": {name: tensor.detach().tolist() for name, tensor in tensors},
        "storage": {name: tensor.data_ptr() for name, tensor in tensors},
        "identity": {name: id(tensor) for name, tensor in tensors},
        "stride": {name: tensor.stride() for name, tensor in tensors},
        "dtype": {name: tensor.dtype for name, tensor in tensors},
        "modules": {name: id(part) for name, part in module.named_modules()},
        "hooks": {
            name: (list(part._forward_hooks), list(part._forward_pre_hooks)) for name, part in module.named_modules()
        },
    }


@contextmanager
def ending_in(error: type[BaseException] | None) -> Iterator[None]:
    if error is None:
        yield
    else:
        with pytest.raises(error):  # noqa: PT012 - the block that is tested is the caller's
            yield
            raise error


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
@pytest.mark.parametrize("kind", [small, Grouped, Twice, Uncopyable])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_network_is_left_as_it_was(
    kind: Callable[[], nn.Module], error: type[BaseException] | None, dtype: torch.dtype
) -> None:
    module = kind().train()
    next(module.children()).training = False
    parameters = list(module.parameters())
    parameters[0].requires_grad_(False)
    parameters[-1].grad = torch.ones_like(parameters[-1])
    module.register_forward_hook(lambda *_: None)
    net = make(module)
    before = state(module)
    images = views().requires_grad_()
    with ending_in(error), prepare(net, [""], dtype=dtype) as forward:
        for _ in range(2):
            forward(images)[""].sum().backward()
    assert state(module) == before
    assert images.grad is not None


def test_weights_are_shared_not_copied() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(390, 4))
    net = make(module)
    with prepare(net, ["1"]) as forward:
        before = forward(views())["1"].detach()
        with torch.no_grad():
            module[1].weight.mul_(2)
            module[1].bias.mul_(2)
        torch.testing.assert_close(forward(views())["1"].detach(), 2 * before)


def test_no_weight_gradient_is_computed() -> None:
    module = small()
    net = make(module)
    with prepare(net, ["fc"]) as forward:
        out = forward(views().requires_grad_())["fc"]
    leaves, pending = set(), [out.grad_fn]
    while pending:
        node = pending.pop()
        leaves.add(type(node).__name__ + str(tuple(getattr(node, "variable", torch.empty(0)).shape)))
        pending.extend(following for following, _ in node.next_functions if following is not None)
    assert [leaf for leaf in leaves if leaf.startswith("AccumulateGrad")] == ["AccumulateGrad(2, 3, 13, 10)"]


def test_blue_green_red_networks_see_colours_in_their_order() -> None:
    module = nn.Conv2d(3, 3, 1, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.eye(3)[..., None, None])
    net = wrap(module, mean=MEAN, std=STD, channel_order="BGR", input_size=(13, 10), value_range=(0, 255))
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (MEAN, STD))
    want = (views().flip(1) * 255 - mean) / std
    with prepare(net, [""]) as forward:
        torch.testing.assert_close(forward(views())[""].detach(), want)
    torch.testing.assert_close(net.preprocess(views()), want)


def test_the_bundled_network_is_folded_without_error() -> None:
    net = load("efficientnet_lite0")
    images = torch.rand(2, 3, 96, 80, generator=torch.Generator().manual_seed(0))
    with prepare(net, ["blocks.8", "classifier"]) as forward:
        got = forward(images)["classifier"].detach()
    torch.testing.assert_close(got, net(images), rtol=1e-4, atol=1e-4)


def test_no_layers_need_no_pass() -> None:
    with prepare(make(small()), []) as forward:
        assert forward(views()) == {}


def test_views_of_another_size_or_channel_count_are_refused() -> None:
    fixed = make(nn.Sequential(nn.Flatten(), nn.Linear(390, 4)))
    with prepare(fixed, [""]) as forward:
        with pytest.raises(
            ImageError, match=r"views are \(13, 11\) pixels, but Sequential takes only \(13, 10\); resize"
        ):
            forward(torch.rand(1, 3, 13, 11))
        with pytest.raises(
            ImageError, match="views have 1 channels, but Sequential takes 3; make images of 3 channels"
        ):
            forward(torch.rand(1, 1, 13, 10))


def test_another_dtype_is_refused() -> None:
    with (
        pytest.raises(ParameterError, match=r"dtype is torch\.int32, expected torch\.float32"),
        prepare(make(small()), [""], dtype=torch.int32),
    ):
        pass


def test_an_uncopyable_network_cannot_change_dtype() -> None:
    with (
        pytest.raises(
            NetworkError, match=r"cannot be copied, so it cannot be moved to cpu and torch\.float64; move the module"
        ),
        prepare(make(Uncopyable()), ["body.fc"], dtype=torch.float64),
    ):
        pass


def test_a_layer_that_does_not_exist_or_never_runs_is_refused() -> None:
    with (
        pytest.raises(UnknownLayerError, match="no layer 'con1'; did you mean conv1"),
        prepare(make(small()), ["con1"]),
    ):
        pass
    with pytest.raises(NetworkError, match="'unused' of Listed is never called"), prepare(make(Listed()), ["unused"]):
        pass
