"""What a canvas is: an image in [0, 1], differentiable, one row per image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from members import name_of, parameterizations
from networks import CPU, random_images, streams

import phosphene as ph
from phosphene.errors import ArgumentError, ImageError, ParameterError
from phosphene.parameterizations import CPPN, Phase
from phosphene.parameterizations.base import clip

ALL = [p for shape in ((11, 8, 3), (5, 7, 1), (6, 6, 5), (1, 1, 3)) for p in parameterizations(*shape)]


def is_bound(parameterization):
    """Whether a single pixel leaves standardised phases nothing to say."""
    return isinstance(parameterization, Phase) and parameterization.height == parameterization.width == 1


def canvas(parameterization, n=2, dtype=torch.float64):
    return parameterization.build(n, streams(n).fork("start"), device=CPU, dtype=dtype)


@pytest.mark.parametrize("parameterization", ALL, ids=name_of)
@pytest.mark.parametrize("n", [1, 3])
def test_the_image_lies_in_the_unit_interval_however_large_the_parameters(parameterization, n):
    made = canvas(parameterization, n)
    assert made().shape == (n, parameterization.image_channels, parameterization.height, parameterization.width)
    assert parameterization.couples or not made.shared
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            assert (parameter.shape[0] < n) == (name in made.shared)
            # What starts at 0 has no scale that could be enlarged.
            parameter.mul_(1e4).add_(parameter == 0)
    image = made()
    assert image.dtype is torch.float64
    assert image.min() >= 0
    assert image.max() <= 1
    few = image[0].numel() < 9 or sum(value[0].numel() for value in made.parameters()) < 9
    assert image.std() > 0.01 or few or isinstance(parameterization, CPPN)


@pytest.mark.parametrize("parameterization", ALL, ids=name_of)
def test_the_gradient_of_an_image_reaches_its_own_row_only(parameterization):
    made = canvas(parameterization, 3)
    weights = random_images(1, parameterization.image_channels, (parameterization.height, parameterization.width))[0]
    own = [value for name, value in made.named_parameters() if name not in made.shared]
    gradients = torch.autograd.grad((made()[1] * weights).sum(), own)
    assert all((gradient[[0, 2]] == 0).all() for gradient in gradients)
    assert any((gradient[1] != 0).any() for gradient in gradients) or is_bound(parameterization)


@pytest.mark.parametrize("parameterization", ALL, ids=name_of)
def test_disturbing_adds_noise_to_the_chosen_rows_only(parameterization):
    made, generators = canvas(parameterization, 3), streams(3).fork("start")
    before, image = {name: value.detach().clone() for name, value in made.named_parameters()}, made()
    made.disturb(torch.tensor([False, True, False]), generators, 4.0)
    assert all(torch.equal(value, before[name]) for name, value in made.named_parameters() if name in made.shared)
    differences = [(v - before[name]).detach() for name, v in made.named_parameters() if name not in made.shared]
    assert all((difference[[0, 2]] == 0).all() for difference in differences)
    moved = [difference[1] for difference in differences if difference[1].any()]
    sd = getattr(parameterization, "sd", 0.01)
    assert all(part.numel() < 20 or part.std() == pytest.approx(4 * sd, rel=0.6) for part in moved)
    assert torch.equal(made()[[0, 2]], image[[0, 2]])
    assert not torch.equal(made()[1], image[1]) or is_bound(parameterization)


def test_the_projected_gradient_table():
    """Outside, ascent may only lead back inside; inside and on the border everything passes."""
    values = torch.tensor([-0.5, -0.5, 1.5, 1.5, 0.5, 0.5, 0.0, 1.0], requires_grad=True)
    incoming = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0, -1.0, 1.0])
    image = clip(values)
    assert image.tolist() == [0, 0, 1, 1, 0.5, 0.5, 0, 1]
    image.backward(incoming)
    assert values.grad.tolist() == [1, 0, 0, -1, 1, -1, -1, 1]


def test_pixels_and_fourier_of_the_same_values_are_the_same_image():
    start = random_images(1, 3, (9, 10))
    torch.testing.assert_close(
        canvas(ph.Pixels(9, 10, start=start), 1)(), canvas(ph.Fourier(9, 10, start=start), 1)(), rtol=0, atol=1e-9
    )


def test_a_smooth_picture_is_fitted_within_three_hundred_steps_of_adam():
    """Lucid's own test of its parameterizations, smaller: mean absolute error under 0.01."""
    y, x = torch.linspace(0, 1, 8, dtype=torch.float64)[:, None], torch.linspace(0, 1, 8, dtype=torch.float64)[None]
    target = torch.stack([0.2 + 0.6 * x * y, 0.3 + 0.4 * x + 0 * y, 0.7 - 0.4 * y * y + 0 * x])[None]
    made = canvas(ph.Fourier(8, 8), 1)
    optimizer = torch.optim.Adam(made.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        loss = (made() - target).square().sum()
        loss.backward()
        optimizer.step()
    assert (made() - target).abs().mean() < 0.01


@settings(max_examples=20, deadline=None)
@given(height=st.integers(1, 13), width=st.integers(1, 13), channels=st.sampled_from([1, 2, 3, 5]), n=st.integers(1, 3))
def test_any_size_has_a_canvas_of_exactly_that_size(height, width, channels, n):
    for kind in (ph.Pixels, ph.Fourier):
        assert canvas(kind(height, width, channels=channels), n)().shape == (n, channels, height, width)


@pytest.mark.parametrize("kind", [ph.Pixels, ph.Fourier])
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"height": 0}, ParameterError, "height is 0; expected a whole number from 1 to 16384"),
        ({"width": 2.5}, (ParameterError, ArgumentError, TypeCheckError), "width"),
        ({"width": 2**14 + 1}, ParameterError, "width is 16385"),
        ({"channels": -3}, ParameterError, "channels is -3"),
        ({"sd": -0.1}, ParameterError, "sd is -0.1; expected a number from 0"),
        ({"sd": float("inf")}, ParameterError, "sd is inf"),
        ({"sd": float("nan")}, ParameterError, "sd is nan"),
        ({"gain": 0.0}, ParameterError, "gain is 0.0; expected a number above 0"),
        ({"range": "tanh"}, (ParameterError, ArgumentError, TypeCheckError), "range is 'tanh'|parameter 'range'"),
        (
            {"decorrelate": "lab"},
            (ParameterError, TypeCheckError),
            "decorrelate is 'lab'; expected 'imagenet', 'none' or a matrix|parameter 'decorrelate'",
        ),
        ({"start": np.zeros((3, 4, 4))}, ImageError, r"start has shape \(3, 4, 4\); expected \(3, 6, 5\)"),
        ({"start": np.zeros((6, 5))}, ImageError, "start has shape"),
        ({"start": np.zeros((0, 3, 6, 5))}, ImageError, "start has shape"),
        ({"start": np.full((3, 6, 5), 1.5)}, ImageError, r"start has values from 1.5 to 1.5; expected \[0, 1\]"),
        ({"start": np.full((3, 6, 5), np.nan)}, ParameterError, "not finite"),
        ({"start": "image"}, ArgumentError, "expected numbers, an array or a tensor; got str"),
    ],
    ids=lambda v: "-".join(v) if isinstance(v, dict) else None,
)
def test_a_parameter_out_of_range_is_refused(kind, options, error, message):
    with pytest.raises(error, match=message):
        kind(**{"height": 6, "width": 5, **options})


@pytest.mark.parametrize("decay", [-1.0, 9.0, float("nan")])
def test_a_decay_out_of_range_is_refused(decay):
    with pytest.raises(ParameterError, match="decay is .*; expected a number from 0 to 8"):
        ph.Fourier(4, 4, decay=decay)


@pytest.mark.parametrize("kind", [ph.Pixels, ph.Fourier])
@pytest.mark.parametrize(
    ("matrix", "message"), [(np.eye(2), "expected a matrix of 3 × 3"), (np.ones((3, 3)), "a singular matrix")]
)
def test_a_colour_matrix_that_does_not_fit_is_refused(kind, matrix, message):
    with pytest.raises(ParameterError, match=message):
        canvas(kind(4, 4, decorrelate=matrix))


@pytest.mark.parametrize("kind", [ph.Pixels, ph.Fourier])
def test_a_wrong_number_of_start_images_is_refused(kind):
    made = kind(4, 5, start=random_images(2, 3, (4, 5)))
    with pytest.raises(ImageError, match="start holds 2 images, but 3 are rendered; give one, or one for each"):
        canvas(made, 3)
