"""Laws of every search space: what decodes codes, and its JSON form."""

from __future__ import annotations

import inspect
import json

import pytest
import torch
from members import concrete, name_of, spaces

from phosphene import spaces as room
from phosphene.errors import ArgumentError
from phosphene.spaces import ImageSpace, Space

CPU = torch.device("cpu")
EVERY = (*spaces(), *spaces(5, 4, 1))


def codes(space, n=11, seed=0):
    return torch.randn(n, space.dim, generator=torch.Generator().manual_seed(seed))


def is_own_function(space):
    """Whether a decoder of the caller's decides about the last bits."""
    return isinstance(space, ImageSpace) and space.parameterization.kind() == "Latent"


def test_every_space_is_in_the_list():
    assert {type(space) for space in EVERY} == concrete(room, Space)
    assert all(not inspect.isabstract(type(space)) for space in EVERY)


@pytest.mark.parametrize("space", EVERY, ids=name_of)
def test_images_are_float32_in_zero_to_one_of_the_stated_shape(space):
    images = space.open(CPU)(30 * codes(space))
    assert images.shape == (11, *space.image_shape)
    assert images.dtype == torch.float32
    assert float(images.min()) >= 0
    assert float(images.max()) <= 1
    assert not images.requires_grad


@pytest.mark.parametrize("space", EVERY, ids=name_of)
def test_an_image_depends_on_its_own_code_only_to_the_bit(space):
    decode, some = space.open(CPU), codes(space)
    together = decode(some)
    alone = torch.cat([decode(some[i : i + 1]) for i in range(len(some))])
    reverse = decode(some.flip(0)).flip(0)
    if is_own_function(space):
        torch.testing.assert_close(alone, together, rtol=0, atol=1e-6)
    else:
        assert torch.equal(alone, together)
        assert torch.equal(reverse, together)


@pytest.mark.parametrize("space", EVERY, ids=name_of)
def test_the_same_codes_give_the_same_bits_opened_anew_and_after_others(space):
    decode, some = space.open(CPU), codes(space)
    first = decode(some)
    decode(5 * codes(space, 3, seed=1))
    assert torch.equal(decode(some), first)
    assert torch.equal(space.open(CPU)(some.double()), first)


@pytest.mark.parametrize("space", EVERY, ids=name_of)
def test_codes_and_the_mode_of_gradients_stay_as_they_are(space):
    some = codes(space).requires_grad_()
    before = some.detach().clone()
    with torch.enable_grad():
        space.open(CPU)(some)
        assert torch.is_grad_enabled()
    assert torch.equal(some.detach(), before)
    assert some.grad is None


@pytest.mark.parametrize("space", EVERY, ids=name_of)
def test_decoding_works_within_inference_mode_and_after_it(space):
    with torch.inference_mode():
        decode = space.open(CPU)
        within = decode(codes(space))
    assert torch.equal(decode(codes(space)), within)
    assert not within.is_inference()


@pytest.mark.parametrize("space", EVERY, ids=name_of)
def test_no_codes_are_no_images(space):
    assert space.open(CPU)(torch.empty(0, space.dim)).shape == (0, *space.image_shape)


@pytest.mark.parametrize("space", EVERY, ids=name_of)
def test_a_space_comes_back_from_its_json_form(space):
    document = json.loads(json.dumps(space.to_json()))
    again = Space.from_json(document, trust=True)
    assert again == space
    assert hash(again) == hash(space)
    assert torch.equal(again.open(CPU)(codes(space)), space.open(CPU)(codes(space)))


@pytest.mark.parametrize("space", EVERY[:1] + EVERY[-3:], ids=name_of)
def test_codes_of_another_length_or_kind_are_refused(space):
    decode = space.open(CPU)
    for wrong in (torch.zeros(2, space.dim + 1), torch.zeros(space.dim), torch.zeros(2, space.dim).long(), [[0.0]]):
        with pytest.raises(ArgumentError, match=f"expected a tensor of floating point numbers \\(n, {space.dim}\\)"):
            decode(wrong)


@pytest.mark.parametrize("space", EVERY[:1] + EVERY[-3:], ids=name_of)
def test_codes_that_are_not_finite_are_refused_by_number(space):
    some = codes(space)
    some[7, 0] = torch.inf
    with pytest.raises(ArgumentError, match="code 7 holds numbers that are not finite"):
        space.open(CPU)(some)
