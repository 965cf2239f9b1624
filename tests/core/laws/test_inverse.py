"""Law 5: invertible things invert."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from members import MATRIX
from networks import CPU, random_images, streams

import phosphene as ph
from phosphene.functional.color import imagenet_matrix, measured_matrix, mix
from phosphene.functional.spectrum import decay_scale, to_image, to_spectrum

KINDS = [ph.Pixels, ph.Fourier]


def matrix_of(kind, channels):
    if kind == "given":
        return np.array(MATRIX) if channels == 3 else np.eye(channels) + 0.2
    if kind == "measured":
        return measured_matrix(random_images(4, channels, (9, 7), seed=5))
    return kind


def canvas(parameterization, n, dtype=torch.float64):
    return parameterization.build(n, streams(n).fork("start"), device=CPU, dtype=dtype)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("span", ["sigmoid", "clip"])
@pytest.mark.parametrize("decorrelate", ["imagenet", "none", "given", "measured"])
@pytest.mark.parametrize(("channels", "size"), [(3, (8, 6)), (3, (7, 9)), (1, (5, 5)), (5, (6, 3))])
def test_a_canvas_started_from_an_image_shows_that_image(kind, span, decorrelate, channels, size):
    images = random_images(2, channels, size)
    images[0, 0, 0, 0], images[0, 0, 0, 1] = 0.0, 1.0
    made = kind(
        *size, channels=channels, decorrelate=matrix_of(decorrelate, channels), range=span, start=images, gain=0.7
    )
    torch.testing.assert_close(canvas(made, 2)(), images, rtol=0, atol=1e-4)
    torch.testing.assert_close(canvas(made, 2, torch.float32)(), images.float(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 3])
def test_one_start_image_stands_for_every_image(kind, n):
    start = random_images(1, 3, (6, 7))[0]
    for given_start in (start, start[None]):
        torch.testing.assert_close(
            canvas(kind(6, 7, start=given_start), n)(), start.expand(n, -1, -1, -1), rtol=0, atol=1e-4
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("decay", [0.0, 1.0, 2.5])
def test_the_start_image_comes_back_whatever_the_decay(kind, decay):
    extra = {"decay": decay} if kind is ph.Fourier else {"gain": 0.1 + decay}
    start = random_images(1, 3, (9, 8))
    torch.testing.assert_close(canvas(kind(9, 8, start=start, **extra), 1)(), start, rtol=0, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 17), width=st.integers(1, 17), channels=st.sampled_from([1, 3, 5]), seed=st.integers(0, 99)
)
def test_image_to_spectrum_to_image_is_the_identity(height, width, channels, seed):
    images = random_images(2, channels, (height, width), seed)
    torch.testing.assert_close(to_image(to_spectrum(images), height, width), images, rtol=0, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(height=st.integers(1, 12), width=st.integers(1, 12), decay=st.floats(0, 4))
def test_the_frequency_scale_divides_out(height, width, decay):
    scale = decay_scale(height, width, decay)
    assert (scale > 0).all()
    spectrum = to_spectrum(random_images(1, 2, (height, width)))
    torch.testing.assert_close(spectrum / scale[..., None] * scale[..., None], spectrum, rtol=1e-12, atol=1e-12)


def test_colours_to_decorrelated_colours_to_colours_is_the_identity():
    images = random_images(2, 3, (5, 4))
    matrix = imagenet_matrix().tensor(dtype=torch.float64)
    torch.testing.assert_close(mix(torch.linalg.inv(matrix), mix(matrix, images)), images, rtol=0, atol=1e-12)
