"""Likeness to a given activation, against literal loops over the layer's own numbers, in every layout."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from networks import SIZE, activations, conv_net, nhwc_net, random_images, scores, token_net
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import phosphene as ph
from phosphene._types import FrozenArray
from phosphene.errors import LayoutError, ParameterError
from phosphene.objectives import Caricature, Guide, Inversion, TensorDirection
from phosphene.objectives.alike import best_match

LAYOUTS = {
    "NCHW": (conv_net, "conv2"),
    "NC": (conv_net, "classifier"),
    "NHWC": (nhwc_net, "norm"),
    "NLC": (token_net, "mix"),
}
EVERY = pytest.mark.parametrize(("layout", "channels"), [(layout, c) for layout in LAYOUTS for c in (1, 3, 5)])


def numbers(*shape, seed=0):
    return FrozenArray.of(np.random.default_rng(seed).normal(size=shape))


def case(layout, channels=3, n=3):
    make, layer = LAYOUTS[layout]
    net = make(channels)
    images = random_images(n, channels, net.input_size)
    return net, layer, images, activations(net, layer, images).numpy()


def close(net, wanted, images, expected, views=1):
    found = scores(net, wanted, images, views=views)
    torch.testing.assert_close(found, torch.as_tensor(np.asarray(expected)), rtol=1e-5, atol=1e-7)


def literal_caricature(acts, target, power, *, true):
    dot = float((acts * target).sum())
    cosine = dot / (1e-6 + np.sqrt((acts**2).sum()))
    if true:
        cosine /= 1e-6 + np.sqrt((target**2).sum())
    return dot * max(0.1, cosine) ** power


@EVERY
@pytest.mark.parametrize("cosine", ["true", "lucid"])
def test_inversion_and_caricature_are_dot_and_cosine_of_the_whole_layer(layout, channels, cosine):
    net, layer, images, acts = case(layout, channels)
    targets = [numbers(*acts.shape[1:], seed=i) for i in range(3)]
    pairs = list(zip(acts, (t.numpy().astype(float) for t in targets), strict=True))
    close(net, [Inversion(layer, t) for t in targets], images, [(a * t).sum() for a, t in pairs])
    powers = (0.0, 0.5, 2.0)
    close(
        net,
        [Caricature(layer, t, p, cosine=cosine) for t, p in zip(targets, powers, strict=True)],
        images,
        [literal_caricature(a, t, p, true=cosine == "true") for (a, t), p in zip(pairs, powers, strict=True)],
    )


def test_a_caricature_of_power_zero_is_the_inversion():
    net, layer, images, acts = case("NCHW")
    target = FrozenArray.of(acts[1])
    assert torch.equal(
        scores(net, [Caricature(layer, target)] * 3, images), scores(net, [Inversion(layer, target)] * 3, images)
    )


def test_a_caricature_of_the_image_itself_is_its_energy_whatever_the_power():
    net, layer, images, acts = case("NCHW")
    for power in (0.0, 1.0, 2.0):
        wanted = [Caricature(layer, FrozenArray.of(a), power) for a in acts]
        close(net, wanted, images, (acts**2).sum((1, 2, 3)))


def test_lucids_cosine_grows_with_the_target_and_the_true_one_does_not():
    net, layer, images, acts = case("NCHW")
    small, large = FrozenArray.of(acts[1]), FrozenArray.of(3 * acts[1])

    def ratio(cosine):
        return [scores(net, [Caricature(layer, t, 1.0, cosine=cosine)] * 3, images)[1].item() for t in (large, small)]

    large_true, small_true = ratio("true")
    assert large_true / small_true == pytest.approx(3, rel=1e-5)
    large_lucid, small_lucid = ratio("lucid")
    assert large_lucid / small_lucid == pytest.approx(9, rel=1e-5)


@pytest.mark.parametrize("size", [(20, 14), (9, 17)])
def test_a_target_is_resized_bilinearly_to_the_views_layer(size):
    net, images = conv_net(), random_images(2, 3, size)
    acts = activations(net, "conv2", images)
    target = numbers(6, 6, 5)
    resized = F.interpolate(target.tensor()[None], acts.shape[2:], mode="bilinear", align_corners=False)
    close(net, [Inversion("conv2", target)] * 2, images, (acts * resized).sum((1, 2, 3)).numpy())


def test_targets_of_several_views_are_those_of_their_images():
    net, layer, views, acts = case("NCHW", n=6)
    targets = [numbers(6, 6, 5, seed=i) for i in (1, 2)]
    expected = [np.mean([(acts[3 * i + k] * targets[i].numpy()).sum() for k in range(3)]) for i in range(2)]
    close(net, [Inversion(layer, t) for t in targets], views, expected, views=3)


@pytest.mark.parametrize("power", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("shape", [(2, 3), (6, 5), (1, 1), (3, 5)])
def test_a_tensor_direction_is_the_mean_of_dot_and_cosine_over_the_layers_centre(shape, power):
    net, layer, images, acts = case("NCHW")
    tensors = [numbers(6, *shape, seed=i) for i in range(3)]
    top, left = (6 - shape[0]) // 2, (5 - shape[1]) // 2
    expected = []
    for a, tensor in zip(acts, (t.numpy().astype(float) for t in tensors), strict=True):
        total = 0.0
        for y in range(shape[0]):
            for x in range(shape[1]):
                here, there = a[:, top + y, left + x], tensor[:, y, x]
                dot = here @ there
                cosine = dot / (1e-4 + np.linalg.norm(here)) / (1e-4 + np.linalg.norm(there))
                total += dot * max(0.1, cosine) ** power
        expected.append(total / (shape[0] * shape[1]))
    close(net, [TensorDirection(layer, t, power) for t in tensors], images, expected)


@pytest.mark.parametrize(("layout", "shape", "channels_last"), [("NHWC", (3, 2, 6), True), ("NLC", (4, 8), True)])
def test_a_tensor_direction_has_the_layout_of_its_layer(layout, shape, channels_last):
    net, layer, images, acts = case(layout)
    tensor = numbers(*shape)
    crop = tuple(slice((n - s) // 2, (n - s) // 2 + s) for n, s in zip(acts.shape[1:-1], shape[:-1], strict=True))
    expected = [(a[crop] * tensor.numpy()).sum(-1).mean() for a in acts]
    close(net, [TensorDirection(layer, tensor)] * 3, images, expected)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_a_tensor_of_one_vector_everywhere_is_that_direction(power):
    net, layer, images, _ = case("NCHW")
    vector = [1, -1, 0.5, 0, 2, 1]
    tensor = FrozenArray.of(np.broadcast_to(np.array(vector)[:, None, None], (6, 6, 5)))
    direction = scores(net, [ph.Direction(layer, vector, cossim_power=power)] * 3, images)
    close(net, [TensorDirection(layer, tensor, power)] * 3, images, direction.numpy())
    head = scores(net, [ph.Direction("classifier", vector[:5], cossim_power=power)] * 3, images)
    close(net, [TensorDirection("classifier", FrozenArray.of(vector[:5]), power)] * 3, images, head.numpy())


def test_the_golden_numbers_of_dot_and_cosine():
    """Lucid's ``_dot_cossim`` of (3, 4) and (1, 0), and of (-3, 4), where the floor bites."""
    from phosphene.functional.similarity import dot_cossim

    x, y = torch.tensor([3.0, 4.0], dtype=torch.float64), torch.tensor([1.0, 0.0], dtype=torch.float64)
    for power, expected in ((0, 3.0), (1, 1.79978), (2, 1.07974)):
        assert dot_cossim(x, y, power).item() == pytest.approx(expected, abs=1e-5)
    assert dot_cossim(torch.tensor([-3.0, 4.0]), y.float(), 1).item() == pytest.approx(-0.3)


def literal_guide(here, features):
    """Sum over the positions of a (channels, positions) table, and the gradient."""
    total, gradient = 0.0, np.zeros_like(here)
    for p in range(here.shape[1]):
        products = [here[:, p] @ features[:, k] for k in range(features.shape[1])]
        best = int(np.argmax(products))
        total += products[best]
        gradient[:, p] = features[:, best]
    return total, gradient


def test_a_guide_is_a_literal_loop_over_five_by_five_by_three():
    rng = np.random.default_rng(3)
    here, features = rng.normal(size=(3, 25)), rng.normal(size=(3, 25))
    total, gradient = literal_guide(here, features)
    x = torch.tensor(here[None], requires_grad=True)
    match = best_match(x.detach(), torch.tensor(features[None]))
    assert np.array_equal(match[0].numpy(), gradient)
    (x * match).sum().backward()
    assert np.array_equal(x.grad[0].numpy(), gradient)
    assert (x * match).sum().item() == pytest.approx(total)


@EVERY
def test_a_guide_sums_the_best_match_of_each_position(layout, channels):
    net, layer, images, acts = case(layout, channels)
    spread = {
        "NCHW": lambda a: a.reshape(a.shape[0], -1),
        "NC": lambda a: a[:, None],
        "NHWC": lambda a: a.reshape(-1, a.shape[-1]).T,
        "NLC": lambda a: a.T,
    }[layout]
    guides = [numbers(spread(acts[0]).shape[0], 4, seed=i) for i in range(3)]
    expected = [literal_guide(spread(a), g.numpy().astype(float))[0] for a, g in zip(acts, guides, strict=True)]
    close(net, [Guide(layer, g) for g in guides], images, expected)


def test_the_gradient_of_a_guide_is_its_match_exactly():
    net, features = conv_net(), numbers(6, 7)
    acts = activations(net, "conv2", random_images(2, 3, SIZE)).requires_grad_()
    compiled = ph.objectives.compile_objectives([Guide("conv2", features)] * 2, net)
    compiled(ph.objectives.Scene(random_images(2, 3, SIZE), {"conv2": acts}, 1)).sum().backward()
    for i in range(2):
        _, expected = literal_guide(acts[i].detach().numpy().reshape(6, -1), features.numpy().astype(float))
        assert np.array_equal(acts.grad[i].numpy().reshape(6, -1), expected)


def test_guided_by_itself_a_layer_of_orthogonal_features_matches_itself():
    features = torch.eye(4, dtype=torch.float64)[None] * 2
    assert torch.equal(best_match(features, features), features)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Inversion("conv2", numbers(6, 6, 5)),
        lambda: Caricature("conv2", numbers(6, 6, 5), 0.5, cosine="lucid"),
        lambda: Caricature("conv2", numbers(6, 6, 5), 2.0),
        lambda: TensorDirection("conv2", numbers(6, 3, 3), 1.0),
        lambda: Guide("conv2", numbers(6, 3)),
    ],
)
def test_gradients_are_those_of_finite_differences(make):
    net, objective = conv_net(), make()
    acts = activations(net, "conv2", random_images(2, 3, SIZE)).requires_grad_()
    compiled = ph.objectives.compile_objectives([objective] * 2, net)
    image = random_images(2, 3, SIZE)
    assert torch.autograd.gradcheck(
        lambda a: compiled(ph.objectives.Scene(image, {"conv2": a}, 1)), (acts,), eps=1e-6, atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize(
    ("net", "objective", "message"),
    [
        (
            conv_net,
            Inversion("conv2", numbers(5, 6, 5)),
            r"layer 'conv2' gives \(6, 6, 5\) .* the target is \(5, 6, 5\)",
        ),
        (conv_net, Caricature("conv2", numbers(6)), r"the target is \(6,\); give the layer's activation"),
        (nhwc_net, TensorDirection("norm", numbers(6, 3, 3)), r"the target is \(6, 3, 3\)"),
        (conv_net, TensorDirection("conv2", numbers(6, 7, 5)), r"has \(6, 5\) positions here, fewer than .*\(7, 5\)"),
        (token_net, Inversion("mix", numbers(5, 8)), r"has \(6,\) tokens here, its target \(5,\)"),
        (conv_net, Guide("conv2", numbers(5, 3)), "has 6 channels; the guide's features have 5"),
    ],
)
def test_a_target_that_does_not_fit_is_refused(net, objective, message):
    made = net()
    with pytest.raises(LayoutError, match=message):
        scores(made, [objective] * 2, random_images(2, 3, made.input_size))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Inversion("a", numbers(0, 3)), "target is .* at least one value"),
        (lambda: TensorDirection("a", numbers(1), -1.0), "cossim_power is -1.0"),
        (lambda: Caricature("a", numbers(1), -1.0), "cossim_power is -1.0"),
        (lambda: Guide("a", numbers(3)), r"features is \(3,\); expected a table"),
    ],
)
def test_parameters_out_of_range_are_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


def test_another_cosine_is_refused_by_its_document():
    document = Caricature("a", numbers(2)).to_json() | {"cosine": "cubic"}
    with pytest.raises(ph.errors.RecipeError, match="cosine: expected one of"):
        Caricature.from_json(document)


class Largest(TorchDispatchMode):
    """Remembers the largest tensor that was made."""

    values = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for tensor in (t for t in tree_leaves(made) if isinstance(t, torch.Tensor)):
            self.values = max(self.values, tensor.numel())
        return made


def test_the_products_with_a_guide_are_never_all_held_at_once():
    here, features = random_images(1, 1, (2, 5000))[0], random_images(1, 1, (2, 5000), seed=1)[0]
    with Largest() as largest:
        best = best_match(here, features)
    assert largest.values <= 2**24 < 5000 * 5000
    for p in (0, 3354, 3355, 3356, 4999):
        match = int((here[0, :, p] @ features[0]).argmax())
        assert torch.equal(best[0, :, p], features[0, :, match])


@pytest.mark.parametrize(
    ("wanted", "needs"),
    [
        (TensorDirection("a", numbers(6, 3, 3)), True),
        (Inversion("a", numbers(6, 3, 3)), True),
        (2 * Caricature("a", numbers(6, 3, 3)) + ph.Layer("a"), True),
        (ph.objectives.InvertedRepresentation("a", numbers(6, 3, 3)), True),
        (ph.objectives.ActivationDifference("a", numbers(6, 3, 3)), True),
        (ph.Neuron("a", 1), True),
        (ph.Neuron("a", 1, (2, 3)), True),
        (ph.Direction("a", [1.0], position=(2, 3)), True),
        (ph.objectives.LocalGroup("a"), True),
        (ph.Direction("a", [1.0]), False),
        (Guide("a", numbers(6, 9)), False),
        (ph.objectives.Style("a", numbers(6, 6)), False),
        (ph.Channel("a", 1), False),
    ],
    ids=str,
)
def test_what_is_bound_to_a_place_needs_the_whole_image(wanted, needs):
    assert wanted.needs_whole_image is needs


@pytest.mark.parametrize("wanted", [ph.Neuron("conv2", 1), Inversion("conv2", numbers(6, 6, 5))], ids=str)
def test_what_is_bound_to_a_place_is_refused_in_tiles_that_cut_the_image(wanted):
    def made(tile):
        recipe = ph.Recipe(parameterization=ph.Pixels(12, 10), steps=1, tiles=ph.conditioners.Tiles(tile, tile))
        return ph.render(conv_net(), wanted, recipe=recipe, progress=False)

    assert made(12).status == ("ok",)
    with pytest.raises(ParameterError, match="needs the whole image"):
        made(11)
