"""Lucent's parameterizations: values, sizes, starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from phosphene.compat.lucent.optvis import param
from phosphene.compat.lucent.optvis.param.gan import upconvGAN
from phosphene.compat.lucent.util import set_seed
from phosphene.errors import ParameterError, WeightsError


def test_pixels_are_themselves() -> None:
    params, image_f = param.pixel_image((2, 3, 4, 5))
    assert params[0].shape == (2, 3, 4, 5)
    assert image_f() is params[0]
    assert params[0].is_leaf


@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 6), (5, 7), (6, 5)])
@pytest.mark.parametrize("decay", [1, 0, 2])
def test_the_spectrum_is_scaled_as_natural_images_are(height: int, width: int, decay: float) -> None:
    params, image_f = param.fft_image((2, 3, height, width), sd=1.0, decay_power=decay)
    assert params[0].shape == (2, 3, height, width // 2 + 1, 2)
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    scale = 1 / np.maximum(np.sqrt(fx**2 + fy**2), 1 / max(height, width)) ** decay
    spectrum = params[0].detach().double().numpy()
    expected = np.fft.irfft2((spectrum[..., 0] + 1j * spectrum[..., 1]) * scale, s=(height, width), norm="ortho") / 4
    assert np.allclose(image_f().detach().numpy(), expected, atol=1e-5)


def test_the_start_has_lucids_spread() -> None:
    _, image_f = param.fft_image((4, 3, 128, 128))
    assert float(image_f().detach().std()) == pytest.approx(0.0183, rel=0.1)
    params, _ = param.pixel_image((1, 3, 64, 64))
    assert float(params[0].detach().std()) == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("decorrelate", [True, False])
@pytest.mark.parametrize("fft", [True, False])
def test_an_image_has_width_before_height(decorrelate: bool, fft: bool) -> None:
    params, image_f = param.image(10, 7, batch=2, decorrelate=decorrelate, fft=fft)
    image = image_f()
    assert image.shape == (2, 3, 7, 10)
    assert bool(((image > 0) & (image < 1)).all())
    image.sum().backward()
    assert params[0].grad is not None


def test_images_are_square_and_single_by_default_and_may_have_any_channels() -> None:
    assert param.image(6)[1]().shape == (1, 3, 6, 6)
    assert param.image(6, channels=5)[1]().shape == (1, 5, 6, 6)
    assert param.image(6, channels=1, batch=2)[1]().shape == (2, 1, 6, 6)


def test_colours_are_mixed_by_lucids_matrix_then_squashed() -> None:
    unit = torch.tensor([1.0, 0, 0])[None, :, None, None]
    mixed = torch.logit(param.to_valid_rgb(lambda: unit, decorrelate=True)())
    assert torch.allclose(mixed.flatten(), torch.tensor([0.562829, 0.584476, 0.584476]), atol=1e-5)
    assert torch.allclose(param.to_valid_rgb(lambda: unit)(), torch.sigmoid(unit))


def test_a_seed_gives_the_start() -> None:
    def start() -> torch.Tensor:
        set_seed(11)
        return param.image(8)[1]().detach()

    assert torch.equal(start(), start())
    assert not torch.equal(param.image(8)[1](), param.image(8)[1]())


@pytest.mark.parametrize("underlying", [(1, 3, 2, 2), (2, 3, 4, 2), (4, 3, 4, 6)])
@pytest.mark.parametrize("offset", [None, 0, 1, True, False, [0, 0, 1, 2], [False, False, True, 0]])
def test_low_resolution_tensors_have_the_full_shape(underlying: tuple[int, ...], offset: object) -> None:
    params, image_f = param.lowres_tensor((4, 3, 4, 6), underlying, offset=offset)  # type: ignore[arg-type]
    assert params[0].shape == underlying
    assert image_f().shape == (4, 3, 4, 6)
    assert not torch.isnan(image_f()).any()


def test_low_resolution_values_are_interpolated_and_moved() -> None:
    params, image_f = param.lowres_tensor((1, 1, 1, 4), (1, 1, 1, 2))
    params[0].data.copy_(torch.tensor([0.0, 1.0]).view(1, 1, 1, 2))
    assert image_f().flatten().tolist() == [0.0, 0.5, 1.0, 1.0]
    params, image_f = param.lowres_tensor((1, 1, 1, 4), (1, 1, 1, 2), offset=[0, 0, 0, 1])
    params[0].data.copy_(torch.tensor([0.0, 1.0]).view(1, 1, 1, 2))
    assert image_f().flatten().tolist() == [0.0, 0.0, 0.5, 1.0]


def test_what_is_shared_across_a_batch_is_the_same_in_it() -> None:
    _, image_f = param.lowres_tensor((3, 2, 4, 4), (1, 2, 4, 4))
    assert torch.equal(image_f()[0], image_f()[2])


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"shape \(1, 3, 4, 4\) cannot be interpolated from \(1, 2, 4, 4\)"):
        param.lowres_tensor((1, 3, 4, 4), (1, 2, 4, 4))
    with pytest.raises(ParameterError, match=r"offset is \[1, 2\]"):
        param.lowres_tensor((1, 3, 4, 4), (1, 3, 2, 2), offset=[1, 2])


def test_a_cppn_has_lucents_weights_and_starts_grey() -> None:
    params, image_f = param.cppn(16)
    assert sum(p.numel() for p in params) == 7275
    assert torch.equal(image_f(), torch.full((1, 3, 16, 16), 0.5))
    params, image_f = param.cppn(8, 4, 6, 3, nn.ReLU, normalize=True)
    assert [tuple(p.shape) for p in params[::2]] == [(6, 2, 1, 1), (6, 6, 1, 1), (4, 6, 1, 1)]
    assert image_f().shape == (1, 4, 8, 8)


def test_a_cppn_fits_the_exclusive_or_of_its_corners() -> None:
    params, image_f = param.cppn(16)
    optimizer = torch.optim.Adam(params, lr=0.01)
    for _ in range(200):
        optimizer.zero_grad()
        corners = image_f()[0, :, [0, 0, -1, -1], [0, -1, 0, -1]]
        (corners - torch.tensor([1.0, 0, 0, 1])).square().sum().backward()
        optimizer.step()
    found = image_f()[0, :, [0, 0, -1, -1], [0, -1, 0, -1]].mean(0).detach()
    assert (found - torch.tensor([1.0, 0, 0, 1])).abs().max() < 0.01


def test_a_generator_without_its_weights_says_where_they_are_looked_for() -> None:
    with pytest.raises(WeightsError, match=r"checkpoints/upconvGAN_fc6\.pt"):
        upconvGAN("fc6")
    with pytest.raises(ParameterError, match="layer is 'fc9'"):
        upconvGAN("fc9", pretrained=False)  # type: ignore[arg-type]


def test_a_generator_reads_its_file_and_its_pictures_are_raw_values_about_the_mean(tmp_path: Path) -> None:
    random = upconvGAN("pool5", pretrained=False)
    path = tmp_path / "weights.pt"
    torch.save({f"G.{name}": value for name, value in random.G.state_dict().items()}, path)
    generator = upconvGAN("pool5", path=path)
    code = torch.randn(1, 256, 6, 6).requires_grad_()
    raw, picture = generator(code), generator.visualize(code, scale=0.5)
    assert torch.allclose(raw, random(code))
    assert raw.shape == (1, 3, 256, 256)
    mean = torch.tensor([123.0, 117, 104])[:, None, None]
    assert torch.allclose(picture, ((raw + mean) / 255).clamp(0, 1) * 0.5, atol=1e-6)
    picture.sum().backward()
    assert code.grad is not None
    assert all(p.grad is None and not p.requires_grad for p in generator.parameters())
    assert generator.codelen == 256


@pytest.mark.parametrize(
    "param_f",
    [
        lambda: param.image(6, 5),
        lambda: param.image(6, fft=False),
        lambda: param.lowres_tensor((2, 3, 4, 4), (1, 3, 2, 2), offset=1),
        lambda: param.cppn(6, normalize=True),
    ],
)
def test_everything_is_made_on_the_default_device(
    param_f: Callable[[], tuple[list[Tensor], Callable[[], Tensor]]],
) -> None:
    with torch.device("meta"):
        params, image_f = param_f()
    assert {tensor.device.type for tensor in (*params, image_f())} == {"meta"}
    assert all(tensor.requires_grad and tensor.is_leaf for tensor in params)
