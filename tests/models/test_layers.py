"""The table of layers is true: receptive fields against the closed-form arithmetic, layouts against what is known."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from phosphene.models.efficientnet_lite0 import SameConv2d
from phosphene.models.layers import layers
from phosphene.models.load import load, wrap
from phosphene.models.receptive_field import ReceptiveField, token_grid

from .toys import Listed, Twice, small


def closed_form(stack: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int]]:
    """Size, stride and offset after each (kernel, stride, padding before, dilation); Araujo et al. 2019."""
    size, step, offset = 1, 1, 0
    fields = []
    for kernel, stride, padding, dilation in stack:
        size += (kernel - 1) * dilation * step
        offset -= padding * step
        step *= stride
        fields.append((size, step, offset))
    return fields


LAYERS = st.tuples(
    st.sampled_from([1, 2, 3, 5]), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2), st.sampled_from("cam")
)


@settings(deadline=None, max_examples=20, derandomize=True)
@given(stack=st.lists(LAYERS, min_size=1, max_size=4), height=st.integers(61, 66), width=st.integers(70, 77))
def test_convolutions_and_pools_have_the_closed_forms_field(
    stack: list[tuple[int, int, int, int, str]], height: int, width: int
) -> None:
    parts: list[nn.Module] = []
    rows: list[tuple[int, int, int, int]] = []
    n_rows = min(height, width)
    for kernel, stride, padding, dilation, kind in stack:
        dilation = 1 if kind == "a" else dilation
        padding = min(padding, kernel // 2 if kind != "c" else dilation * (kernel - 1))
        n_rows = (n_rows + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        if n_rows < 8 or (kind == "m" and dilation > 1):
            break
        pools = {"a": nn.AvgPool2d(kernel, stride, padding), "m": nn.MaxPool2d(kernel, stride, padding)}
        parts += [pools.get(kind, nn.Conv2d(2, 2, kernel, stride, padding, dilation)), nn.ReLU(inplace=True)]
        rows.append((kernel, stride, padding, dilation))
    table = layers(wrap(nn.Sequential(*parts, nn.Identity()), mean=0, n_channels=2, input_size=(height, width)))
    for i, (size, stride, offset) in enumerate(closed_form(rows)):
        for row in (table[2 * i], table[2 * i + 1]):
            field = row.receptive_field
            assert (field.size, field.stride, field.offset) == ((size,) * 2, (stride,) * 2, (offset,) * 2)


@pytest.mark.parametrize(("size", "offset"), [((32, 32), (0, 0)), ((33, 33), (-1, -1)), ((33, 32), (-1, 0))])
def test_asymmetric_same_padding_shows_in_the_offset(size: tuple[int, int], offset: tuple[int, int]) -> None:
    net = wrap(SameConv2d(3, 4, 3, 2), mean=0, input_size=size)
    net = wrap(nn.Sequential(net.module), mean=0, input_size=size)
    assert layers(net)[0].receptive_field == ReceptiveField((3, 3), (2, 2), offset, whole_image=False)


def test_positions_that_see_only_padding_do_not_mislead() -> None:
    (row,) = layers(wrap(nn.Sequential(nn.Conv2d(3, 2, 1, padding=1)), mean=0, input_size=(12, 14)))
    assert row.receptive_field == ReceptiveField((1, 1), (1, 1), (-1, -1), whole_image=False)


def test_ceil_mode_is_kept() -> None:
    net = wrap(nn.Sequential(nn.MaxPool2d(3, 2, ceil_mode=True)), mean=0, input_size=(12, 14))
    (row,) = layers(net)
    assert row.shape == (1, 3, 6, 7)
    assert row.receptive_field == ReceptiveField((3, 3), (2, 2), (0, 0), whole_image=False)


def test_branches_unite_and_operations_in_place_do_not_reach_back() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.narrow, self.wide = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 7, padding=3)

        def forward(self, x: Tensor) -> Tensor:
            x = F.relu6(x)
            y = self.narrow(x)
            y += self.wide(x)
            return F.max_pool2d(y, 2)

    net = wrap(nn.Sequential(Residual()), mean=0, input_size=(20, 24))
    fields = {row.name: row.receptive_field for row in layers(net)}
    assert fields["0.narrow"].size == (3, 3)
    assert fields["0.wide"].size == (7, 7)
    assert fields["0"] == ReceptiveField((8, 8), (2, 2), (-3, -3), whole_image=False)


def test_global_pooling_and_large_fields_see_the_whole_image() -> None:
    table = layers(wrap(small(), mean=0, input_size=(9, 11)))
    assert [row.receptive_field.whole_image for row in table] == [False] * 6 + [True] * 3
    deep = wrap(
        nn.Sequential(nn.Conv2d(3, 3, 9, padding=4), nn.Conv2d(3, 3, 33, padding=16)), mean=0, input_size=(16, 15)
    )
    first, last = layers(deep)
    assert not first.receptive_field.whole_image
    assert last.receptive_field.whole_image


def test_a_module_called_twice_has_the_field_of_its_last_call() -> None:
    (row,) = layers(wrap(Twice(), mean=0, input_size=16))
    assert (row.receptive_field.size, row.n_calls) == ((5, 5), 2)


def test_the_network_is_left_as_it_was() -> None:
    module = small().train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    layers(wrap(module, mean=0, input_size=16))
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    assert all(part.training and not part._forward_hooks for part in module.modules())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in module.parameters())


def test_a_network_that_blocks_gradients_has_whole_image_fields() -> None:
    class Blocked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.part(x.detach().round())

    (row,) = layers(wrap(Blocked(), mean=0, input_size=6))
    assert row.receptive_field.whole_image


def test_an_uncopyable_network_is_measured_as_it_is() -> None:
    class Stubborn(nn.Sequential):
        def __deepcopy__(self, memo: Any) -> Stubborn:
            raise RuntimeError("no copies")

    table = layers(wrap(Stubborn(nn.Conv2d(3, 2, 3), nn.Conv2d(2, 2, 3)), mean=0, input_size=12))
    assert [row.receptive_field.size for row in table] == [(3, 3), (5, 5)]


def test_known_fields_of_published_networks() -> None:
    """ResNet-18's last stage: 435 pixels in steps of 32; VGG-11's: 150 (Araujo et al. 2019)."""
    pytest.importorskip("torchvision")
    expected = {
        "torchvision/resnet18": {"layer4": (435, 32, -217), "layer1.0.conv1": (19, 4, -9)},
        "torchvision/vgg11": {"features": (150, 32, -59)},
    }
    for name, fields in expected.items():
        if name.endswith("vgg11"):
            from torchvision.models import vgg11

            net = wrap(vgg11(num_classes=3, init_weights=False).features, mean=0, input_size=160)
            table = {"features": layers(net)[-1]}
        else:
            table = {row.name: row for row in layers(load(name, weights=False, input_size=160))}
        for layer, (size, stride, offset) in fields.items():
            field = table[layer].receptive_field
            assert (field.size, field.stride, field.offset) == ((size,) * 2, (stride,) * 2, (offset,) * 2)


def test_vision_transformers_are_token_sequences() -> None:
    timm = pytest.importorskip("timm")
    module = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=2, num_classes=5)
    table = {row.name: row for row in layers(wrap(module, mean=0.5, std=0.5))}
    assert (table["patch_embed.proj"].layout, table["patch_embed"].layout) == ("NCHW", "NLC")
    assert table["blocks.0.norm1"].shape == (1, 17, 192)
    assert table["blocks.0.norm1"].receptive_field == ReceptiveField((16, 16), (16, 16), (0, 0), whole_image=False)
    for name in ("blocks.0.attn", "blocks.0", "blocks.1.mlp.act", "norm"):
        assert (table[name].layout, table[name].n_channels) == ("NLC", 768 if "act" in name else 192)
        assert table[name].receptive_field.whole_image
    assert (table["head"].layout, table["head"].n_channels) == ("NC", 5)


def test_torchvisions_vision_transformer_is_one_too() -> None:
    models = pytest.importorskip("torchvision.models")
    module = models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=16, mlp_dim=32, num_classes=5
    )
    net = wrap(module, mean=0.5, std=0.5)
    table = {row.name: row for row in layers(net)}
    assert net.input_size == (32, 32)
    assert (table["encoder.layers.encoder_layer_0"].layout, table["encoder.layers.encoder_layer_0"].shape) == (
        "NLC",
        (1, 17, 16),
    )
    assert table["conv_proj"].receptive_field.size == (8, 8)
    assert table["encoder.ln"].receptive_field.whole_image


def test_swin_is_channels_last_and_convnext_first() -> None:
    timm = pytest.importorskip("timm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        swin = timm.create_model(
            "swin_tiny_patch4_window7_224", img_size=112, embed_dim=24, depths=(1, 1, 1, 1), num_classes=5
        )
    table = {row.name: row for row in layers(wrap(swin, mean=0.5, std=0.5))}
    assert (table["layers.0"].layout, table["layers.0"].n_channels) == ("NHWC", 24)
    assert (table["layers.1"].layout, table["layers.1"].n_channels) == ("NHWC", 48)
    assert (table["norm"].layout, table["head"].layout) == ("NHWC", "NC")
    assert table["patch_embed"].receptive_field.size == (4, 4)
    # Windows of 7 × 7 patches: any patch sees at most 6 further ones to each side.
    assert table["layers.0"].receptive_field == ReceptiveField((52, 52), (4, 4), (-24, -24), whole_image=False)
    atto = timm.create_model("convnext_atto", num_classes=5)
    table = {row.name: row for row in layers(wrap(atto, mean=0.5, std=0.5, input_size=64))}
    assert {table[name].layout for name in ("stem", "stages.0.blocks.0.norm", "stages.0.blocks.0", "stages.3")} == {
        "NCHW"
    }
    assert table["stages.0.blocks.0"].receptive_field == ReceptiveField((28, 28), (4, 4), (-12, -12), whole_image=False)


@pytest.mark.parametrize(
    ("n_tokens", "size", "expected"),
    [
        (196, (224, 224), ((14, 14), 0)),
        (197, (224, 224), ((14, 14), 1)),
        (33, (64, 32), ((8, 4), 1)),
        (3, (224, 224), ((1, 1), 2)),
        (7, (8, 8), ((0, 0), 0)),
    ],
)
def test_tokens_are_laid_out_by_the_images_aspect(n_tokens: int, size: tuple[int, int], expected: Any) -> None:
    assert token_grid(n_tokens, size) == expected


def test_the_table_prints_aligned_and_iterates_as_records() -> None:
    table = layers(wrap(small(), mean=0, input_size=(9, 11)))
    heading, first, *_, last = str(table).splitlines()
    assert heading.split("  ")[0] == "layer"
    assert first.split() == [
        "conv1",
        "Conv2d",
        "4",
        "×",
        "9",
        "×",
        "11",
        "4",
        "NCHW",
        "3",
        "×",
        "3",
        "1",
        "×",
        "1",
        "-1,",
        "-1",
        "1",
    ]
    assert last.split() == ["fc", "Linear", "5", "5", "NC", "whole", "image", "1"]
    assert heading.index("type") == first.index("Conv2d") == last.index("Linear")
    assert [row.name for row in table][:2] == ["conv1", "bn1"]
    assert [row.name for row in table[2:4]] == ["relu1", "conv2"]
    assert table.to_json()[0] == {
        "name": "conv1",
        "type": "Conv2d",
        "shape": [1, 4, 9, 11],
        "n_channels": 4,
        "layout": "NCHW",
        "n_calls": 1,
        "receptive_field": {"size": [3, 3], "stride": [1, 1], "offset": [-1, -1], "whole_image": False},
    }


def test_modules_in_lists_have_their_full_names() -> None:
    assert [row.name for row in layers(wrap(Listed(), mean=0, input_size=6))] == ["parts.0", "parts.1", "parts.2"]
