"""Steepest ascent under four notions of distance: literal steps, and first steps of equal length."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from literal import climbed, seen, start
from networks import conv_net

import phosphene as ph
from phosphene.errors import ParameterError
from phosphene.functional.color import imagenet_matrix
from phosphene.recipes.preconditioning import preconditioning_sheet

UNIT = ph.Channel("conv2", 1)
NAMES = ("L2", "L-infinity", "L2, space decorrelated", "L2, space and colour")


@pytest.fixture(scope="module")
def sheet():
    return preconditioning_sheet(conv_net(), UNIT, steps=(0, 1, 3), step=0.02, size=(12, 10), progress=False)


def score(images: torch.Tensor) -> torch.Tensor:
    return seen(conv_net(), "conv2")(images)[:, 1].mean()


def frequencies(height: int, width: int) -> torch.Tensor:
    """1 over the distance from the origin of the frequency plane, at most the longer side."""
    table = np.zeros((height, width // 2 + 1))
    for y in range(height):
        for x in range(width // 2 + 1):
            fy = min(y, height - y) / height
            table[y, x] = 1 / max(np.hypot(fy, x / width), 1 / max(height, width))
    return torch.from_numpy(table)


def recipe_of(sheet, row: int) -> ph.Recipe:
    return ph.Recipe.from_json(sheet.results[row].documents[0]["recipe"])


def test_rows_are_distances_and_columns_steps(sheet):
    assert (sheet.rows, sheet.columns) == (NAMES, ("steps 0", "steps 1", "steps 3"))
    assert len(sheet.results) == 4


def test_all_first_steps_change_the_image_equally_much(sheet):
    for before, after, _ in sheet.images:
        assert float((after - before).square().mean().sqrt()) == pytest.approx(0.02, rel=0.1)


def test_l2_steps_along_the_gradient(sheet):
    recipe = recipe_of(sheet, 0)
    expected = climbed(start(recipe, [UNIT])["pixels"], score, rate=recipe.optimizer.lr)
    assert np.abs(sheet.images[0][2].numpy() - expected[0]).max() < 1e-5


def test_l_infinity_steps_along_the_signs(sheet):
    recipe = recipe_of(sheet, 1)
    pixels = start(recipe, [UNIT])["pixels"]
    for _ in range(3):
        leaf = pixels.clone().requires_grad_()
        score(torch.sigmoid(leaf)).backward()
        pixels = pixels + recipe.optimizer.lr * torch.sign(leaf.grad)
    # float32 leaves the sign of a gradient of about zero open
    wrong = (sheet.images[1][2].double() - torch.sigmoid(pixels)[0]).abs() > 1e-5
    assert wrong.double().mean() < 0.01


@pytest.mark.parametrize("row", [2, 3])
def test_decorrelated_space_steps_along_the_gradient_of_scaled_frequencies(sheet, row):
    recipe = recipe_of(sheet, row)
    spectrum = start(recipe, [UNIT])["spectrum"]
    colors = imagenet_matrix().tensor(dtype=torch.float64) if row == 3 else torch.eye(3, dtype=torch.float64)

    def image(parameters: torch.Tensor) -> torch.Tensor:
        scaled = torch.view_as_complex(parameters) * frequencies(12, 10)
        latent = torch.fft.irfft2(scaled, s=(12, 10), norm="ortho") / 4
        return torch.sigmoid(torch.einsum("kc,nchw->nkhw", colors, latent))

    for _ in range(3):
        leaf = spectrum.clone().requires_grad_()
        score(image(leaf)).backward()
        spectrum = spectrum + recipe.optimizer.lr * leaf.grad / leaf.grad.square().sum().sqrt()
    assert (sheet.images[row][2].double() - image(spectrum)[0]).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step": 0.0}, "step is 0.0; expected a number above 0"),
        ({"step": -0.02}, "step is -0.02; expected a number above 0"),
        ({"step": float("inf")}, "step is inf; expected a number above 0"),
        ({"steps": ()}, r"steps is \(\); expected at least one number of steps"),
    ],
)
def test_steps_that_lead_nowhere_are_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        preconditioning_sheet(conv_net(), UNIT, **options)
