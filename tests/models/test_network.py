"""A wrapped network says what it needs, feeds it rightly, and refuses what makes no sense."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from phosphene.errors import (
    ArgumentError,
    NetworkError,
    UnitRangeError,
    UnknownClassError,
    UnknownLayerError,
)
from phosphene.models.load import wrap
from phosphene.models.network import Network

from .toys import Listed, Nothing, Tuples, Twice, small


@pytest.mark.parametrize("n_channels", [1, 3, 4])
@pytest.mark.parametrize("value_range", [(0, 1), (0, 255), (-1, 1)])
def test_preprocess_is_range_then_mean_then_std(n_channels: int, value_range: tuple[int, int]) -> None:
    mean, std = [0.1 * (i + 1) for i in range(n_channels)], [0.5 + 0.1 * i for i in range(n_channels)]
    net = wrap(small(n_channels), mean=mean, std=std, value_range=value_range, input_size=(7, 9))
    images = torch.rand(2, n_channels, 7, 9)
    low, high = value_range
    want = torch.stack([(low + images[:, i] * (high - low) - mean[i]) / std[i] for i in range(n_channels)], 1)
    torch.testing.assert_close(net.preprocess(images), want)


def test_preprocess_is_differentiable() -> None:
    net = wrap(small(), mean=0.5, std=(1.0, 2.0, 4.0), input_size=8, value_range=(0, 255))
    images = torch.rand(1, 3, 8, 8, requires_grad=True)
    net.preprocess(images).sum().backward()
    assert images.grad is not None
    assert images.grad[0, :, 0, 0].tolist() == [255.0, 127.5, 63.75]


def test_a_call_is_the_module_in_eval_mode_and_leaves_it_as_it_was() -> None:
    module = small().train()
    module.bn2.eval()
    before = copy.deepcopy(module.state_dict())
    net = wrap(module, mean=0.5, std=0.5, input_size=8)
    images = torch.rand(2, 3, 8, 8)
    out = net(images)
    assert not out.requires_grad
    assert module.training
    assert not module.bn2.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    torch.testing.assert_close(out, module.eval()(images * 2 - 1).detach())


def test_a_network_without_a_tensor_output_says_so() -> None:
    with pytest.raises(NetworkError, match="Nothing put out no tensor"):
        wrap(Nothing(), mean=0, std=1)(torch.rand(1, 3, 4, 4))


def test_the_first_tensor_of_a_dictionary_is_the_output() -> None:
    images = torch.rand(1, 3, 4, 4)
    torch.testing.assert_close(wrap(Tuples(), mean=0, std=1)(images), (images + 1) * 2)


def test_wrap_without_normalisation_warns_and_says_how_to_give_it() -> None:
    with pytest.warns(UserWarning, match="no normalisation was given.*Give it: wrap"):
        net = wrap(small())
    assert (net.mean, net.std, net.value_range, net.input_size) == ((0.0,) * 3, (1.0,) * 3, (0.0, 1.0), (224, 224))


def test_the_number_of_channels_is_given_or_read() -> None:
    assert wrap(small(4), mean=0, std=1).n_channels == 4
    assert wrap(nn.Identity(), mean=0, std=1).n_channels == 3
    assert wrap(nn.Identity(), mean=(0, 0), std=1).n_channels == 2
    assert wrap(nn.Identity(), mean=0, std=(1, 1, 1, 1)).n_channels == 4
    assert wrap(nn.Identity(), mean=0, n_channels=1).mean == (0.0,)


def test_the_input_size_is_given_or_the_modules_own() -> None:
    module = nn.Identity()
    assert wrap(module, mean=0, input_size=32).input_size == (32, 32)
    module.image_size = 96
    assert wrap(module, mean=0).input_size == (96, 96)
    module.pretrained_cfg = {"input_size": (3, 64, 48)}
    del module.image_size
    assert wrap(module, mean=0).input_size == (64, 48)


def test_data_parallel_is_unwrapped_and_any_other_module_kept() -> None:
    module = small()
    assert wrap(module, mean=0).module is module
    assert wrap(nn.DataParallel(module), mean=0).module is module


def test_the_source_says_how_it_was_wrapped() -> None:
    source = wrap(small(), mean=0.5, std=2, input_size=(8, 9), channel_order="BGR", labels=["a", "b"]).source
    assert source == {
        "kind": "wrapped",
        "class": "torch.nn.modules.container.Sequential",
        "mean": [0.5, 0.5, 0.5],
        "std": [2.0, 2.0, 2.0],
        "input_size": [8, 9],
        "value_range": [0.0, 1.0],
        "labels": ["a", "b"],
        "channel_order": "BGR",
        "n_channels": 3,
    }


@pytest.mark.parametrize(
    ("how", "error", "match"),
    [
        ({"std": (1, 0, 1)}, NetworkError, "std is .* must be greater than 0"),
        ({"mean": (1, 2), "n_channels": 3}, NetworkError, "mean has 2 values, expected 3"),
        ({"mean": float("nan")}, NetworkError, "mean is .* must be finite"),
        ({"mean": "grey"}, ArgumentError, "mean is 'grey', expected 3 numbers"),
        (
            {"mean": 0, "value_range": (1, 1)},
            NetworkError,
            r"value_range is \(1.0, 1.0\), but its two ends must differ",
        ),
        ({"mean": 0, "input_size": (0, 4)}, NetworkError, r"input_size is \(0, 4\), but both must be at least 1"),
        (
            {"mean": 0, "input_size": (4.5, 4)},
            ArgumentError,
            "input_size is .* expected .height, width. in whole pixels",
        ),
        ({"mean": 0, "channel_order": "GBR"}, NetworkError, "channel_order is 'GBR', expected 'RGB' or 'BGR'"),
        (
            {"mean": 0, "n_channels": 1, "channel_order": "BGR"},
            NetworkError,
            "BGR needs 3 channels, but the network takes 1",
        ),
        ({"mean": 0, "n_channels": 0}, NetworkError, "n_channels is 0, but a network needs at least 1"),
        ({"mean": 0, "n_channels": 1.5}, ArgumentError, "n_channels is a whole number, got float"),
        ({"mean": 0, "labels": "cat"}, ArgumentError, "labels is str, expected a list of class names"),
        ({"mean": 0, "sdt": 1}, ArgumentError, "unknown argument sdt; expected any of .*std"),
    ],
)
def test_what_makes_no_sense_is_refused(how: dict[str, Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        untyped(small(), **how)


def untyped(module: Any, **how: Any) -> Network:
    """``wrap`` as a caller without types reaches it: the hook that checks types is for our own calls."""
    from phosphene.models.wrap import build

    return build(module, name="small", source={"kind": "wrapped", "class": "small"}, how=how)


def test_only_modules_are_wrapped() -> None:
    with pytest.raises(ArgumentError, match=r"expected a torch\.nn\.Module to wrap, got str; for a name, use load"):
        untyped("resnet50")


def test_classes_are_found_by_name_and_index() -> None:
    net = wrap(small(), mean=0, input_size=8, labels=["tench", "Gold fish", "cat", "dog", "cow"])
    assert [net.class_index(class_) for class_ in ("gold FISH", "cow", 3)] == [1, 4, 3]
    with pytest.raises(UnitRangeError, match="class 5 was asked for, but Sequential has 5 classes: use 0 to 4"):
        net.class_index(5)
    with pytest.raises(UnknownClassError, match="no class 'cart' among its 5; did you mean cat"):
        net.class_index("cart")
    with pytest.raises(ArgumentError, match="a class is a name or an index, got bool"):
        net.class_index(True)


def test_the_number_of_classes_is_the_outputs_where_there_are_no_labels() -> None:
    with pytest.raises(UnitRangeError, match="class -1 was asked for, but Sequential has 5 classes"):
        wrap(small(), mean=0, input_size=8).class_index(-1)


def test_shapes_are_in_execution_order_with_calls() -> None:
    net = wrap(small(), mean=0, input_size=(8, 11))
    assert list(net.shapes) == ["conv1", "bn1", "relu1", "conv2", "bn2", "relu2", "pool", "flatten", "fc"]
    assert net.shapes["conv2"].shape == (1, 6, 3, 5)
    assert [shape.layout for shape in net.shapes.values()] == ["NCHW"] * 7 + ["NC"] * 2
    assert net.output_layer == "fc"
    twice = wrap(Twice(), mean=0, input_size=8)
    assert (twice.shapes["layer"].n_calls, twice.output_layer) == (2, "layer")


def test_the_output_layer_is_the_root_where_no_layer_puts_out_the_output() -> None:
    class Doubled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = small()

        def forward(self, x: Tensor) -> Tensor:
            return 2 * self.body(x)

    net = wrap(Doubled(), mean=0, input_size=8)
    assert net.output_layer == ""
    assert net.layer("").shape == (1, 5)


def test_an_unknown_layer_and_one_that_never_runs_are_told_apart() -> None:
    net = wrap(Listed(), mean=0, input_size=8)
    with pytest.raises(UnknownLayerError, match=r"no layer 'part\.1'; did you mean parts\.[01].*ph\.layers\(net\)"):
        net.layer("part.1")
    with pytest.raises(
        NetworkError, match=r"'parts' of Listed is never called, .*such as parts\.0, parts\.1, parts\.2"
    ):
        net.layer("parts")
    with pytest.raises(NetworkError, match=r"'unused' of Listed is never called, .*choose one listed"):
        net.layer("unused")


def test_an_input_that_does_not_fit_says_what_was_tried() -> None:
    net = wrap(nn.Linear(7, 2), mean=0, input_size=8)
    with pytest.raises(
        NetworkError, match=r"Linear cannot process an image of shape \(1, 3, 8, 8\).*Give the input_size"
    ):
        _ = net.shapes


def test_any_size_is_measured() -> None:
    assert wrap(small(), mean=0, input_size=8).any_size
    assert not wrap(nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), mean=0, input_size=8).any_size


def test_the_digest_is_of_names_shapes_types_and_bytes() -> None:
    def digest(module: nn.Module) -> str:
        return wrap(module, mean=0).digest

    module = small()
    same = copy.deepcopy(module)
    assert digest(module) == digest(same)
    with torch.no_grad():
        same.fc.bias[0] += 1e-3
    assert digest(module) != digest(same)
    assert digest(nn.Linear(2, 3)) != digest(nn.Linear(3, 2))
    half = nn.Linear(1, 1).bfloat16()
    assert len(digest(half)) == 64


def write_weight(module: nn.Sequential) -> None:
    with torch.no_grad():
        module.fc.weight[0, 0] += 1


def write_data(module: nn.Sequential) -> None:
    module.fc.weight.data.add_(1)


def write_buffer(module: nn.Sequential) -> None:
    module.bn1.running_mean.mul_(2)


def replace_weight(module: nn.Sequential) -> None:
    module.fc.weight = nn.Parameter(module.fc.weight.detach() + 1)


def load_weights(module: nn.Sequential) -> None:
    module.load_state_dict({name: value + 1 for name, value in module.state_dict().items()})


def train_a_step(module: nn.Sequential) -> None:
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    module(torch.rand(2, 3, 8, 8)).square().sum().backward()
    optimizer.step()


def change_precision(module: nn.Sequential) -> None:
    module.half()


CHANGES = [write_weight, write_data, write_buffer, replace_weight, load_weights, train_a_step, change_precision]


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_the_digest_follows_the_weights(change: Callable[[nn.Sequential], None]) -> None:
    module = small()
    net = wrap(module, mean=0, std=1, input_size=8)
    before = net.digest
    change(module)
    assert net.digest != before
    assert net.digest == wrap(module, mean=0, std=1, input_size=8).digest


REPLACEMENTS = """
from torch import nn
import phosphene as ph
module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 64, 3))
net, stale = ph.wrap(module, mean=0, std=1, input_size=12), 0
for _ in range(40):
    before = net.digest
    del module[1]
    module.append(nn.Conv2d(4, 64, 3))
    stale += net.digest == before
print(stale)
"""


def test_the_digest_follows_a_replaced_module_whatever_memory_it_gets() -> None:
    """Memory that was freed a moment ago is handed out again, at the same address; most often in a fresh process."""
    done = subprocess.run([sys.executable, "-c", REPLACEMENTS], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "0"


def test_the_digest_is_there_in_every_mode() -> None:
    net = wrap(small(), mean=0, std=1, input_size=8)
    with torch.inference_mode():
        assert net.digest == wrap(small(), mean=0, std=1, input_size=8).digest
        made = small()
        assert wrap(made, mean=0, std=1, input_size=8).digest == net.digest
    assert wrap(made, mean=0, std=1, input_size=8).digest == net.digest
