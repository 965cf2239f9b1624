"""Icons of directions: a literal loop, the best of the attempts, the layer's centre at the icon's size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from literal import climbed, plain, seen, start
from networks import conv_net, linear_net, nhwc_net, token_net

import phosphene as ph
from phosphene._types import FrozenArray
from phosphene.errors import LayoutError, ParameterError
from phosphene.objectives import TensorDirection
from phosphene.recipes.icons import icon_recipe, icons

DIRECTIONS = np.random.default_rng(1).normal(size=(2, 6))


def units_of(directions: np.ndarray) -> list[TensorDirection]:
    targets = [FrozenArray.of(v[:, None, None]) for v in directions]
    return [TensorDirection("conv2", target, cossim_power=2.0) for target in targets]


def test_an_icon_climbs_its_direction_at_the_centre_of_the_layer():
    net, recipe = conv_net(), plain(9, 7)
    result = icons(net, "conv2", DIRECTIONS, attempts=1, cossim_power=2.0, recipe=recipe, progress=False)
    look = seen(net, "conv2")
    pixels = start(recipe, units_of(DIRECTIONS))["pixels"]
    for row, vector in enumerate(torch.from_numpy(DIRECTIONS.astype(np.float32)).double()):

        def total(images, vector=vector):
            answer = look(images)[0, :, 2, 1]
            dot = answer @ vector
            cosine = dot / (1e-4 + answer.norm()) / (1e-4 + vector.norm())
            return dot * torch.clamp(cosine, min=0.1) ** 2

        expected = climbed(pixels[row : row + 1], total)
        assert np.abs(result.images[row : row + 1].numpy() - expected).max() < 1e-5


def test_the_best_attempt_of_each_direction_is_kept():
    net, recipe = conv_net(), plain(12, 10, steps=2)
    result = icons(net, "conv2", DIRECTIONS, attempts=4, recipe=recipe, progress=False)
    tried = ph.render(net, units_of(DIRECTIONS) * 4, recipe=recipe, progress=False)
    for icon in range(2):
        means = [float(tried.scores[2 * attempt + icon].mean()) for attempt in range(4)]
        assert len({round(m, 6) for m in means}) > 1
        best = 2 * int(np.argmax(means)) + icon
        assert torch.equal(result.images[icon], tried.images[best])
        assert result.documents[icon]["index"] == best
        assert float(result.final_scores[icon]) == float(tried.final_scores[best])


def test_the_last_eight_steps_say_which_attempt_is_best():
    net = conv_net()
    recipe = replace(plain(12, 10, steps=14), transforms=(ph.transforms.Jitter(4),))
    result = icons(net, "conv2", DIRECTIONS, attempts=4, recipe=recipe, seed=4, progress=False)
    tried = ph.render(net, units_of(DIRECTIONS) * 4, recipe=recipe, seed=4, progress=False)
    curves = np.stack([curve.numpy() for curve in tried.scores]).reshape(4, 2, 14)
    best = curves[..., 6:].mean(-1).argmax(0)
    # in this run neither the last step nor the mean of all would choose the same
    assert (best.tolist(), curves[..., -1].argmax(0).tolist(), curves.mean(-1).argmax(0).tolist()) == (
        [2, 2],
        [1, 2],
        [3, 3],
    )
    assert [document["index"] for document in result.documents] == (2 * best + [0, 1]).tolist()


def test_a_layer_without_positions_has_directions_too():
    net = linear_net()
    result = icons(net, "out", np.eye(4)[:3], attempts=2, recipe=plain(6, 5, steps=1), progress=False)
    assert result.names == ("TensorDirection(out)",) * 3


def test_tokens_and_channels_last_have_a_middle_too():
    for net, layer in ((token_net(), "mix"), (nhwc_net(), "norm")):
        n = net.layer(layer).n_channels
        result = icons(net, layer, np.eye(n)[:1], attempts=1, recipe=plain(*net.input_size, steps=1), progress=False)
        assert result.status == ("ok",)


def test_the_defaults_are_lucids():
    recipe = icon_recipe()
    assert recipe.sizes == ((80, 80),)
    assert (recipe.steps, recipe.optimizer) == (128, ph.optimizers.Adam(lr=0.05))
    assert recipe.regularizer == -1.0 * ph.regularizers.BoundaryComplexity(width=5)
    scale, turn = recipe.transforms[6:8]
    assert (len(scale.options), max(scale.options), min(scale.options)) == (20, 0.998**20, 0.998**39)
    assert (len(turn.options_deg), turn.options_deg.count(0.0)) == (78, 8)


def test_directions_that_are_no_table_are_refused():
    with pytest.raises(LayoutError, match="the directions have shape \\(6,\\); expected a table"):
        icons(conv_net(), "conv2", DIRECTIONS[0], progress=False)
    with pytest.raises(LayoutError, match="expected a table \\(icons, 6 channels of 'conv2'\\)"):
        icons(conv_net(), "conv2", DIRECTIONS[:, :5], recipe=plain(12, 10), progress=False)
    with pytest.raises(ParameterError, match="attempts is 0"):
        icons(conv_net(), "conv2", DIRECTIONS, attempts=0)
