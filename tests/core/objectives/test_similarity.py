"""Similarity and floors against literal loops in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import activations, conv_net, random_images, scores

import phosphene as ph
from phosphene._types import FrozenArray
from phosphene.errors import ImageError, ParameterError, UnknownLayerError
from phosphene.objectives import AtLeast, Similarity

MEASURES = {
    "correlation": lambda a, b: np.corrcoef(a, b)[0, 1],
    "cosine": lambda a, b: a @ b / np.linalg.norm(a) / np.linalg.norm(b),
    "neg_euclidean": lambda a, b: -np.linalg.norm(a - b),
}


def expected(rows, measure, combine):
    found = []
    for i, row in enumerate(rows):
        others = [MEASURES[measure](row, other) for j, other in enumerate(rows) if j != i]
        found.append(max(others) if combine == "max" else sum(others) / len(others))
    return np.array(found)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("combine", ["max", "mean"])
@pytest.mark.parametrize("shape", [None, (12, 10), (3, 12, 10)])
def test_pixels_are_compared_under_the_mask(measure, combine, shape):
    images = random_images(4, 3, (12, 10))
    mask = None if shape is None else np.random.default_rng(1).random(shape, np.float32)
    found = scores(
        conv_net(),
        [Similarity(measure, combine, mask=None if mask is None else FrozenArray.of(mask), center=0.3)] * 4,
        images,
    )
    rows = [((x - 0.3) * (1 if mask is None else mask)).ravel() for x in images.numpy()]
    np.testing.assert_allclose(found.numpy(), expected(rows, measure, combine), atol=1e-6)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_layers_answers_are_compared_view_by_view(measure):
    net, views = conv_net(), random_images(6, 3, (12, 10))
    found = scores(net, [Similarity(measure, "max", layer="conv2")] * 3, views, views=2)
    answers = activations(net, "conv2", views).flatten(1).numpy()
    each = [expected([answers[2 * i + v] for i in range(3)], measure, "max") for v in range(2)]
    np.testing.assert_allclose(found.numpy(), np.mean(each, 0), atol=1e-6)


def test_equal_images_are_all_alike_and_one_alone_is_like_none():
    image = random_images(1, 3, (12, 10))
    assert scores(conv_net(), [Similarity()] * 2, image.expand(2, -1, -1, -1)).tolist() == pytest.approx([1.0, 1.0])
    assert scores(conv_net(), [Similarity()], image).tolist() == [0.0]


def test_a_floor_counts_what_is_missing_only():
    net, images = conv_net(), random_images(3, 3, (12, 10))
    unit = ph.Channel("conv2", 1)
    plain = scores(net, [unit] * 3, images)
    level = float(plain.median())
    found = scores(net, [AtLeast(unit, level)] * 3, images)
    torch.testing.assert_close(found, (plain - level).clamp(max=0), rtol=0, atol=1e-6)
    levels = scores(net, [AtLeast(unit, level - 9), AtLeast(unit, level + 1)], images[:2])
    torch.testing.assert_close(levels, torch.stack([0 * plain[0], plain[1] - level - 1]), rtol=0, atol=1e-6)
    assert str(AtLeast(unit, 2.0)) == "(conv2:1)≥2"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Similarity("dot"), r"measure is 'dot'; expected one of \['correlation'|parameter 'measure'"),
        (lambda: Similarity(combine="min"), "combine is 'min'; expected 'max' or 'mean'|parameter 'combine'"),
        (lambda: Similarity(center=float("inf")), "center is inf; expected a finite number"),
        (lambda: Similarity(mask=FrozenArray.of(np.ones(3))), r"mask is \(3,\); expected a mask"),
        (
            lambda: Similarity(mask=FrozenArray.of(np.ones((2, 2))), layer="a"),
            "mask is .*expected None where a layer's answers",
        ),
        (lambda: AtLeast(ph.Channel("a", 0), float("nan")), "level is nan; expected a finite number"),
    ],
)
def test_parameters_out_of_range_are_refused(build, message):
    with pytest.raises((ParameterError, TypeError), match=message):
        build()


def test_what_does_not_fit_the_network_is_refused():
    images = random_images(2, 3, (12, 10))
    with pytest.raises(ImageError, match=r"the mask is \(5, 5\), the images are \(3, 12, 10\)"):
        scores(conv_net(), [Similarity(mask=FrozenArray.of(np.ones((5, 5))))] * 2, images)
    with pytest.raises(UnknownLayerError, match="conv9"):
        scores(conv_net(), [Similarity(layer="conv9")] * 2, images)
