"""Transparent images in front of random backgrounds, against Lucid's composite and its random images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import SIZE, look, pipeline, random_images

from phosphene.errors import ParameterError
from phosphene.transforms import CollapseAlpha

MATRIX = np.array([[0.26, 0.09, 0.02], [0.27, 0, -0.05], [0.27, -0.09, 0.03]]) / 0.4619524
SHAPES = pytest.mark.parametrize(("channels", "size"), [(3, (12, 10)), (1, (7, 9)), (5, (8, 5))])


def with_alpha(colors, alpha):
    return torch.cat([colors, torch.full_like(colors[:, :1], alpha)], 1)


@SHAPES
def test_an_opaque_image_hides_the_background_and_a_transparent_one_is_it(channels, size):
    colors, others = random_images(2, channels, size), random_images(2, channels, size, seed=1)
    opaque = look([CollapseAlpha()], with_alpha(colors, 1.0), views=2)
    torch.testing.assert_close(opaque, colors.repeat_interleave(2, 0), rtol=0, atol=1e-12)
    background = look([CollapseAlpha()], with_alpha(colors, 0.0), views=2)
    torch.testing.assert_close(background, look([CollapseAlpha()], with_alpha(others, 0.0), views=2))


@SHAPES
def test_every_pixel_is_mixed_by_its_own_opacity(channels, size):
    image = random_images(2, channels + 1, size)
    background = look([CollapseAlpha()], with_alpha(image[:, :-1], 0.0))
    expected = image[:, -1:] * image[:, :-1] + (1 - image[:, -1:]) * background
    torch.testing.assert_close(look([CollapseAlpha()], image), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("decay", [0.5, 1.0, 1.5])
def test_the_background_has_the_fourier_images_spectrum_and_scale(decay):
    clear = torch.zeros(1, 2, 64, 64, dtype=torch.float64)
    backgrounds = look([CollapseAlpha(sd=0.5, decay=decay)], clear, views=60)
    spectrum = np.fft.fft2(torch.logit(backgrounds)[:, 0].numpy(), norm="ortho")
    f = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None])
    scale = np.maximum(f, 1 / 64) ** -decay * 0.5 / 4
    # Real and imaginary part each of variance 1, but half of it is lost where a frequency mirrors itself.
    whitened = (np.abs(spectrum / scale) ** 2)[:, :, 1:32]
    assert whitened.mean() == pytest.approx(2, rel=0.02)
    band = f[:, 1:32] > 0.35
    assert whitened[:, band].mean() == pytest.approx(2, rel=0.03)


def test_the_backgrounds_colours_are_those_of_photographs():
    backgrounds = look([CollapseAlpha(sd=0.2)], torch.zeros(1, 4, 32, 32, dtype=torch.float64), views=200)
    values = torch.logit(backgrounds).transpose(0, 1).flatten(1).numpy()
    expected = MATRIX @ MATRIX.T
    found = np.cov(values)
    np.testing.assert_allclose(found / np.trace(found), expected / np.trace(expected), atol=0.03)


def test_the_background_is_new_in_every_step_view_and_image_and_the_same_for_every_look_of_a_step():
    clear = torch.zeros(2, 4, *SIZE, dtype=torch.float64)
    made = pipeline([CollapseAlpha()], clear, views=2)
    first = made.look(0)
    views = torch.cat([first(clear), made.look(1)(clear)])
    assert torch.equal(first(clear), views[:4])
    assert len({view.numpy().tobytes() for view in views}) == 8


def test_opacity_gets_the_gradient_of_the_difference_to_the_background():
    image = random_images(1, 4, SIZE).requires_grad_()
    background = look([CollapseAlpha()], with_alpha(image[:, :3].detach(), 0.0))
    (gradient,) = torch.autograd.grad(look([CollapseAlpha()], image).sum(), image)
    torch.testing.assert_close(gradient[:, 3], (image[:, :3] - background).sum(1), rtol=0, atol=1e-10)


def test_it_takes_a_channel_away():
    assert [CollapseAlpha().channels(c) for c in (2, 4, 6)] == [1, 3, 5]


def test_an_image_without_an_opacity_is_refused():
    with pytest.raises(ParameterError, match=r"channels of the image is 1; expected colours and an opacity"):
        look([CollapseAlpha()], random_images(1, 1, SIZE))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sd": -1.0}, "sd is -1.0; expected a number from 0"),
        ({"decay": 9.0}, "decay is 9.0; expected a number from 0"),
    ],
)
def test_a_parameter_out_of_range_is_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        CollapseAlpha(**options)
