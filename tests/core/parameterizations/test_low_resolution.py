"""Pyramids and low-resolution tensors, against Lucid's formulas written out with loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import CPU, conv_net, quick, random_images, streams

import phosphene as ph
from phosphene.errors import ParameterError
from phosphene.parameterizations import LaplacianPyramid, LowResolution, Shared

MATRIX = np.array([[0.26, 0.09, 0.02], [0.27, 0, -0.05], [0.27, -0.09, 0.03]]) / 0.4619524
SHAPES = [(3, (12, 10)), (1, (7, 9)), (5, (16, 5)), (3, (1, 3))]


def canvas(parameterization, n=2, dtype=torch.float64):
    return parameterization.build(n, streams(n).fork("start"), device=CPU, dtype=dtype)


def squashed(latent):
    """Colours by Lucid's matrix, then the sigmoid."""
    mixed = np.einsum("kc,nchw->nkhw", MATRIX, latent) if latent.shape[1] == 3 else latent
    return 1 / (1 + np.exp(-mixed))


def enlarged(values, n_out, axis, corner, offset=0):
    values = np.moveaxis(np.asarray(values), axis, 0)
    n_in, made = values.shape[0], []
    for i in range(n_out):
        at = i * n_in / n_out if corner else (i + 0.5) * n_in / n_out - 0.5
        at = min(max(at, 0), n_in - 1)
        low, high = int(at), min(int(at) + 1, n_in - 1)
        made.append((low + 1 - at) * values[low] + (at - low) * values[high])
    padded = np.pad(np.stack(made), [(offset, 0)] + [(0, 0)] * (values.ndim - 1), mode="symmetric")
    return np.moveaxis(padded[:n_out], 0, axis)


@pytest.mark.parametrize(("channels", "size"), SHAPES)
@pytest.mark.parametrize("levels", [1, 4])
def test_a_pyramid_is_the_sum_of_its_enlarged_levels(channels, size, levels):
    made = canvas(LaplacianPyramid(*size, channels=channels, levels=levels, sd=1.0))
    assert len(made.levels) == levels
    total = 0
    for k, level in enumerate(made.levels):
        assert level.shape == (2, channels, max(1, size[0] // 2**k), max(1, size[1] // 2**k))
        total = total + enlarged(enlarged(level.detach(), size[0], 2, False), size[1], 3, False)
    np.testing.assert_allclose(made().detach(), squashed(total), atol=1e-7)


def test_every_level_of_a_pyramid_starts_from_noise_of_the_given_standard_deviation():
    made = canvas(LaplacianPyramid(96, 80, sd=0.03), 3)
    for level in made.levels:
        assert level.std().item() == pytest.approx(0.03, rel=0.06)


def test_a_pyramid_started_from_an_image_holds_it_in_its_finest_level():
    start = random_images(2, 3, (9, 6))
    made = canvas(LaplacianPyramid(9, 6, start=start))
    torch.testing.assert_close(made(), start, rtol=0, atol=1e-4)
    assert all((level == 0).all() for level in list(made.levels)[1:])


def test_assigning_to_a_pyramid_leaves_the_coarse_levels_where_the_steps_brought_them():
    made, image = canvas(LaplacianPyramid(9, 6)), random_images(2, 3, (9, 6))
    before = [level.detach().clone() for level in made.levels]
    made.assign(image)
    torch.testing.assert_close(made(), image, rtol=0, atol=1e-4)
    assert all(torch.equal(a, b) for a, b in zip(before[1:], list(made.levels)[1:], strict=True))


@pytest.mark.parametrize("sampling", ["center", "corner"])
@pytest.mark.parametrize("shift", [0, 1, "half"])
@pytest.mark.parametrize(("channels", "size"), SHAPES)
def test_low_resolution_is_the_literal_enlargement(channels, size, sampling, shift):
    made = canvas(LowResolution(*size, channels=channels, factor=3, sampling=sampling, shift=shift, sd=1.0))
    low = np.asarray(made.low.detach())
    assert low.shape == (2, channels, max(1, size[0] // 3), max(1, size[1] // 3))
    shifts = [int(b / a / 2) if shift == "half" else shift for a, b in zip(low.shape[2:], size, strict=True)]
    latent = enlarged(low, size[0], 2, sampling == "corner", shifts[0])
    latent = enlarged(latent, size[1], 3, sampling == "corner", shifts[1])
    np.testing.assert_allclose(made().detach(), squashed(latent), atol=1e-7)


def test_a_low_resolution_takes_the_nearest_image_that_it_can_show():
    coarse = canvas(LowResolution(12, 10, factor=2, sd=0.5), 2)
    image = coarse().detach()
    again = canvas(LowResolution(12, 10, factor=2), 2)
    again.assign(image)
    torch.testing.assert_close(again(), image, rtol=0, atol=1e-6)
    started = canvas(LowResolution(12, 10, factor=2, start=image), 2)
    torch.testing.assert_close(started(), image, rtol=0, atol=1e-4)


@pytest.mark.parametrize("sampling", ["center", "corner"])
@pytest.mark.parametrize("shift", [0, "half"])
@pytest.mark.parametrize(("channels", "size"), [(3, (32, 20)), (1, (17, 19)), (5, (8, 9))])
def test_shared_is_lucids_unique_fourier_image_plus_its_six_shared_tensors(channels, size, sampling, shift):
    n, made = 6, canvas(Shared(*size, channels=channels, sampling=sampling, shift=shift, sd=0.5), 6)
    spectrum = made.spectrum.detach().numpy()
    f = np.sqrt(np.fft.fftfreq(size[0])[:, None] ** 2 + np.fft.rfftfreq(size[1])[None] ** 2)
    scale = 1 / np.maximum(f, 1 / max(size))
    latent = np.fft.irfft2((spectrum[..., 0] + 1j * spectrum[..., 1]) * scale, s=size, norm="ortho") / 4
    expected = [(2, 1), (4, 1), (8, 1), (8, 2), (16, 1), (16, 2)]
    for layer, (reduction, rows) in zip(made.layers, expected, strict=True):
        shape = (rows, channels, max(1, size[0] // reduction), max(1, size[1] // reduction))
        assert layer.shape == shape
        part = layer.detach().numpy()
        for axis, n_out in ((0, n), (2, size[0]), (3, size[1])):
            offset = int(n_out / part.shape[axis] / 2) if shift == "half" else 0
            part = enlarged(part, n_out, axis, sampling == "corner", offset)
        latent = latent + part
    np.testing.assert_allclose(made().detach(), squashed(latent), atol=1e-7)


def test_a_layer_with_as_many_rows_as_images_is_not_shared():
    assert canvas(Shared(8, 8), 1).shared == frozenset()
    assert canvas(Shared(8, 8), 2).shared == {"layers.0", "layers.1", "layers.2", "layers.4"}
    assert canvas(Shared(8, 8), 3).shared == {f"layers.{i}" for i in range(6)}
    assert [layer.shape[0] for layer in canvas(Shared(8, 8, layers=((2, 9),)), 3).layers] == [3]


def test_shared_rows_start_from_the_draws_of_the_images_in_the_middle_of_their_share():
    lone = canvas(Shared(8, 8, layers=((2, 6),)), 6).layers[0]
    assert torch.equal(canvas(Shared(8, 8, layers=((2, 2),)), 6).layers[0], lone[[1, 4]])
    assert torch.equal(canvas(Shared(8, 8, layers=((2, 1),)), 6).layers[0], lone[[3]])


def test_shared_started_from_images_shows_them_and_takes_others():
    start, other = random_images(3, 3, (9, 8)), random_images(3, 3, (9, 8), seed=1)
    made = canvas(Shared(9, 8, start=start), 3)
    torch.testing.assert_close(made(), start, rtol=0, atol=1e-4)
    with torch.no_grad():
        made.layers[0].add_(0.3)
    made.assign(other)
    torch.testing.assert_close(made(), other, rtol=0, atol=1e-4)


def test_a_row_of_pictures_with_shared_parameters_is_more_alike_than_one_without():
    net, units = conv_net(), [ph.Channel("conv2", i) for i in (1, 1, 1, 1)]
    options = {"optimizer": ph.optimizers.Adam(lr=0.05), "steps": 20}
    size = net.input_size
    shared = quick(net, units, parameterization=Shared(*size, layers=((2, 1), (4, 1))), **options).images
    lone = quick(net, units, parameterization=ph.Fourier(*size), **options).images
    assert shared.std(0).mean() < lone.std(0).mean()


def fit(parameterization, target, steps):
    made = canvas(parameterization, 1, torch.float32)
    optimizer = torch.optim.Adam(made.parameters(), lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        (made() - target).square().sum().backward()
        optimizer.step()
    return (made() - target).abs().mean().item()


@pytest.mark.parametrize("kind", [ph.Pixels, ph.Fourier, LaplacianPyramid, Shared])
def test_a_photograph_is_fitted_within_a_thousand_steps_of_adam(kind):
    """Lucid's own test of its parameterizations: mean absolute error under 0.01."""
    skimage = pytest.importorskip("skimage.data")
    photograph = torch.from_numpy(skimage.astronaut()).permute(2, 0, 1)[None, :, 0:256, 96:352].float() / 255
    target = torch.nn.functional.interpolate(photograph, (24, 21), mode="bilinear", antialias=True)
    assert fit(kind(24, 21), target, 1000) < 0.01


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LaplacianPyramid(8, 8, levels=0), "levels is 0; expected a whole number from 1 to 14"),
        (lambda: LaplacianPyramid(8, 8, levels=15), "levels is 15"),
        (lambda: LowResolution(8, 8, factor=0), "factor is 0; expected a whole number from 1 to 16384"),
        (lambda: LowResolution(8, 8, sampling="edge"), "sampling is 'edge'; expected 'center' or 'corner'"),
        (lambda: LowResolution(8, 6, shift=7), "shift is 7; expected 'half' or a number from 0 to the smaller side"),
        (lambda: LowResolution(8, 6, shift="whole"), "shift is 'whole'"),
        (lambda: Shared(8, 8, layers=((0, 1),)), "layers is .*; expected pairs of whole numbers from 1"),
        (lambda: Shared(8, 8, layers=((2, 1, 3),)), "layers is .*; expected pairs"),
        (lambda: Shared(8, 8, decay=-1.0), "decay is -1.0; expected a number from 0 to 8"),
    ],
)
def test_a_parameter_out_of_range_is_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


def test_another_size_keeps_everything_but_the_start():
    made = LaplacianPyramid(9, 6, levels=2, start=random_images(1, 3, (9, 6)))
    assert made.sized(5, 4) == LaplacianPyramid(5, 4, levels=2)
    assert Shared(9, 6, layers=((3, 1),)).sized(5, 4) == Shared(5, 4, layers=((3, 1),))
