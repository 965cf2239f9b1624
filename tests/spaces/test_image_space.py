"""A parameterization as a space: Gaussian codes are its own starts, units are its own standard deviations."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from members import decode, latents, name_of, parameterizations
from networks import random_images, streams

import phosphene as ph
from phosphene import parameterizations as p
from phosphene.errors import ArgumentError, ImageError, ParameterError, RecipeError, TrustError, WeightsError
from phosphene.functional.random import Generators
from phosphene.projections import CapNorm, Clip, FixContrast
from phosphene.spaces import ImageSpace, Projected, Space, Subspace, as_space, pca_subspace
from phosphene.spaces.layout import Layout

CPU = torch.device("cpu")
OWN = [one for one in (*parameterizations(), *parameterizations(5, 4, 1), *latents()) if not one.couples]
GAUSSIAN = [one for one in OWN if not isinstance(one, p.CPPN)]


@dataclass(frozen=True)
class Recording(Generators):
    """Streams that write down what they draw."""

    drawn: list = None

    def normal(self, *shape):
        values = super().normal(*shape)
        self.drawn.append(values.flatten(1))
        return values


def recorded(parameterization, n=3):
    """A canvas as it starts, and all normal draws of each image, one after the other."""
    own = streams(n).fork("start")
    noise = Recording(own.cpu, own.device, drawn=[])
    canvas = parameterization.build(n, noise, device=CPU, dtype=torch.float32)
    return canvas, torch.cat(noise.drawn, 1)


@pytest.mark.parametrize("parameterization", GAUSSIAN, ids=name_of)
def test_gaussian_codes_are_the_parameterizations_own_starts_to_the_bit(parameterization):
    canvas, draws = recorded(parameterization)
    layout = Layout(parameterization, 3, CPU)
    with torch.no_grad():
        layout.set(draws)
        for (name, ours), (_, its) in zip(layout.canvas.named_parameters(), canvas.named_parameters(), strict=True):
            assert torch.equal(ours, its), name
        torch.testing.assert_close(ImageSpace(parameterization).open(CPU)(draws), canvas().clamp(0, 1))


@pytest.mark.parametrize("parameterization", OWN, ids=name_of)
def test_the_length_of_a_code_is_the_number_of_parameters_of_an_image(parameterization):
    canvas, _ = recorded(parameterization, 1)
    fixed = canvas.gate.numel() if isinstance(parameterization, p.Phase) and parameterization.gate is not None else 0
    assert ImageSpace(parameterization).dim == sum(q.numel() for q in canvas.parameters()) - fixed


@pytest.mark.parametrize("sd", [0.01, 0.5])
def test_pixels_are_the_squashed_code_times_the_standard_deviation(sd):
    space = ImageSpace(ph.Pixels(5, 4, channels=1, sd=sd))
    codes = np.random.default_rng(0).normal(size=(9, 20))
    expected = 1 / (1 + np.exp(-sd * codes.reshape(9, 1, 5, 4)))
    np.testing.assert_allclose(space.open(CPU)(torch.from_numpy(codes)).numpy(), expected, atol=1e-6)


def test_fourier_codes_are_a_spectrum_that_falls_with_frequency():
    height, width, sd = 6, 5, 0.7
    space = ImageSpace(ph.Fourier(height, width, channels=1, sd=sd))
    codes = np.random.default_rng(0).normal(size=(4, space.dim))
    spectrum = codes.reshape(4, 1, height, width // 2 + 1, 2) @ np.array([1, 1j])
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    scaled = sd * spectrum / np.maximum(f, 1 / max(height, width))
    latent = np.fft.irfft2(scaled, s=(height, width), norm="ortho") / 4
    images = space.open(CPU)(torch.from_numpy(codes)).numpy()
    np.testing.assert_allclose(images, 1 / (1 + np.exp(-latent)), atol=1e-5)


def test_codes_of_a_generator_are_its_codes_times_sd():
    generator = p.CustomGenerator(decode, (5,), image_shape=(3, 6, 5))
    space = ImageSpace(p.Latent(generator, sd=0.5))
    codes = torch.randn(9, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(space.open(CPU)(codes), decode(0.5 * codes))


def test_a_constraint_holds_for_every_code():
    generator = p.CustomGenerator(decode, (5,), image_shape=(3, 6, 5))
    space = ImageSpace(p.Latent(generator, constraint=p.UnitNorm(2.0)))
    codes = torch.randn(9, 5, generator=torch.Generator().manual_seed(0))
    expected = decode(2 * codes / codes.norm(dim=1, keepdim=True))
    torch.testing.assert_close(space.open(CPU)(codes), expected)
    torch.testing.assert_close(space.open(CPU)(70 * codes), expected)


def test_a_constraint_holds_within_wrappers_too():
    generator = p.CustomGenerator(decode, (5,), image_shape=(3, 6, 5))
    whole = ImageSpace(p.Alpha(p.Latent(generator, constraint=p.UnitNorm(2.0))))
    codes = torch.randn(2, whole.dim, generator=torch.Generator().manual_seed(0))
    expected = decode(2 * codes[:, :5] / codes[:, :5].norm(dim=1, keepdim=True))
    torch.testing.assert_close(whole.open(CPU)(codes)[:, :3], expected)


@pytest.mark.parametrize("kind", [ph.Pixels, ph.Fourier, p.LaplacianPyramid, p.LowResolution])
def test_a_start_image_is_what_zeros_show_and_sd_is_the_unit_beside_it(kind):
    start = random_images(1, 3, (6, 5))[0]
    factor = {"factor": 1} if kind is p.LowResolution else {}
    space = ImageSpace(kind(6, 5, start=start, **factor))
    shown = space.open(CPU)(torch.zeros(1, space.dim))[0]
    torch.testing.assert_close(shown.double(), start, rtol=0, atol=1e-4)
    plain = ImageSpace(kind(6, 5, **factor))
    assert space.dim == plain.dim
    ours, its = (Layout(s.parameterization, 1, CPU).scales for s in (space, plain))
    assert all(torch.equal(ours[name], its[name]) for name in its)


def test_noise_in_the_images_values_begins_at_its_middle():
    space = ImageSpace(ph.Pixels(6, 5, start=p.UniformStart(0.2, 0.6), range="clip", decorrelate="none"))
    torch.testing.assert_close(space.open(CPU)(torch.zeros(1, 90)), torch.full((1, 3, 6, 5), 0.4))


def test_values_without_a_range_are_clamped():
    space = ImageSpace(ph.Pixels(6, 5, range="none", sd=9.0))
    images = space.open(CPU)(torch.randn(3, 90, generator=torch.Generator().manual_seed(0)))
    assert set(images.unique().tolist()) >= {0.0, 1.0}
    assert (float(images.min()), float(images.max())) == (0.0, 1.0)


def test_codes_of_a_cppn_are_its_weights_in_units_of_their_fan_in():
    spec = p.CPPN(4, 6, channels=2, hidden=5, layers=1, activation="relu")
    space = ImageSpace(spec)
    (code,) = torch.randn(1, space.dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64).numpy()
    w1, w2 = code[:10].reshape(5, 2) / np.sqrt(2), code[10:20].reshape(2, 5) / np.sqrt(5)
    b1, b2 = 0.1 * code[20:25], 0.1 * code[25:27]
    step = 2 * np.sqrt(3) / 5
    expected = np.empty((2, 4, 6))
    for row in range(4):
        for column in range(6):
            place = np.array([step * (column - 2.5), step * (row - 1.5)])
            hidden = (np.maximum(w1 @ place + b1, 0) - 0.4) / 0.58
            expected[:, row, column] = 1 / (1 + np.exp(-(w2 @ hidden + b2)))
    np.testing.assert_allclose(space.open(CPU)(torch.from_numpy(code[None]))[0].numpy(), expected, atol=1e-5)


def test_a_cppns_gaussian_codes_show_pictures_though_its_own_starts_are_grey():
    space = ImageSpace(p.CPPN(12, 12))
    images = space.open(CPU)(torch.randn(4, space.dim, generator=torch.Generator().manual_seed(0)))
    assert float(images.flatten(1).std(1).min()) > 0.01


@pytest.mark.parametrize(
    "parameterization",
    [
        ph.Pixels(6, 5, sd=0.5),
        ph.Fourier(6, 5, sd=0.5),
        ph.Fourier(7, 4, channels=1, range="clip", sd=0.1),
        p.LaplacianPyramid(6, 5, sd=0.3),
        p.Grayscale(ph.Pixels(6, 5, channels=1)),
        ph.Pixels(6, 5, start=random_images(1, 3, (6, 5), seed=7)[0]),
    ],
    ids=name_of,
)
def test_the_codes_of_images_decode_to_the_images(parameterization):
    space = ImageSpace(parameterization)
    channels, height, width = space.image_shape
    images = random_images(3, channels, (height, width)) * 0.8 + 0.1
    if isinstance(parameterization, p.Grayscale):
        images = images[:, :1].expand(-1, 3, -1, -1)
    torch.testing.assert_close(space.open(CPU)(space.encode(images)).double(), images, rtol=0, atol=1e-4)


def test_codes_come_back_from_their_images():
    space = ImageSpace(ph.Pixels(6, 5, sd=0.5))
    codes = torch.randn(4, space.dim, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(space.encode(space.open(CPU)(codes)), codes, rtol=0, atol=1e-3)
    assert space.encode(torch.empty(0, 3, 6, 5)).shape == (0, space.dim)


def test_a_generators_codes_cannot_be_found_from_an_image():
    space = as_space(p.CustomGenerator(decode, (5,), image_shape=(3, 6, 5)))
    with pytest.raises(ParameterError, match="parameters of a LatentCanvas cannot be found from an image"):
        space.encode(torch.zeros(1, 3, 6, 5))
    with pytest.raises(ImageError, match=r"images have shape \(1, 3, 6, 6\); expected \(n, 3, 6, 5\)"):
        space.encode(torch.zeros(1, 3, 6, 6))


def test_a_large_image_is_decoded_alone():
    space = ImageSpace(ph.Pixels(1200, 1200, channels=3))
    assert space.open(CPU).layout.n == 1
    assert ImageSpace(ph.Pixels(12, 12)).open(CPU).layout.n == 8


def test_as_space_takes_spaces_parameterizations_and_generators():
    generator = p.CustomGenerator(decode, (5,), image_shape=(3, 6, 5))
    space = as_space(generator)
    assert space == ImageSpace(p.Latent(generator))
    assert as_space(space) is space
    assert as_space(ph.Fourier(6, 5)) == ImageSpace(ph.Fourier(6, 5))
    with pytest.raises(ArgumentError, match="str is no space of codes; expected a Space, a generator"):
        as_space("fourier")


def test_what_has_no_codes_of_its_own_is_refused():
    with pytest.raises(ParameterError, match="images share parameters"):
        ImageSpace(p.Shared(6, 5))
    with pytest.raises(ParameterError, match="start is '2 images'; expected one image"):
        ImageSpace(ph.Pixels(6, 5, start=random_images(2, 3, (6, 5))))
    with pytest.raises(ArgumentError, match="parameterization is str; expected one such as"):
        ImageSpace("pixels")
    for still in (ph.Pixels(6, 5, sd=0.0), replace(latents()[0], sd=0.0)):
        with pytest.raises(ParameterError, match="starts alike, so that codes have no unit; give it an sd above 0"):
            _ = ImageSpace(still).dim
    assert ImageSpace(ph.Pixels(6, 5, start=random_images(1, 3, (6, 5)))).image_shape == (3, 6, 5)


def test_a_strangers_space_may_not_name_a_function():
    document = as_space(p.CustomGenerator(decode, (5,), image_shape=(3, 6, 5))).to_json()
    with pytest.raises(TrustError, match="would import"):
        Space.from_json(document)


def random_codes(m, dim, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, 4)) @ rng.normal(size=(4, dim)) + 0.01 * rng.normal(size=(m, dim)) + rng.normal(size=dim)


@pytest.mark.parametrize("whiten", [True, False])
def test_a_pca_subspace_has_the_covariances_eigenvectors_and_standard_deviations(whiten):
    space = ImageSpace(ph.Pixels(5, 4, channels=1))
    codes = random_codes(50, 20)
    found = pca_subspace(space, torch.from_numpy(codes), 4, whiten=whiten)
    values, vectors = np.linalg.eigh(np.cov(codes.T))
    basis = found.basis.numpy().astype(np.float64)
    for k in range(4):
        vector, sd = vectors[:, -1 - k], np.sqrt(values[-1 - k])
        vector = vector * np.sign(vector[np.abs(vector).argmax()])
        np.testing.assert_allclose(basis[k], vector * (sd if whiten else 1), atol=1e-4)
    np.testing.assert_allclose(found.origin.numpy(), codes.mean(0), atol=1e-6)
    lengths = np.linalg.norm(basis, axis=1) if not whiten else np.sqrt(values[::-1][:4])
    np.testing.assert_allclose(basis @ basis.T, np.diag(lengths**2), atol=1e-4)


def test_gaussian_codes_of_a_pca_subspace_have_the_codes_mean_and_covariance():
    space = ImageSpace(ph.Pixels(5, 4, channels=1))
    codes = random_codes(60, 20)
    found = pca_subspace(space, torch.from_numpy(codes), 20)
    basis = found.basis.numpy().astype(np.float64)
    np.testing.assert_allclose(basis.T @ basis, np.cov(codes.T), atol=1e-4)
    drawn = found.lift(torch.randn(20000, 20, generator=torch.Generator().manual_seed(0))).numpy()
    np.testing.assert_allclose(np.cov(drawn.T), np.cov(codes.T), atol=0.35)


def test_a_subspace_of_pictures_shows_the_pictures_again():
    space = ImageSpace(ph.Fourier(6, 5, sd=0.5))
    pictures = random_images(6, 3, (6, 5)) * 0.8 + 0.1
    codes = space.encode(pictures)
    found = pca_subspace(space, codes, 5)
    shown = found.open(CPU)(found.project(codes))
    torch.testing.assert_close(shown.double(), pictures, rtol=0, atol=1e-3)


def test_projecting_is_the_inverse_of_lifting_and_the_nearest_code():
    space = ImageSpace(ph.Pixels(5, 4, channels=1))
    rng = np.random.default_rng(0)
    basis, origin = rng.normal(size=(3, 20)), rng.normal(size=20)
    found = Subspace(space, basis, origin)
    z = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(found.project(found.lift(z)), z.double(), rtol=0, atol=1e-9)
    away = rng.normal(size=(4, 20))
    expected = [
        np.linalg.lstsq(found.basis.numpy().T.astype(float), row, rcond=None)[0] for row in away - found.origin.numpy()
    ]
    np.testing.assert_allclose(found.project(torch.from_numpy(away)).numpy(), expected, atol=1e-6)


def test_a_subspace_shows_its_origin_plus_the_weighted_basis():
    space = ImageSpace(ph.Pixels(5, 4, channels=1, sd=0.3))
    rng = np.random.default_rng(0)
    basis, origin = rng.normal(size=(2, 20)), rng.normal(size=20)
    code = torch.tensor([[0.5, -2.0]])
    expected = space.open(CPU)(torch.from_numpy(origin + 0.5 * basis[0] - 2 * basis[1])[None])
    torch.testing.assert_close(Subspace(space, basis, origin).open(CPU)(code), expected)


def test_a_subspace_may_lie_in_a_subspace():
    space = ImageSpace(ph.Pixels(5, 4, channels=1, sd=0.3))
    outer = Subspace(space, np.eye(3, 20))
    inner = Subspace(outer, [[0.0, 2.0, 0.0]])
    assert (inner.dim, inner.image_shape) == (1, (1, 5, 4))
    expected = space.open(CPU)(torch.nn.functional.one_hot(torch.tensor([1]), 20) * 3.0)
    torch.testing.assert_close(inner.open(CPU)(torch.tensor([[1.5]])), expected)


def test_bases_that_do_not_fit_are_refused():
    space = ImageSpace(ph.Pixels(5, 4, channels=1))
    for basis in (np.zeros((21, 20)), np.zeros((2, 19)), np.zeros(20), np.zeros((0, 20))):
        with pytest.raises(ParameterError, match=r"expected \(k, 20\), k from 1 to 20"):
            Subspace(space, basis)
    with pytest.raises(ParameterError, match=r"origin is \(19,\); expected a code of 20 numbers"):
        Subspace(space, np.eye(2, 20), np.zeros(19))
    with pytest.raises(ArgumentError, match="space is Pixels; expected a Space"):
        Subspace(ph.Pixels(5, 4), np.eye(2, 60))
    with pytest.raises(RecipeError, match=r"space: basis is \(1, 2\); expected"):
        Space.from_json(Subspace(space, np.eye(2, 20)).to_json() | {"basis": [[1, 2]]})


def test_more_components_than_the_codes_vary_in_are_refused():
    space = ImageSpace(ph.Pixels(5, 4, channels=1))
    codes = torch.from_numpy(random_codes(5, 20))
    with pytest.raises(ParameterError, match="n_components is 5; expected a whole number from 1 to 4"):
        pca_subspace(space, codes, 5)
    with pytest.raises(ParameterError, match="codes is '1 codes'; expected at least 2"):
        pca_subspace(space, codes[:1], 1)
    with pytest.raises(ParameterError, match="n_components is 1; expected a whole number from 1 to 0"):
        pca_subspace(space, torch.ones(5, 20), 1)


def test_projections_are_applied_in_order_then_values_are_clamped():
    inner = ImageSpace(ph.Pixels(6, 5, sd=1.0))
    codes = torch.randn(3, inner.dim, generator=torch.Generator().manual_seed(0))
    images = inner.open(CPU)(codes).double().numpy()
    steps = (FixContrast(0.4, 0.3), CapNorm(1.0, center=0.5))
    shown = Projected(inner, steps).open(CPU)(codes).numpy()
    for image, found in zip(images, shown, strict=True):
        contrast = 0.4 + 0.3 * (image - image.mean()) / image.std()
        away = contrast - 0.5
        expected = np.clip(0.5 + away * min(1, 1 / np.linalg.norm(away)), 0, 1)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_projected_needs_a_space_and_projections():
    inner = ImageSpace(ph.Pixels(6, 5))
    with pytest.raises(ArgumentError, match="space is Pixels; expected a Space"):
        Projected(ph.Pixels(6, 5), (Clip(),))
    for wrong in ((), ("clip",)):
        with pytest.raises(ParameterError, match="expected projections, at least one"):
            Projected(inner, wrong)


def test_several_threads_may_decode_at_once():
    space = ImageSpace(ph.Fourier(12, 10, sd=1.0))
    decode_, codes = space.open(CPU), torch.randn(40, space.dim, generator=torch.Generator().manual_seed(0))
    expected = decode_(codes)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: decode_(codes[i : i + 5]), range(0, 40, 5)))
    assert torch.equal(torch.cat(found), expected)


def has_faces():
    try:
        p.DCGAN().source()
    except WeightsError:
        return False
    return True


@pytest.mark.skipif(not has_faces(), reason="the face generator's weights are not installed")
def test_faces_are_their_generators_own_and_do_not_depend_on_company():
    codes = torch.randn(11, 100, generator=torch.Generator().manual_seed(0))
    decode_ = as_space(p.DCGAN()).open(CPU)
    faces = decode_(codes)
    assert faces.shape == (11, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(faces, p.DCGAN().open(CPU, torch.float32)(codes), rtol=0, atol=1e-5)
    assert torch.equal(decode_(codes[4:5])[0], faces[4])
