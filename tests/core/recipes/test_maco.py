"""MaCo and feature accentuation beside literal re-implementations."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import conv_net, random_images
from torch import Tensor

import phosphene as ph
from phosphene import optimizers, transforms
from phosphene.errors import ArgumentError, ImageError, UnknownLayerError
from phosphene.functional.color import imagenet_matrix
from phosphene.functional.random import Streams
from phosphene.parameterizations import Phase, PowerLaw
from phosphene.recipes.accentuation import accentuate, accentuation
from phosphene.recipes.maco import maco
from phosphene.render.batches import stream_keys

UNITS = [ph.Channel("conv2", 1), ph.Channel("conv2", 4)]


def conjugate(spectrum: Tensor, height: int, width: int) -> Tensor:
    """A half spectrum whose own mirror images are conjugates, entry by entry."""
    result = spectrum.clone()
    columns = [0] + ([width // 2] if width % 2 == 0 else [])
    for column in columns:
        for row in range(height):
            mirror = (height - row) % height
            if mirror == row:
                result[..., row, column] = torch.complex(
                    spectrum[..., row, column].real, torch.zeros_like(spectrum[..., row, column].real)
                )
            elif row > mirror:
                result[..., row, column] = spectrum[..., mirror, column].conj()
    return result


def literal_maco(net: ph.Network, unit: ph.Channel, steps: int, size: tuple[int, int], sd: float) -> Tensor:
    """The published loop for one image, without windows and noise: phases, standardised twice, NAdam at rate 1."""
    height, width = size
    key = stream_keys([unit])
    noise = Streams(key, 0, torch.device("cpu")).fork("start")
    phase = (sd * noise.normal(3, height, width // 2 + 1)[0].double()).requires_grad_()
    magnitude = PowerLaw().magnitude(3, height, width)
    matrix = imagenet_matrix().tensor(dtype=torch.float64)
    optimizer = torch.optim.NAdam([phase], lr=1.0, maximize=True)
    module = net.module.double()

    def picture() -> Tensor:
        standard = sd * (phase - phase.mean()) / (phase.std(correction=0) + 1e-5)
        spectrum = magnitude * torch.exp(1j * standard)
        image = torch.fft.irfft2(conjugate(spectrum, height, width), s=size, norm="ortho")
        image = (image - image.mean()) / (image.std(correction=0) + 1e-5)
        return torch.sigmoid(torch.einsum("dc,chw->dhw", matrix, image))

    for _ in range(steps):
        optimizer.zero_grad()
        features = module.conv2(module.act1(module.conv1(picture()[None])))
        features[:, unit.index].mean().backward()
        optimizer.step()
    return picture().detach()


@pytest.mark.parametrize(("size", "sd"), [((12, 10), 1.0), ((13, 11), 1.0), ((9, 14), 3.0)])
def test_maco_is_the_published_loop(size, sd):
    net = conv_net()
    recipe = replace(maco(*size, crops=1, steps=5, sd=sd), transforms=())
    result = ph.render(net, UNITS, recipe=recipe, dtype=torch.float64, progress=False)
    for row, unit in enumerate(UNITS):
        expected = literal_maco(conv_net(), unit, 5, size, sd)
        torch.testing.assert_close(result.images[row].double(), expected, rtol=0, atol=1e-6)


def test_maco_has_the_published_numbers():
    recipe = maco()
    assert recipe.parameterization == Phase(512, 512, magnitude=PowerLaw(), sd=3.0)
    assert (recipe.views, recipe.steps, recipe.optimizer) == (32, 256, optimizers.NAdam(lr=1.0))
    crop, _, noise = recipe.transforms
    assert isinstance(crop, transforms.ScheduledCrop)
    assert isinstance(noise, transforms.ScheduledNoise)
    assert [crop.side.factor(step) for step in (0, 255, 300)] == pytest.approx([0.5, 0.05, 0.05])
    assert (crop.sd, crop.low, crop.center_sd) == (0.05, 0.05, 0.15)
    # N(0, 0.08) + U(±0.04) in the range [-1, 1]
    assert (2 * noise.sd, 2 * noise.sd * noise.uniform) == pytest.approx((0.08, 0.04))
    falling = maco(noise=None).transforms[2]
    assert isinstance(falling, transforms.ScheduledNoise)
    strengths = [2 * falling.sd * falling.schedule.factor(step) for step in range(256)]
    np.testing.assert_allclose(strengths, np.logspace(0, -4, 256), rtol=1e-9)


def test_a_batch_of_maco_gives_each_image_what_it_gets_alone():
    net, recipe = conv_net(), maco(16, 14, crops=2, steps=4)
    together = ph.render(net, UNITS, recipe=recipe, dtype=torch.float64, progress=False)
    alone = [ph.render(net, unit, recipe=recipe, dtype=torch.float64, progress=False) for unit in UNITS]
    for row, single in enumerate(alone):
        torch.testing.assert_close(together.images[row], single.images[0], rtol=0, atol=1e-6)
        torch.testing.assert_close(together.transparency[row], single.transparency[0], rtol=1e-4, atol=1e-7)


def test_a_fitted_spectrum_is_kept_by_maco():
    height, width = 12, 10
    magnitude = torch.rand(3, height, width // 2 + 1, generator=torch.Generator().manual_seed(0)) + 0.1
    recipe = replace(maco(height, width, magnitude=magnitude), views=1)
    result = ph.render(conv_net(), UNITS[0], recipe=recipe, steps=8, dtype=torch.float64, progress=False)
    matrix = torch.linalg.inv(imagenet_matrix().tensor(dtype=torch.float64))
    latent = torch.einsum("dc,chw->dhw", matrix, torch.logit(result.images[0].double(), eps=1e-9))
    found = torch.fft.rfft2(latent, norm="ortho").abs()
    inside = found[:, 1:, 1 : width // 2] / magnitude.double()[:, 1:, 1 : width // 2]
    assert float(inside.std() / inside.mean()) < 2e-3


PHOTO = random_images(1, 3, (16, 14), dtype=torch.float32)[0] * 0.6 + 0.2


def test_accentuation_without_steps_shows_the_photograph():
    result = accentuate(
        conv_net(), UNITS[0], PHOTO, layer="conv1", recipe=accentuation(PHOTO, steps=0), options={"progress": False}
    )
    torch.testing.assert_close(result.images[0], PHOTO, rtol=0, atol=1e-4)


def test_the_more_the_layer_counts_the_more_the_picture_stays_the_photograph():
    changes = []
    for strength in (0.0, 1.0, 30.0):
        result = accentuate(
            conv_net(),
            UNITS[0],
            PHOTO,
            layer="conv1",
            strength=strength,
            recipe=accentuation(PHOTO, crops=4, steps=30),
            options={"progress": False, "dtype": torch.float64},
        )
        changes.append(float((result.images[0] - PHOTO).abs().mean()))
    assert changes[0] > changes[1] > changes[2]


def literal_accentuation(strength: float, balance: float, steps: int) -> Tensor:
    """One whole view, no noise: Adam on phase and gate of the photograph's decorrelated spectrum."""
    module = conv_net().module.double()
    matrix = imagenet_matrix().tensor(dtype=torch.float64)
    image = PHOTO.double()
    latent = torch.einsum("dc,chw->dhw", torch.linalg.inv(matrix), torch.logit(image))
    spectrum = torch.fft.rfft2(latent, norm="ortho")
    # The canvas holds its phases in the render's precision from a float64 start.
    phase = spectrum.angle().requires_grad_()
    gate = torch.full_like(phase, 5.0).requires_grad_()
    magnitude = spectrum.abs() * (1 + math.exp(-5.0))
    optimizer = torch.optim.Adam([phase, gate], lr=0.05, maximize=True)

    def picture() -> Tensor:
        found = torch.polar((magnitude * torch.sigmoid(gate)).contiguous(), phase)
        mixed = torch.fft.irfft2(conjugate(found, 16, 14), s=(16, 14), norm="ortho")
        return torch.sigmoid(torch.einsum("dc,chw->dhw", matrix, mixed))[None]

    def conv1(x: Tensor) -> Tensor:
        return module.conv1(x)

    for _ in range(steps):
        optimizer.zero_grad()
        x = picture()
        features = module.conv2(module.act1(conv1(x)))
        seen = conv1(image[None]).detach()
        difference = conv1(x) - seen
        # Rounding is no distance.
        counts = difference.detach().norm(dim=1, keepdim=True) > 1e-3 * seen.norm(dim=1, keepdim=True)
        gap = torch.linalg.vector_norm(difference * counts, dim=1).mean()
        (features[:, 1].mean() - strength * balance * gap).backward()
        optimizer.step()
    return picture().detach()[0]


def test_accentuation_is_the_published_loop():
    recipe = replace(accentuation(PHOTO, crops=1, steps=4), transforms=())
    result = accentuate(
        conv_net(),
        UNITS[0],
        PHOTO,
        layer="conv1",
        strength=0.5,
        balance=0.02,
        recipe=recipe,
        options={"dtype": torch.float64, "progress": False},
    )
    expected = literal_accentuation(0.5, 0.02, 4)
    torch.testing.assert_close(result.images[0].double(), expected, rtol=0, atol=1e-5)


def test_accentuation_has_the_published_numbers():
    recipe = accentuation(PHOTO)
    assert (recipe.views, recipe.steps, recipe.optimizer) == (16, 99, optimizers.Adam(lr=0.05))
    assert recipe.transforms[0] == transforms.RandomCrop(0.05, 0.99)


def test_what_is_no_photograph_is_refused():
    with pytest.raises(ImageError, match=r"expected \(channels, height, width\)"):
        accentuation(PHOTO[0])
    with pytest.raises(UnknownLayerError, match="conv9"):
        accentuate(conv_net(), UNITS[0], PHOTO, layer="conv9")


@pytest.mark.parametrize("name", ["recipe", "objective", "net"])
def test_what_has_an_argument_of_its_own_is_no_option(name):
    message = rf"options has '{name}'; give it as accentuate\({name}=…\)"
    with pytest.raises(ArgumentError, match=message):
        accentuate(conv_net(), UNITS[0], PHOTO, layer="conv1", options={name: accentuation(PHOTO)})


@pytest.mark.parametrize(("sd", "is_gathered"), [(1.0, True), (3.0, False)])
def test_the_corners_are_bright_only_where_phases_gather_around_zero(sd, is_gathered):
    recipe = maco(64, 64, crops=1, sd=sd)
    images = ph.render(
        conv_net(), [ph.Channel("conv2", i % 6) + float(i) for i in range(36)], recipe=recipe, steps=0, progress=False
    ).images
    corners = torch.stack([images[..., y, x] for y in (0, -1) for x in (0, -1)]).mean()
    excess = float((corners - images.mean()) / images.std())
    assert (excess > 2.5) == is_gathered
    assert is_gathered or excess < 0.7
