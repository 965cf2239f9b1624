"""Law 1: changing image i changes no other image's score, unless the objective says that it couples them."""

from __future__ import annotations

import pytest
import torch
from members import ALPHA_REGULARIZERS, COUPLED, OBJECTIVES, REGULARIZERS, SEEING, name_of
from networks import SIZE, conv_net, random_images, scores

from phosphene._algebra import Constant


@pytest.mark.parametrize("objective", OBJECTIVES, ids=name_of)
@pytest.mark.parametrize(("channels", "n", "views"), [(3, 3, 1), (1, 2, 2), (5, 4, 1)])
def test_only_the_score_of_the_changed_image_changes(objective, channels, n, views):
    net = conv_net(channels)
    images = random_images(n * views, channels, SIZE)
    before = scores(net, [objective] * n, images, views=views)
    assert before.shape == (n,)
    for i in range(n):
        changed = images.clone()
        changed[i * views] = 1 - 0.9 * changed[i * views]
        after = scores(net, [objective] * n, changed, views=views)
        others = torch.arange(n) != i
        torch.testing.assert_close(after[others], before[others], rtol=1e-12, atol=1e-12)
        assert isinstance(objective, Constant) or after[i] != before[i]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=name_of)
def test_the_gradient_of_a_score_is_zero_in_every_other_image(objective):
    images = random_images(3, 3, SIZE).requires_grad_()
    score = scores(conv_net(), [objective] * 3, images)[1]
    if isinstance(objective, Constant):
        assert not score.requires_grad
        return
    (gradient,) = torch.autograd.grad(score, images)
    assert (gradient[[0, 2]] == 0).all()
    assert (gradient[1] != 0).any()


@pytest.mark.parametrize("objective", [*OBJECTIVES, *SEEING], ids=name_of)
def test_an_objective_that_couples_no_images_says_so(objective):
    assert not objective.coupled


@pytest.mark.parametrize("objective", COUPLED, ids=name_of)
@pytest.mark.parametrize(("channels", "n", "views"), [(3, 3, 1), (1, 2, 2), (5, 4, 1)])
def test_a_coupled_objective_says_so_and_changes_the_score_of_the_next_image(objective, channels, n, views):
    assert objective.coupled
    assert (2 * objective - 1).coupled
    net = conv_net(channels)
    images = random_images(n * views, channels, SIZE)
    before = scores(net, [objective] * n, images, views=views)
    assert before.shape == (n,)
    for i in range(n):
        changed = images.clone()
        changed[i * views] = 1 - 0.9 * changed[i * views]
        after = scores(net, [objective] * n, changed, views=views)
        neighbour = i + 1 if i + 1 < n else i - 1
        assert after[neighbour] != before[neighbour]


@pytest.mark.parametrize("regularizer", ALPHA_REGULARIZERS, ids=name_of)
@pytest.mark.parametrize(("channels", "size"), [(4, (5, 8)), (5, (2, 3))])
def test_a_batch_of_penalties_on_alpha_is_each_penalty_alone(regularizer, channels, size):
    test_a_batch_of_penalties_is_each_penalty_alone(regularizer, channels, size)


@pytest.mark.parametrize("regularizer", REGULARIZERS, ids=name_of)
@pytest.mark.parametrize(("channels", "size"), [(1, (5, 8)), (3, (7, 4)), (5, (2, 3))])
def test_a_batch_of_penalties_is_each_penalty_alone(regularizer, channels, size):
    images = random_images(4, channels, size)
    together = regularizer.penalty(images)
    alone = torch.cat([regularizer.penalty(images[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)
    assert (together >= 0).all()
