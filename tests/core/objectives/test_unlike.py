"""Distances from activations, styles and images, against their literal formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from networks import SIZE, activations, conv_net, nhwc_net, random_images, scores, token_net

import phosphene as ph
from phosphene._types import FrozenArray
from phosphene.errors import ImageError, LayoutError, ParameterError
from phosphene.functional.gram import gram
from phosphene.objectives import ActivationDifference, InputDifference, InvertedRepresentation, Style

LAYOUTS = {
    "NCHW": (conv_net, "conv2", lambda a: a.reshape(a.shape[0], -1)),
    "NC": (conv_net, "classifier", lambda a: a[:, None]),
    "NHWC": (nhwc_net, "norm", lambda a: a.reshape(-1, a.shape[-1]).T),
    "NLC": (token_net, "mix", lambda a: a.T),
}
EVERY = pytest.mark.parametrize(("layout", "channels"), [(layout, c) for layout in LAYOUTS for c in (1, 3, 5)])


def numbers(*shape, seed=0):
    return FrozenArray.of(np.random.default_rng(seed).normal(size=shape))


def case(layout, channels=3, n=3):
    make, layer, spread = LAYOUTS[layout]
    net = make(channels)
    images = random_images(n, channels, net.input_size)
    return net, layer, images, activations(net, layer, images).numpy(), spread


def close(net, wanted, images, expected):
    torch.testing.assert_close(scores(net, wanted, images), torch.as_tensor(np.asarray(expected)), rtol=1e-5, atol=1e-7)


@EVERY
def test_an_activation_difference_is_the_mean_absolute_or_the_root_mean_square(layout, channels):
    net, layer, images, acts, _ = case(layout, channels)
    targets = [numbers(*acts.shape[1:], seed=i) for i in range(3)]
    gaps = [a - t.numpy() for a, t in zip(acts, targets, strict=True)]
    close(net, [ActivationDifference(layer, t) for t in targets], images, [np.abs(g).mean() for g in gaps])
    close(
        net,
        [ActivationDifference(layer, t, norm="l2") for t in targets],
        images,
        [np.sqrt((g**2).mean()) for g in gaps],
    )


@EVERY
def test_an_inverted_representation_is_the_share_of_the_targets_energy_that_is_missed(layout, channels):
    net, layer, images, acts, _ = case(layout, channels)
    targets, weights = [numbers(*acts.shape[1:], seed=i) for i in range(3)], (0.1, 1.0, 3.0)
    expected = [
        w * ((a - t.numpy()) ** 2).sum() / (t.numpy().astype(float) ** 2).sum()
        for a, t, w in zip(acts, targets, weights, strict=True)
    ]
    wanted = [InvertedRepresentation(layer, t, w) for t, w in zip(targets, weights, strict=True)]
    close(net, wanted, images, expected)


def literal_style(table, matrix, norm):
    c, p = table.shape
    gaps = []
    for i in range(c):
        for j in range(c):
            gaps.append(sum(table[i, k] * table[j, k] for k in range(p)) / p - matrix[i, j])
    gaps = np.array(gaps)
    return np.abs(gaps).mean() if norm == "l1" else np.sqrt((gaps**2).mean())


@EVERY
@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_a_style_is_a_literal_loop_over_pairs_of_channels(layout, channels, norm):
    net, layer, images, acts, spread = case(layout, channels)
    c = spread(acts[0]).shape[0]
    matrices = [numbers(c, c, seed=i) for i in range(3)]
    expected = [literal_style(spread(a), m.numpy().astype(float), norm) for a, m in zip(acts, matrices, strict=True)]
    close(net, [Style(layer, m, norm) for m in matrices], images, expected)


def test_all_distances_are_zero_at_what_is_wanted():
    net, layer, images, acts, spread = case("NCHW")
    for i in range(3):
        wanted = [
            ActivationDifference(layer, FrozenArray.of(acts[i])),
            ActivationDifference(layer, FrozenArray.of(acts[i]), norm="l2"),
            InvertedRepresentation(layer, FrozenArray.of(acts[i])),
            Style(layer, FrozenArray.of(gram(torch.tensor(spread(acts[i]))))),
            InputDifference(FrozenArray.of(images[i])),
        ]
        found = scores(net, wanted, images[i : i + 1].expand(5, -1, -1, -1))
        torch.testing.assert_close(found, torch.zeros(5, dtype=torch.float64), rtol=0, atol=1e-7)


def test_nothing_costs_a_tenth_in_the_zoo():
    zero = torch.zeros(1, 6, 6, 5, dtype=torch.float64)
    compiled = ph.objectives.compile_objectives([InvertedRepresentation("conv2", numbers(6, 6, 5))], conv_net())
    assert compiled(ph.objectives.Scene(zero, {"conv2": zero}, 1)).item() == pytest.approx(0.1)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_a_style_does_not_know_where_things_are(norm):
    acts = torch.tensor(numbers(2, 6, 6, 5).numpy()).double()
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    moved = acts.flatten(2)[:, :, order].view_as(acts)
    compiled = ph.objectives.compile_objectives([Style("conv2", numbers(6, 6), norm)] * 2, conv_net())
    found = [compiled(ph.objectives.Scene(acts, {"conv2": a}, 1)) for a in (acts, moved)]
    torch.testing.assert_close(found[0], found[1], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("channels", "size"), [(1, (5, 7)), (3, (12, 10)), (5, (4, 4))])
def test_an_input_difference_is_the_root_mean_square(channels, size):
    images = random_images(3, channels, size)
    originals = [FrozenArray.of(i) for i in random_images(3, channels, size, seed=4)]
    wanted = [InputDifference(o) for o in originals]
    expected = [np.sqrt(((i - o.numpy()) ** 2).mean()) for i, o in zip(images.numpy(), originals, strict=True)]
    close(conv_net(channels, size), wanted, images, expected)
    alone = torch.stack([w.penalty(i[None])[0] for w, i in zip(wanted, images, strict=True)])
    torch.testing.assert_close(alone, torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=1e-8)


def test_an_original_of_another_size_is_resized_and_one_channel_stands_for_all():
    original = random_images(1, 1, (6, 5), seed=2, dtype=torch.float32)
    images = random_images(2, 3, SIZE)
    resized = F.interpolate(original, SIZE, mode="bilinear", align_corners=False).double()
    expected = (images - resized).square().mean((1, 2, 3)).sqrt()
    close(conv_net(), [InputDifference(FrozenArray.of(original[0]))] * 2, images, expected.numpy())


def test_the_gradient_at_the_original_itself_is_zero_and_not_undefined():
    image = random_images(1, 3, SIZE, dtype=torch.float32)
    given = image.clone().requires_grad_()
    InputDifference(FrozenArray.of(image[0])).penalty(given).sum().backward()
    assert (given.grad == 0).all()


@pytest.mark.parametrize(
    "objective",
    [
        ActivationDifference("conv2", numbers(6, 6, 5)),
        ActivationDifference("conv2", numbers(6, 6, 5), norm="l2"),
        InvertedRepresentation("conv2", numbers(6, 6, 5)),
        Style("conv2", numbers(6, 6)),
        Style("conv2", numbers(6, 6), "l2"),
    ],
)
def test_gradients_are_those_of_finite_differences(objective):
    net, images = conv_net(), random_images(2, 3, SIZE)
    acts = activations(net, "conv2", images).requires_grad_()
    compiled = ph.objectives.compile_objectives([objective] * 2, net)
    assert torch.autograd.gradcheck(
        lambda a: compiled(ph.objectives.Scene(images, {"conv2": a}, 1)), (acts,), eps=1e-6, atol=1e-5, rtol=1e-4
    )


def test_a_gram_matrix_is_the_mean_product_over_positions():
    acts = numbers(2, 3, 7).tensor()
    for n in range(2):
        for i in range(3):
            for j in range(3):
                expected = sum(acts[n, i, k].item() * acts[n, j, k].item() for k in range(7)) / 7
                assert gram(acts)[n, i, j].item() == pytest.approx(expected, abs=1e-6)


def test_a_style_or_an_image_that_does_not_fit_is_refused():
    images = random_images(1, 3, SIZE)
    with pytest.raises(LayoutError, match=r"layer 'conv2' has 6 channels; the style's matrix is \(5, 5\)"):
        scores(conv_net(), [Style("conv2", numbers(5, 5))], images)
    with pytest.raises(ImageError, match="the given image has 2 channels, the rendered ones have 3"):
        scores(conv_net(), [InputDifference(numbers(2, 12, 10))], images)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Style("a", numbers(2, 3)), r"matrix is \(2, 3\); expected a matrix of channels × channels"),
        (lambda: InputDifference(numbers(2, 3)), r"image is \(2, 3\); expected an image"),
        (lambda: InvertedRepresentation("a", numbers(2), 0.0), "weight is 0.0; expected a number above 0"),
        (lambda: InvertedRepresentation("a", FrozenArray.of([0.0, 0.0])), "target is 'all zeros'"),
    ],
)
def test_parameters_out_of_range_are_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


@pytest.mark.parametrize("made", [Style("a", numbers(2, 2)), ActivationDifference("a", numbers(2))])
def test_another_norm_is_refused_by_its_document(made):
    with pytest.raises(ph.errors.RecipeError, match="norm: expected one of"):
        type(made).from_json(made.to_json() | {"norm": "l3"})
