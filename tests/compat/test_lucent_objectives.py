"""Lucent's objectives against literal loops, and their algebra."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from phosphene.compat.lucent.optvis import objectives as o
from phosphene.errors import ArgumentError, LayoutError, UnitFormatError, UnitRangeError

LAYERS = {
    "square": torch.randn(4, 5, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64),
    "wide": torch.randn(4, 5, 3, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64),
    "labels": torch.randn(4, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64),
    "input": torch.rand(4, 2, 5, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64),
}
SQUARE, WIDE, LABELS, IMAGE = (LAYERS[name].numpy() for name in ("square", "wide", "labels", "input"))
WEIGHT = torch.arange(5.0) - 1.5
W = WEIGHT.numpy().astype(np.float64)


def T(layer: str) -> Tensor:  # noqa: N802
    return LAYERS[layer]


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def blurred(image: np.ndarray) -> np.ndarray:
    """3 × 3 with 1 in the middle and 0.5 around, over what lies inside."""
    out = np.zeros_like(image)
    height, width = image.shape[2:]
    for y in range(height):
        for x in range(width):
            total = 0.0
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    if 0 <= y + dy < height and 0 <= x + dx < width:
                        share = 1.0 if dy == dx == 0 else 0.5
                        out[:, :, y, x] += share * image[:, :, y + dy, x + dx]
                        total += share
            out[:, :, y, x] /= total
    return out


def interpolated() -> float:
    return -sum((1 - n / 3) * SQUARE[n, 1].mean() + n / 3 * WIDE[n, 2].mean() for n in range(4))


def aligned(decay: float) -> float:
    pairs = [(d, i) for d in (1, 2, 3, 4) for i in range(4 - d)]
    return sum(((WIDE[i] - WIDE[i + d]) ** 2).mean() / decay**d for d, i in pairs)


def diverse() -> float:
    grams = [a.reshape(5, -1) @ a.reshape(5, -1).T for a in WIDE]
    unit = [g / np.sqrt((g**2).sum()) for g in grams]
    return -sum((unit[i] * unit[j]).sum() for i in range(4) for j in range(4) if i != j) / 4


CASES = {
    "neuron": (o.neuron("square", 2), -SQUARE[:, 2, 3, 3].mean()),
    "neuron, not square": (o.neuron("wide", 2), -WIDE[:, 2, 1, 4].mean()),
    "neuron at x, y": (o.neuron("wide", 2, x=7, y=0), -WIDE[:, 2, 0, 7].mean()),
    "neuron of one image": (o.neuron("wide", 2, 1, 2, batch=3), -WIDE[3, 2, 2, 1]),
    "channel": (o.channel("wide", 4), -WIDE[:, 4].mean()),
    "channel counted from the end": (o.channel("wide", -5), -WIDE[:, 0].mean()),
    "channel of a vector": (o.channel("labels", 6), -LABELS[:, 6].mean()),
    "channel of one image": (o.channel("labels", 6, batch=1), -LABELS[1, 6]),
    "channel of the last image": (o.channel("labels", 6, batch=-1), -LABELS[3, 6]),
    "neuron_weight": (o.neuron_weight("wide", WEIGHT), -(W * WIDE[:, :, 1, 4]).mean()),
    "neuron_weight at x, y": (o.neuron_weight("wide", WEIGHT, x=5, y=2), -(W * WIDE[:, :, 2, 5]).mean()),
    "neuron_weight without weights": (o.neuron_weight("wide", None), -WIDE[:, :, 1, 4].mean()),
    "channel_weight": (o.channel_weight("wide", WEIGHT), -(W[:, None, None] * WIDE).mean()),
    "channel_weight of one image": (o.channel_weight("wide", WEIGHT, batch=2), -(W[:, None, None] * WIDE[2]).mean()),
    "channel_weight of a vector": (o.channel_weight("labels", torch.arange(7.0)), -(np.arange(7.0) * LABELS).mean()),
    "localgroup_weight": (
        o.localgroup_weight("wide", WEIGHT, x=2, y=1, wx=3, wy=2),
        -(W[:, None, None] * WIDE[:, :, 1:3, 2:5]).mean(),
    ),
    "localgroup_weight without weights": (
        o.localgroup_weight("wide", x=2, y=1, wx=3, wy=2),
        -WIDE[:, :, 1:3, 2:5].mean(),
    ),
    "localgroup_weight in the middle": (o.localgroup_weight("wide", wx=2, wy=3), -WIDE[:, :, 0:3, 3:5].mean()),
    "direction": (
        o.direction("wide", WEIGHT),
        -np.mean([cosine(W, WIDE[n, :, y, x]) for n in range(4) for y in range(3) for x in range(8)]),
    ),
    "direction_neuron": (
        o.direction_neuron("wide", WEIGHT, x=6, y=0),
        -np.mean([cosine(W, WIDE[n, :, 0, 6]) for n in range(4)]),
    ),
    "direction_neuron in the middle": (o.direction_neuron("wide", WEIGHT, batch=0), -cosine(W, WIDE[0, :, 1, 4])),
    "blur_input_each_step": (o.blur_input_each_step(), -0.5 * ((IMAGE - blurred(IMAGE)) ** 2).sum()),
    "channel_interpolate": (o.channel_interpolate("square", 1, "wide", 2), interpolated()),
    "alignment": (o.alignment("wide"), aligned(2.0)),
    "alignment with another decay": (o.alignment("wide", decay_ratio=5), aligned(5.0)),
    "diversity": (o.diversity("wide"), diverse()),
    "a text": (o.as_objective("wide: 4"), -WIDE[:, 4].mean()),
}


@pytest.mark.parametrize("name", CASES)
def test_an_objective_is_its_formula(name: str) -> None:
    objective, expected = CASES[name]
    assert float(objective(T)) == pytest.approx(expected, rel=1e-9)


def test_the_cosine_forgets_how_strong_the_activations_are() -> None:
    acts = torch.tensor([3.0, 4.0])[None, :, None, None]
    direction = torch.tensor([1.0, 0.0])
    assert float(o.direction("any", direction)(lambda _: acts)) == pytest.approx(-0.6)
    assert float(o.direction("any", direction)(lambda _: 10 * acts)) == pytest.approx(-0.6)


def test_diversity_of_equal_images_is_their_number_less_one_and_of_orthogonal_ones_zero() -> None:
    one = torch.eye(2)[None, :, :1, None]
    other = torch.eye(2)[None, :, 1:, None]
    assert float(o.diversity("any")(lambda _: one.expand(4, -1, -1, -1))) == pytest.approx(-3)
    assert float(o.diversity("any")(lambda _: torch.cat([one, other]))) == 0
    assert float(o.diversity("any")(lambda _: one)) == 0


def test_single_images_have_no_neighbours_and_are_the_first_of_an_interpolation() -> None:
    one = LAYERS["wide"][:1]
    assert float(o.alignment("any")(lambda _: one)) == 0
    assert float(o.channel_interpolate("a", 0, "b", 1)(lambda _: one)) == pytest.approx(float(-one[0, 0].mean()))


def test_channels_last_activations_are_taken() -> None:
    acts = LAYERS["wide"].to(memory_format=torch.channels_last)
    assert float(o.diversity("any")(lambda _: acts)) == pytest.approx(diverse())


def test_minus_the_blur_objective_draws_towards_the_blurred_image() -> None:
    image = LAYERS["input"].clone().requires_grad_()
    (-1 * o.blur_input_each_step())(lambda _: image).backward()
    moved = image.detach() - image.grad
    assert np.allclose(moved.numpy(), blurred(IMAGE))


A, B = o.channel("wide", 1), o.channel("labels", 2)
VALUE_A, VALUE_B = float(A(T)), float(B(T))


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        (A + B, VALUE_A + VALUE_B),
        (A - B, VALUE_A - VALUE_B),
        (-A, -VALUE_A),
        (2 * A, 2 * VALUE_A),
        (A * 0.5, 0.5 * VALUE_A),
        (A / 4, VALUE_A / 4),
        (A + 3, VALUE_A + 3),
        (3 + A, VALUE_A + 3),
        (A - 3, VALUE_A - 3),
        (3 - A, 3 - VALUE_A),
        (sum([A, B, A]), 2 * VALUE_A + VALUE_B),
        (o.Objective.sum([A, B]), VALUE_A + VALUE_B),
        (1 * A + -2 * B / 2, VALUE_A - VALUE_B),
    ],
)
def test_the_algebra_is_that_of_losses(objective: Callable[..., Tensor], expected: float) -> None:
    assert float(objective(T)) == pytest.approx(expected, rel=1e-9)
    assert (float(A(T)), float(B(T))) == (VALUE_A, VALUE_B)


def test_products_and_quotients_of_objectives_are_refused_in_lucents_words() -> None:
    with pytest.raises(
        TypeError,
        match=r"Can only multiply by int or float\. Received type <class '.*lucent\.optvis\.objectives\.Objective'>",
    ):
        A * B
    with pytest.raises(
        TypeError,
        match=r"Can only divide by int or float\. Received type <class '.*lucent\.optvis\.objectives\.Objective'>",
    ):
        A / B
    with pytest.raises(ArgumentError, match="Can only add an objective, int or float"):
        A + "wide:1"


def test_names_and_descriptions_tell_what_was_asked_for() -> None:
    assert (A.name, A.description) == ("channel", "Channel [wide, 1]")
    assert (A + B).name == "channel, channel"
    assert (A + B).description == "Sum(Channel [wide, 1] +\nChannel [labels, 2])"
    assert (2 * A).description == A.description
    assert o.channel_weight("wide", torch.randn(50)).description == "Channel_Weight [wide, <Tensor>]"
    assert o.neuron.__doc__


@pytest.mark.parametrize("decorate", [o.wrap_objective, o.wrap_objective()])
def test_ones_own_objectives_are_wrapped_with_and_without_parentheses(
    decorate: Callable[..., Callable[..., o.Objective]],
) -> None:
    @decorate
    def brightest(layer: str, power: int = 1) -> Callable[[Callable[[str], Tensor]], Tensor]:
        return o.handle_batch(2)(lambda model: -(model(layer).max() ** power))

    objective = brightest("wide", power=3)
    assert float(objective(T)) == pytest.approx(-(WIDE[2].max() ** 3))
    assert (objective.name, objective.description) == ("brightest", "Brightest [wide, 3]")


def test_objectives_and_functions_are_objectives_already() -> None:
    function = lambda model: model("wide").mean()  # noqa: E731
    assert o.as_objective(A) is A
    assert o.as_objective(function) is function


@pytest.mark.parametrize("text", ["wide", "wide:", "wide:one", ":", "wide:-1"])
def test_a_text_must_be_layer_and_channel(text: str) -> None:
    with pytest.raises(UnitFormatError, match="expected 'layer:channel'"):
        o.as_objective(text)


def test_what_cannot_be_an_objective_is_refused() -> None:
    with pytest.raises(ArgumentError, match="a function of T or 'layer:channel'; got int"):
        o.as_objective(3)
    with pytest.raises(LayoutError, match="has no positions; use channel"):
        o.neuron("labels", 1)(T)
    with pytest.raises(UnitRangeError, match="x=8, y=0 does not lie in 8 columns and 3 rows"):
        o.neuron("wide", 1, x=8, y=0)(T)
    with pytest.raises(UnitRangeError, match="image 4 of the batch was asked for, but there are 4"):
        o.channel("wide", 1, batch=4)(T)
    for objective in (
        "wide:5",
        o.neuron("wide", 5),
        o.channel("wide", -6),
        o.channel_interpolate("square", 0, "wide", 5),
    ):
        with pytest.raises(UnitRangeError, match=r"channel (5|-6) was asked for, but the layer has 5: use 0 to 4"):
            o.as_objective(objective)(T)
    with pytest.raises(LayoutError, match="3 weights were given, but the layer has 5 channels"):
        o.channel_weight("wide", torch.ones(3))(T)
