"""Vision transformers render: units of token layers by channel, by token and by class, in timm's and torchvision's networks."""

from __future__ import annotations

import pytest
import torch

import phosphene as ph


def vit(source: str) -> ph.Network:
    torch.manual_seed(0)
    if source == "timm":
        timm = pytest.importorskip("timm")
        module = timm.create_model("vit_tiny_patch16_224", pretrained=False, img_size=32, patch_size=8, num_classes=6)
    else:
        models = pytest.importorskip("torchvision").models
        module = models.VisionTransformer(
            image_size=32, patch_size=8, num_layers=3, num_heads=2, hidden_dim=32, mlp_dim=64, num_classes=6
        )
        torch.nn.init.normal_(module.heads[0].weight, std=0.1)  # torchvision starts a head from zero: no unit to see
    return ph.wrap(module.eval(), mean=0.5, std=0.5, input_size=32)


@pytest.mark.parametrize(("source", "layer"), [("timm", "blocks.2"), ("torchvision", "encoder.layers.encoder_layer_1")])
def test_channels_tokens_and_classes_of_a_vit_have_finite_rising_scores(source: str, layer: str) -> None:
    net = vit(source)
    assert net.layer(layer).layout == "NLC"
    units = [ph.Channel(layer, 3), ph.Neuron(layer, 3, (5,)), ph.Logit(2)]
    result = ph.render(net, units, steps=24, seed=1, progress=False)
    assert result.images.shape == (3, 3, 32, 32)
    assert result.status == ("ok",) * 3
    for name, curve in zip(result.names, result.scores, strict=True):
        assert torch.isfinite(curve).all(), name
        assert curve[-6:].mean() > curve[:6].mean(), name


@pytest.mark.parametrize("source", ["timm", "torchvision"])
def test_a_token_unit_reads_its_own_token_only(source: str) -> None:
    net = vit(source)
    layer = {"timm": "patch_embed", "torchvision": "conv_proj"}[source]
    position = {"timm": (5,), "torchvision": (1, 1)}[source]
    result = ph.render(
        net, ph.Neuron(layer, 0, position), ph.Pixels(32, 32), transforms=(), steps=3, snapshots=(0,), progress=False
    )
    changed = (result.images[0] - result.snapshots[0][0]).abs().sum(0) > 0
    rows, columns = torch.nonzero(changed, as_tuple=True)
    # Patch 5 of 4 × 4 is the second of the second row: pixels 8 to 15 both ways.
    assert (int(rows.min()), int(rows.max())) == (8, 15)
    assert (int(columns.min()), int(columns.max())) == (8, 15)
