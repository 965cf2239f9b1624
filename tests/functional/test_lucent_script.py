"""A script that uses only what Lucent documents runs after its imports were changed; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import phosphene as ph
from phosphene.compat.lucent.modelzoo.util import get_model_layers
from phosphene.compat.lucent.optvis import objectives, param, render, transform
from phosphene.compat.lucent.util import set_seed


class Stand(nn.Module):
    """A network as people write them: nested, with names of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(inplace=True))
        self.mixed4a = nn.Sequential(nn.Conv2d(8, 12, 3, 2, 1), nn.BatchNorm2d(12), nn.ReLU(inplace=True))
        self.fc = nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.mixed4a(self.stem(x)).mean((2, 3)))


@pytest.fixture(autouse=True)
def _seeded() -> object:
    with torch.random.fork_rng(devices=[]):
        yield


def run_script(model: nn.Module, layer: str, folder: Path) -> None:
    """The tutorial's steps, one after the other, on few steps of small images."""
    set_seed(0)
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    model.to(device).eval()
    assert layer in get_model_layers(model)
    size = {"fixed_image_size": 48}

    # A channel, at several thresholds.
    images = render.render_vis(
        model, f"{layer}:3", thresholds=(1, 2), param_f=lambda: param.image(32), show_image=False, **size
    )
    assert [image.shape for image in images] == [(1, 32, 32, 3)] * 2
    assert all(image.min() >= 0 and image.max() <= 1 for image in images)

    # Objectives combined; a batch of four that should differ; a negative channel.
    obj = objectives.channel(layer, 3) - 1e2 * objectives.diversity(layer)
    batch_param_f = lambda: param.image(32, batch=4)  # noqa: E731
    (batch,) = render.render_vis(model, obj, batch_param_f, thresholds=(2,), show_inline=True, progress=False, **size)
    assert batch.shape == (4, 32, 32, 3)
    pair = objectives.channel(layer, 3, batch=1) - objectives.channel(layer, 3, batch=0)
    render.render_vis(
        model, pair, lambda: param.image(32, batch=2), thresholds=(1,), show_image=False, progress=False, **size
    )

    # Transforms, an optimizer, pixels instead of frequencies.
    (plain,) = render.render_vis(
        model,
        objectives.neuron(layer, 2) + 0.1 * objectives.channel("labels", 1),
        param_f=lambda: param.image(32, fft=False, decorrelate=False),
        optimizer=lambda params: torch.optim.Adam(params, lr=1e-1),
        transforms=[
            transform.pad(4),
            transform.jitter(4),
            transform.random_scale([0.9, 1, 1.1]),
            transform.random_rotate([-5, 0, 5]),
        ],
        thresholds=(2,),
        verbose=True,
        show_image=False,
        save_image=True,
        image_name=str(folder / "plain.png"),
        **size,
    )
    assert plain.std() > 0
    assert (folder / "plain.png").is_file()

    # An objective of one's own, a CPPN, and an interpolation over a batch with shared low-resolution parameters.
    @objectives.wrap_objective()
    def dot_compare(layer: str, batch: int = 1, cossim_pow: float = 0) -> Callable[[Callable[[str], Tensor]], Tensor]:
        def inner(T: Callable[[str], Tensor]) -> Tensor:  # noqa: N803
            dot = (T(layer)[batch] * T(layer)[0]).sum()
            mag = torch.sqrt(torch.sum(T(layer)[0] ** 2))
            return -(dot * (dot / (1e-6 + mag)) ** cossim_pow)

        return inner

    def interpolating() -> tuple[list[Tensor], Callable[[], Tensor]]:
        unique, unique_f = param.fft_image((3, 3, 32, 32))
        shared, shared_f = param.lowres_tensor((3, 3, 32, 32), (1, 3, 8, 8))
        return unique + shared, param.to_valid_rgb(lambda: unique_f() + shared_f(), decorrelate=True)

    mixture = objectives.channel_interpolate(layer, 1, layer, 2) + 1e-1 * objectives.alignment(layer, decay_ratio=5)
    (row,) = render.render_vis(model, mixture, interpolating, thresholds=(2,), show_image=False, progress=False, **size)
    assert row.shape == (3, 32, 32, 3)
    (two,) = render.render_vis(
        model,
        dot_compare(layer),
        lambda: param.image(32, batch=2),
        thresholds=(1,),
        show_image=False,
        progress=False,
        **size,
    )
    assert two.shape == (2, 32, 32, 3)
    (cppn,) = render.render_vis(
        model,
        "labels:0",
        lambda: param.cppn(32),
        lambda p: torch.optim.Adam(p, 5e-3),
        transforms=[],
        thresholds=(2,),
        show_image=False,
        progress=False,
        **size,
    )
    assert cppn.shape == (1, 32, 32, 3)
    assert not any(part._forward_hooks for part in model.modules())
    assert all(p.grad is None for p in model.parameters())


def test_the_script_runs_on_a_small_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    run_script(Stand(), "mixed4a", tmp_path)


def test_the_script_runs_on_the_bundled_network(tmp_path: Path) -> None:
    run_script(ph.load("efficientnet_lite0").module, "blocks_1", tmp_path)


def test_the_script_runs_on_torchvision(tmp_path: Path) -> None:
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    run_script(models.resnet18(weights=None), "layer1_0_conv1", tmp_path)


def test_the_loss_goes_down_in_the_bundled_network(capsys: pytest.CaptureFixture[str]) -> None:
    set_seed(0)
    model = ph.load("efficientnet_lite0").module
    direction = torch.zeros(24)
    direction[5] = 1
    objective = objectives.direction("blocks_1", direction)
    images = render.render_vis(
        model,
        objective,
        lambda: param.image(32),
        thresholds=(1, 12),
        verbose=True,
        transforms=[],
        fixed_image_size=64,
        progress=False,
        show_image=False,
    )
    lines = capsys.readouterr().out.splitlines()
    first, last = (float(line.split()[-1]) for line in (lines[0], lines[-1]))
    assert last < first - 0.1
    assert np.abs(images[1] - images[0]).max() > 0.1
