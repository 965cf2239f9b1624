"""Lucent's transforms: values worked out by hand, sizes, and where the draws come from."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from phosphene.compat.lucent.optvis import transform
from phosphene.errors import ParameterError


def grid(*rows: list[float]) -> Tensor:
    return torch.tensor(rows)[None, None].repeat(2, 3, 1, 1)


def drawn(function: Callable[..., Tensor], image: Tensor, n: int = 40) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [function(image, generator) for _ in range(n)]


def test_padding_mirrors_or_is_constant() -> None:
    assert torch.equal(transform.pad(1)(torch.ones(1, 3, 2, 2)), torch.ones(1, 3, 4, 4))
    assert transform.pad(2)(grid([1, 2, 3], [4, 5, 6], [7, 8, 9]))[0, 0, 0].tolist() == [9, 8, 7, 8, 9, 8, 7]
    padded = transform.pad(1, mode="constant")(torch.ones(1, 3, 2, 2))
    assert padded[0, 0].tolist() == [[0.5] * 4, [0.5, 1, 1, 0.5], [0.5, 1, 1, 0.5], [0.5] * 4]
    assert float(transform.pad(1, "constant", 0.25)(torch.ones(1, 1, 2, 2))[0, 0, 0, 0]) == 0.25


def test_scaling_down_leaves_a_black_rim() -> None:
    scaled = transform.random_scale([0.33])(torch.ones(1, 3, 3, 3))
    assert scaled[0, 1].tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_scaling_up_aligns_the_corners() -> None:
    assert torch.equal(transform.random_scale([2])(torch.ones(1, 3, 1, 1)), torch.ones(1, 3, 2, 2))
    scaled = transform.random_scale([2])(grid([0.0, 3], [6, 9]))
    assert torch.allclose(scaled[0, 0], torch.tensor([[0.0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7], [6, 7, 8, 9]]))


def test_images_that_are_not_square_are_padded_along_their_own_sides() -> None:
    scaled = transform.random_scale([0.5])(torch.ones(1, 1, 10, 40))
    assert scaled.shape == (1, 1, 11, 40)
    assert scaled[0, 0].sum() == 5 * 20


@pytest.mark.parametrize(("angle", "units"), [(90, "degrees"), (math.pi / 2, "rads"), (math.pi / 2, "radians")])
def test_rotation_is_counter_clockwise(angle: float, units: str) -> None:
    rotate = transform.random_rotate([angle], units=units)
    assert torch.allclose(rotate(grid([0, 1], [0, 1])), grid([1.0, 1], [0, 0]), atol=1e-6)
    odd = rotate(grid([0, 0, 1], [0, 0, 1], [0, 0, 1]))
    assert torch.allclose(odd, grid([1.0, 1, 1], [0, 0, 0], [0, 0, 0]), atol=1e-6)


def test_rotation_keeps_the_size_and_is_black_outside() -> None:
    rotated = transform.random_rotate([90])(torch.ones(2, 3, 4, 8))
    assert rotated.shape == (2, 3, 4, 8)
    assert torch.allclose(rotated[0, 0, 0], torch.tensor([0.0, 0, 1, 1, 1, 1, 0, 0]), atol=1e-6)
    image = torch.rand(1, 3, 5, 7)
    assert torch.allclose(transform.random_rotate([0])(image), image, atol=1e-6)


def test_jitter_moves_right_and_down_by_less_than_d_and_brings_in_black() -> None:
    image = torch.arange(1.0, 21).view(1, 1, 4, 5)
    found = set()
    for view in drawn(transform.jitter(3), image, 100):
        down, right = (int(n) for n in (view[0, 0] == 1).nonzero()[0])
        expected = torch.zeros(4, 5)
        expected[down:, right:] = image[0, 0, : 4 - down, : 5 - right]
        assert torch.equal(view[0, 0], expected)
        found.add((down, right))
    assert found == {(down, right) for down in range(3) for right in range(3)}


def test_one_draw_is_for_the_whole_batch() -> None:
    image = torch.rand(1, 3, 9, 8).repeat(3, 1, 1, 1)
    for view in drawn(transform.compose(transform.standard_transforms), image, 5):
        assert torch.equal(view[0], view[2])


@pytest.mark.parametrize(("size", "sizes"), [(128, (152, 168)), (224, (248, 273))])
def test_the_standard_transforms_have_lucents_sizes(size: int, sizes: tuple[int, int]) -> None:
    seen = {
        tuple(v.shape[2:])
        for v in drawn(transform.compose(transform.standard_transforms), torch.rand(1, 3, size, size), 60)
    }
    assert all(height == width for height, width in seen)
    assert (min(seen)[0], max(seen)[0]) == sizes


def test_each_standard_scale_has_its_size() -> None:
    scales = [1 + (i - 5) / 50.0 for i in range(11)]
    image = torch.rand(1, 1, 248, 248)
    found = [transform.random_scale([scale])(image).shape[2] for scale in scales]
    assert found == [248, 249, 248, 249, 248, 248, 253, 258, 263, 268, 273]


def test_the_standard_angles_are_26_of_which_6_are_zero() -> None:
    assert len(transform.standard_transforms) == 5
    copied = transform.standard_transforms.copy()
    copied.append(transform.normalize())
    assert len(transform.standard_transforms) == 5


def test_normalisations() -> None:
    black = transform.normalize()(torch.zeros(2, 3, 1, 1))
    assert torch.allclose(black[1, :, 0, 0], torch.tensor([-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225]))
    ends = transform.preprocess_inceptionv1()(torch.tensor([0.0, 1.0]))
    assert ends.tolist() == [-117, 138]


def test_a_composition_is_one_after_the_other_and_passes_the_generator_on() -> None:
    chain = transform.compose([transform.jitter(5), transform.pad(1), transform.compose([transform.jitter(4)])])
    image = torch.rand(1, 3, 8, 9)
    first, again = (chain(image, torch.Generator().manual_seed(4)) for _ in range(2))
    generator = torch.Generator().manual_seed(4)
    by_hand = transform.jitter(4)(transform.pad(1)(transform.jitter(5)(image, generator)), generator)
    assert torch.equal(first, again)
    assert torch.equal(first, by_hand)


def test_without_a_generator_torchs_own_is_drawn_from() -> None:
    def draws() -> list[float]:
        torch.manual_seed(8)
        return [
            float(transform.jitter(9)(torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(1))).sum())
            for _ in range(4)
        ]

    assert draws() == draws()
    assert len(set(draws())) > 1


def test_gradients_pass() -> None:
    image = torch.rand(1, 3, 20, 18, requires_grad=True)
    transform.compose(transform.standard_transforms)(image).sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(ParameterError, match="d is 1; expected a whole number of pixels above 1"):
        transform.jitter(1)
    with pytest.raises(ParameterError, match="w is -1"):
        transform.pad(-1)
    with pytest.raises(ParameterError, match="units is 'turns'"):
        transform.random_rotate([1], units="turns")
