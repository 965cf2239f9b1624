"""Transparency and grey around any other parameterization."""

from __future__ import annotations

import pytest
import torch
from networks import CPU, conv_net, quick, random_images, streams

import phosphene as ph
from phosphene.errors import ParameterError
from phosphene.parameterizations import CPPN, Alpha, Grayscale, Shared
from phosphene.transforms import CollapseAlpha


def canvas(parameterization, n=2):
    return parameterization.build(n, streams(n).fork("start"), device=CPU, dtype=torch.float64)


@pytest.mark.parametrize(("channels", "size"), [(3, (6, 7)), (1, (5, 4)), (5, (3, 8))])
@pytest.mark.parametrize("kind", [ph.Pixels, ph.Fourier])
def test_alpha_is_the_colours_and_then_the_opacity(kind, channels, size):
    made = Alpha(kind(*size, channels=channels, sd=1.0), mask=ph.Pixels(*size, channels=1, sd=1.0))
    drawn = canvas(made)
    assert made.image_channels == channels + 1
    assert drawn().shape == (2, channels + 1, *size)
    assert torch.equal(drawn()[:, :-1], drawn.inner())
    torch.testing.assert_close(drawn()[:, -1:], torch.sigmoid(drawn.mask.pixels))
    assert torch.equal(drawn.inner(), canvas(made.inner)())


def test_without_a_mask_the_opacity_is_a_fourier_image_of_its_own_draws():
    made = Alpha(ph.Fourier(8, 6))
    assert made.mask == ph.Fourier(8, 6, channels=1)
    image = canvas(made)()
    assert image[:, 3].mean().item() == pytest.approx(0.5, abs=0.02)
    assert not torch.equal(image[:, 3], image[:, 0])


@pytest.mark.parametrize("size", [(6, 7), (5, 3)])
def test_grey_is_one_channel_shown_three_times(size):
    made = Grayscale(ph.Fourier(*size, channels=1, sd=1.0))
    image = canvas(made)()
    assert made.image_channels == 3
    for channel in range(3):
        assert torch.equal(image[:, channel : channel + 1], canvas(made.inner)())


def test_wrapped_canvases_take_images():
    image = random_images(2, 4, (6, 5))
    drawn = canvas(Alpha(ph.Pixels(6, 5)))
    drawn.assign(image)
    torch.testing.assert_close(drawn(), image, rtol=0, atol=1e-4)
    grey = canvas(Grayscale(ph.Fourier(6, 5, channels=1)))
    grey.assign(image[:, :3])
    torch.testing.assert_close(grey(), image[:, :3].mean(1, keepdim=True).expand(-1, 3, -1, -1), rtol=0, atol=1e-4)


def test_wrapping_what_takes_no_image_takes_none():
    with pytest.raises(ParameterError, match="parameters of a CPPNCanvas cannot be found from an image"):
        canvas(Alpha(CPPN(4, 4))).assign(random_images(2, 4, (4, 4)))


def test_a_wrapper_has_the_size_of_what_it_wraps_and_both_are_resized():
    made = Alpha(ph.Pixels(6, 5, start=random_images(1, 3, (6, 5))), mask=ph.Pixels(6, 5, channels=1, sd=0.2))
    assert (made.height, made.width) == (6, 5)
    assert made.sized(9, 4) == Alpha(ph.Pixels(9, 4), mask=ph.Pixels(9, 4, channels=1, sd=0.2))
    assert Grayscale(ph.Pixels(6, 5, channels=1)).sized(2, 3) == Grayscale(ph.Pixels(2, 3, channels=1))


def test_what_the_wrapped_shares_is_shared_under_its_name_in_the_wrapper():
    drawn = canvas(Alpha(Shared(8, 8, layers=((2, 1),))), 3)
    assert drawn.shared == {"inner.layers.0"}
    assert drawn.shared <= {name for name, _ in drawn.named_parameters()}
    grey = canvas(Grayscale(Shared(8, 8, channels=1, layers=((2, 1),))), 3)
    assert grey.shared == {"inner.layers.0"}
    assert Alpha(Shared(8, 8)).couples
    assert Alpha(ph.Pixels(8, 8), mask=Shared(8, 8, channels=1)).couples
    assert Grayscale(Shared(8, 8, channels=1)).couples
    assert not Alpha(ph.Pixels(8, 8)).couples


class Settling(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def settle(self):
        self.calls += 1


def test_wrappers_pass_on_what_follows_a_step():
    drawn, grey = canvas(Alpha(ph.Pixels(4, 4))), canvas(Grayscale(ph.Pixels(4, 4, channels=1)))
    drawn.inner, drawn.mask, grey.inner = Settling(), Settling(), Settling()
    drawn.settle()
    grey.settle()
    assert drawn.inner.calls == drawn.mask.calls == grey.inner.calls == 1


def test_a_transparent_image_is_rendered_through_random_backgrounds():
    net = conv_net()
    result = quick(
        net,
        ph.Channel("conv2", 0),
        parameterization=Alpha(ph.Fourier(*net.input_size)),
        transforms=[CollapseAlpha()],
        optimizer=ph.optimizers.Adam(lr=0.1),
        steps=40,
    )
    assert result.images.shape == (1, 4, *net.input_size)
    assert result.scores[0][-5:].mean() > result.scores[0][:5].mean()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Alpha(ph.Pixels(4, 5), mask=ph.Pixels(4, 5)),
            "mask is Pixels.*; expected a parameterization of 1 channel and 4 × 5 pixels",
        ),
        (lambda: Alpha(ph.Pixels(4, 5), mask=ph.Pixels(5, 4, channels=1)), "expected a parameterization of 1 channel"),
        (lambda: Grayscale(ph.Pixels(4, 5)), "inner is 'a parameterization of 3 channels'; expected one of 1 channel"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()
