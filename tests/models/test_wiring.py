"""Wiring against loops over weights, and against what changes do to networks whose nonlinear parts are taken out."""

from __future__ import annotations

import copy
import itertools
from collections import OrderedDict

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phosphene.errors import NetworkError, UnknownLayerError
from phosphene.models.load import load
from phosphene.models.wiring import wiring
from phosphene.models.wrap import wrap

from .toys import Twice, randomise, small


def net_of(module: nn.Module, size=(12, 10), channels=3):
    torch.manual_seed(0)
    randomise(module)
    return wrap(module, mean=0, std=1, input_size=size, n_channels=channels)


def sequential(**parts):
    torch.manual_seed(0)
    return net_of(nn.Sequential(OrderedDict(parts)))


def by_loops(weight: Tensor, groups: int = 1) -> Tensor:
    """Signed sums of kernels (out, in), one entry after the other."""
    n_out, per_group = weight.shape[:2]
    n_in = per_group * groups
    found = torch.zeros(n_out, n_in)
    for out in range(n_out):
        group = out // (n_out // groups)
        for i in range(per_group):
            found[out, group * per_group + i] = sum(weight[out, i].flatten().tolist())
    return found


def scale(norm: nn.BatchNorm2d) -> Tensor:
    return norm.weight / (norm.running_var + norm.eps).sqrt()


def close(one, expected):
    torch.testing.assert_close(one.dense(), expected.detach(), rtol=1e-5, atol=1e-6)


def test_a_convolutions_strength_is_the_signed_sum_of_its_kernel():
    net = sequential(first=nn.Conv2d(3, 4, 3), second=nn.Conv2d(4, 5, (3, 1), bias=False))
    found = wiring(net, ["first", "second"])
    close(found.inputs["second"]["first"], by_loops(net.module.second.weight))
    assert found.inputs["first"] == {}
    assert found.outputs["second"] == {}
    assert found.outputs["first"]["second"] is found.inputs["second"]["first"]


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_groups_reach_only_their_own(groups):
    net = sequential(first=nn.Conv2d(3, 4, 1), second=nn.Conv2d(4, 8, 3, groups=groups))
    found = wiring(net, ["first", "second"]).inputs["second"]["first"]
    close(found, by_loops(net.module.second.weight, groups))


def test_a_depthwise_convolution_ties_each_channel_to_itself():
    net = sequential(first=nn.Conv2d(3, 4, 1), second=nn.Conv2d(4, 4, 3, groups=4))
    found = wiring(net, ["first", "second"]).inputs["second"]["first"]
    assert found.is_diagonal
    assert found.weighted
    close(found, by_loops(net.module.second.weight, 4))


def test_norms_scale_and_the_rest_passes_on():
    net = net_of(small())
    found = wiring(net, ["conv1", "conv2", "fc"])
    m = net.module
    close(found.inputs["conv2"]["conv1"], by_loops(m.conv2.weight) * scale(m.bn1))
    close(found.inputs["fc"]["conv2"], m.fc.weight * scale(m.bn2))


def test_a_layer_behind_norm_and_activation_has_the_inputs_of_its_convolution():
    net = net_of(small())
    m, found = net.module, wiring(net, ["conv1", "relu1", "relu2", "fc"])
    assert set(found.inputs["relu2"]) == {"relu1"}
    close(found.inputs["relu2"]["relu1"], scale(m.bn2)[:, None] * by_loops(m.conv2.weight))
    assert found.inputs["relu1"] == {}
    # conv1 only reaches relu1, which passes its channels on, and so reaches what relu1 does.
    close(found.outputs["conv1"]["relu2"], scale(m.bn2)[:, None] * by_loops(m.conv2.weight) * scale(m.bn1))


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.one, self.norm, self.two = nn.Conv2d(4, 6, 1), nn.BatchNorm2d(6), nn.Conv2d(6, 4, 3, padding=1)
        self.end = nn.Identity()
        self.after = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem(x))
        y = F.relu(self.norm(self.one(x)), inplace=True)
        y = self.two(y)
        y += x
        return self.after(self.end(y))


def test_a_residual_block_is_the_sum_over_its_paths():
    net = net_of(Residual())
    m, found = net.module, wiring(net, ["stem", "end", "after"])
    path = by_loops(m.two.weight) @ torch.diag(scale(m.norm)) @ by_loops(m.one.weight)
    close(found.inputs["end"]["stem"], path + torch.eye(4))
    assert set(found.inputs["after"]) == {"end"}
    close(found.inputs["after"]["end"], by_loops(m.after.weight))


def test_only_the_nearest_layers_are_told():
    net = net_of(Residual())
    found = wiring(net, ["stem", "one", "two", "after"])
    assert set(found.inputs["after"]) == {"two", "stem"}
    close(found.inputs["after"]["stem"], by_loops(net.module.after.weight))
    assert set(found.inputs["two"]) == {"one"}


class Branches(nn.Module):
    """Inception's way: what two convolutions make stands side by side, and is shuffled."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        self.left, self.right = nn.Conv2d(4, 2, 1), nn.Conv2d(4, 4, 3, padding=1)
        self.after = nn.Conv2d(6, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = torch.cat([self.left(x), F.max_pool2d(self.right(x), 3, 1, 1)], dim=1)
        n, c, h, w = y.shape
        return self.after(y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w))


def test_branches_side_by_side_and_shuffled_keep_their_places():
    net = net_of(Branches())
    found, weight = wiring(net, ["left", "right", "after"]), by_loops(net.module.after.weight)
    back = torch.empty(6, 6)  # columns of the joined branches, before the shuffle
    for place, origin in enumerate(torch.arange(6).view(2, 3).T.flatten().tolist()):
        back[:3, origin] = weight[:, place]
    close(found.inputs["after"]["left"], back[:3, :2])
    close(found.inputs["after"]["right"], back[:3, 2:])


def test_entries_of_a_flattened_map_are_summed_like_a_kernel():
    net = sequential(conv=nn.Conv2d(3, 4, 3), flat=nn.Flatten(), out=nn.Linear(4 * 10 * 8, 5))
    expected = net.module.out.weight.view(5, 4, 80).sum(2)
    close(wiring(net, ["conv", "out"]).inputs["out"]["conv"], expected)


class Gated(nn.Module):
    """Squeeze and excitation, a learned scale of each channel, and the activation x · sigmoid(x) by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.squeeze, self.after = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 2, 1)
        self.gamma = nn.Parameter(torch.tensor([0.5, 2.0, -1.0, 3.0]).view(4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x * torch.sigmoid(self.squeeze(x.mean((2, 3), keepdim=True)))
        x = (x * x.sigmoid()) * self.gamma / 2
        return self.after(F.pad(x, (1, 1, 1, 1)))


def test_gates_count_as_open_and_constants_scale():
    net = net_of(Gated())
    expected = by_loops(net.module.after.weight) * net.module.gamma.view(4) / 2
    close(wiring(net, ["stem", "after"]).inputs["after"]["stem"], expected)


class Shortcut(nn.Module):
    """A shortcut whose missing channels are zeros, a difference, and a part of the channels left out."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.body = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.after = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        short = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 1))
        y = self.body(x) - 3 * short
        return self.after(y.split([2, 4], 1)[1])


def test_channels_are_followed_through_padding_differences_and_parts():
    net = net_of(Shortcut())
    m = net.module
    short = torch.zeros(6, 4)
    for channel in range(4):
        short[channel + 1, channel] = 1
    expected = by_loops(m.after.weight) @ (by_loops(m.body.weight) - 3 * short)[2:]
    close(wiring(net, ["stem", "after"]).inputs["after"]["stem"], expected)


class Block(nn.Module):
    """A block of ConvNeXt: channels last, a layer norm, a perceptron."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 4, 1), nn.LayerNorm(4)
        self.up, self.down = nn.Linear(4, 8), nn.Linear(8, 4)
        self.norm.weight.data = torch.tensor([1.0, 2.0, 0.5, -1.0])

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.down(F.gelu(self.up(self.norm(x.permute(0, 2, 3, 1)))))
        return x + y.permute(0, 3, 1, 2)


def test_channels_that_come_last_are_followed():
    net = net_of(Block())
    m, found = net.module, wiring(net, ["stem", "up", "down", ""])
    close(found.inputs["up"]["stem"], m.up.weight * m.norm.weight)
    close(found.inputs["down"]["up"], m.down.weight)
    # The block's own output is what "down" and "stem" put out, added: the weights are those into "down".
    close(found.inputs[""]["up"], m.down.weight)


class Linear(nn.Module):
    """What a network is once its nonlinear parts are taken out, without borders: circular padding."""

    def __init__(self) -> None:
        super().__init__()
        how = {"padding": 1, "padding_mode": "circular"}
        self.a, self.na = nn.Conv2d(3, 4, 3, **how), nn.BatchNorm2d(4)
        self.b, self.nb = nn.Conv2d(4, 4, 3, groups=2, **how), nn.BatchNorm2d(4)
        self.c = nn.Conv2d(4, 4, 3, groups=4, stride=2, **how)
        self.out = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.na(self.a(x))
        x = self.c(x + self.nb(self.b(x)))
        return self.out(x.mean((2, 3)))


def test_a_strength_is_what_a_change_everywhere_does():
    net = net_of(Linear())
    m = copy.deepcopy(net.module).double().eval()
    found = wiring(net, ["a", "out"]).inputs["out"]["a"]
    x = torch.rand(1, 3, 12, 10, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        before = m(x)
        for channel in range(4):
            handle = m.a.register_forward_hook(
                lambda _m, _i, y, k=channel: y.index_add(1, torch.tensor([k]), torch.ones_like(y[:, :1]))
            )
            change = (m(x) - before)[0]
            handle.remove()
            torch.testing.assert_close(found.dense()[:, channel].double(), change, rtol=1e-5, atol=1e-6)


def test_what_is_not_known_ends_the_trail():
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            y = torch.sort(self.a(x), 1).values
            z = self.b(y)
            return self.c(z * self.a.weight.mean() * z)

    assert all(not maps for maps in wiring(net_of(Odd()), ["a", "b", "c"]).inputs.values())


class Unseen(nn.Module):
    """Parts whose operations nobody sees, and weights that depend on the image."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.after = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1)
        self.hidden = [torch.jit.trace(nn.Conv2d(4, 4, 1), torch.rand(1, 4, 3, 3))]
        self.way = "times"

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        if self.way == "times":
            return self.after(x * self.hidden[0](x))
        if self.way == "plus":
            return self.after(x + self.hidden[0](x))
        return F.conv2d(x, self.after.weight * x.mean())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("way", "is_known"), [("times", False), ("plus", True), ("dynamic", False)])
def test_what_nobody_sees_is_no_constant(way, is_known):
    net = net_of(Unseen())
    net.module.way = way
    found = wiring(net, ["stem", ""]).inputs[""]
    assert set(found) == ({"stem"} if is_known else set())
    if is_known:
        close(found["stem"], by_loops(net.module.after.weight))


def test_a_layer_that_runs_twice_has_no_wiring_but_lets_others_pass():
    found = wiring(net_of(Twice()), ["layer"])
    assert "layer" not in found.inputs


def test_a_network_is_left_as_it_was():
    module = small().train()
    net = net_of(module)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    wiring(net, ["conv1", "conv2"])
    assert module.training
    assert all(not part._forward_hooks for part in module.modules())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_an_unknown_layer_is_refused():
    with pytest.raises(UnknownLayerError, match="did you mean conv1"):
        wiring(net_of(small()), ["conv11"])


def test_a_layer_that_never_runs_is_refused():
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.idle = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.a(x)

    with pytest.raises(NetworkError, match="is never called"):
        wiring(net_of(Idle()), ["idle"])


def test_the_bundled_networks_blocks_are_tied_by_the_paths_through_them():
    net = load("efficientnet_lite0")
    m = net.module
    layers = [name for name in net.shapes if name.startswith("blocks.") and name.count(".") == 1]
    found = wiring(net, [*layers, net.output_layer])
    assert [set(found.inputs[b]) for a, b in itertools.pairwise(layers)] == [{a} for a in layers[:-1]]
    convolutions = [p for p in m.get_submodule(layers[2]).modules() if isinstance(p, nn.Conv2d)]
    norms = [p for p in m.get_submodule(layers[2]).modules() if isinstance(p, nn.BatchNorm2d)]
    expected = torch.eye(convolutions[0].in_channels)
    for convolution, norm in zip(convolutions, norms, strict=True):
        expected = scale(norm)[:, None] * by_loops(convolution.weight, convolution.groups) @ expected
    close_to = found.inputs[layers[2]][layers[1]].dense()
    is_residual = expected.shape[0] == expected.shape[1] and convolutions[1].stride == (1, 1)
    torch.testing.assert_close(
        close_to, (expected + torch.eye(len(expected)) if is_residual else expected).detach(), rtol=1e-4, atol=1e-5
    )
    assert set(found.inputs[net.output_layer]) == {layers[-1]}


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "convnext_atto", "mobilenetv3_small_050", "shufflenet"])
def test_networks_of_libraries_are_followed_from_block_to_block(name):
    timm = pytest.importorskip("timm")
    if name == "shufflenet":
        models = pytest.importorskip("torchvision.models")
        module, layers = models.shufflenet_v2_x0_5(weights=None), ["stage2.0", "stage2.1", "stage2.2", "fc"]
    else:
        module = timm.create_model(name, num_classes=10)
        layers = {
            "resnet18": ["layer1.0", "layer1.1", "layer2.0", "layer4.1", "fc"],
            "densenet121": ["features.denseblock1", "features.transition1", "features.denseblock2", "classifier"],
            "convnext_atto": ["stages.0", "stages.1", "stages.2", "head.fc"],
            "mobilenetv3_small_050": ["blocks.1", "blocks.2", "blocks.3", "classifier"],
        }[name]
    net = wrap(module, mean=0, std=1, input_size=(32, 32))
    found = wiring(net, layers)
    assert [set(found.inputs[b]) for b in layers[1:]] == [{a} for a in layers[:-1]]
    for a, b in itertools.pairwise(layers):
        weights = found.inputs[b][a].dense()
        assert weights.shape == (net.layer(b).n_channels, net.layer(a).n_channels)
        assert weights.isfinite().all()
        assert weights.any()
