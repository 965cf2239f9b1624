"""Law 4: identity parameters are the identity."""

from __future__ import annotations

import pytest
import torch
from members import IDENTITIES, name_of
from networks import SIZE, conv_net, look, quick, random_images

import phosphene as ph
from phosphene import transforms as t


@pytest.mark.parametrize("transform", IDENTITIES, ids=name_of)
@pytest.mark.parametrize(("channels", "n", "views"), [(3, 2, 1), (1, 1, 3), (5, 3, 2)])
def test_a_transform_without_effect_is_the_identity(transform, channels, n, views):
    images = random_images(n, channels, SIZE)
    assert torch.equal(look([transform], images, views=views), images.repeat_interleave(views, 0))


@pytest.mark.parametrize("size", [(12, 10), (5, 9), (1, 7)])
def test_all_identities_together_are_the_identity(size):
    images = random_images(2, 3, size)
    chain = [
        *(x for x in IDENTITIES if not isinstance(x, t.CropOrPad | t.Resize | t.ToInput)),
        t.Resize(*size),
        t.CropOrPad(*size),
    ]
    assert torch.equal(look(chain, images, views=2), images.repeat_interleave(2, 0))


@pytest.mark.parametrize(
    "transform",
    [
        t.Scale(options=(1.0,)),
        t.Rotate(options_deg=(0.0, 360.0)),
        t.RandomCrop(1.0),
        t.Jitter(4, mode="translate"),
        t.Pad(4),
    ],
    ids=name_of,
)
def test_an_identity_among_moving_transforms_moves_nothing(transform):
    images = random_images(2, 3, SIZE)
    chain = [transform, t.CropOrPad(*SIZE)] if isinstance(transform, t.Pad) else [transform]
    if isinstance(transform, t.Jitter):
        views = look([t.Jitter(4), t.Jitter(0)], images)
        assert torch.equal(views, look([t.Jitter(4)], images))
    else:
        torch.testing.assert_close(look(chain, images), images, rtol=0, atol=1e-6)


def test_zero_steps_leave_the_start_as_it_is():
    net, start = conv_net(), random_images(1, 3, SIZE)[0]
    result = quick(net, ph.Channel("conv2", 0), parameterization=ph.Pixels(*SIZE, start=start), steps=0, snapshots=(0,))
    torch.testing.assert_close(result.images[0], start.float(), rtol=0, atol=1e-4)
    assert torch.equal(result.snapshots[0], result.images)
    assert result.scores[0].shape == (0,)


def test_zero_weight_and_zero_sum_change_nothing():
    net, unit = conv_net(), ph.Channel("conv2", 0)
    expected = quick(net, unit, dtype=torch.float64).scores[0][0]
    assert quick(net, unit + 0, dtype=torch.float64).names == ("conv2:0",)
    assert sum([unit]) == unit
    assert expected.isfinite()
