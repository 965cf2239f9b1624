"""Python functions of NumPy images as black boxes."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
import torch
from networks import random_images

from phosphene.errors import ArgumentError, ImageError, ParameterError, RecipeError
from phosphene.scorers import FunctionScorer, reopen
from phosphene.scorers.base import BoxComponent

CPU = torch.device("cpu")


def brightness(images):
    """A caller's own scorer, found by name."""
    return images.mean((1, 2, 3))


def images(n=5, channels=3):
    return random_images(n, channels, (4, 6), dtype=torch.float32)


def responses(function, seen, **options):
    with FunctionScorer(function, **options).open(CPU) as respond:
        return respond(seen)


def test_the_function_sees_float32_images_in_the_order_of_numpy():
    seen, got = images(3), []
    responses(lambda x: got.append(x) or x.mean((1, 2, 3)), seen)
    assert got[0].dtype == np.float32
    assert got[0].flags["C_CONTIGUOUS"]
    np.testing.assert_array_equal(got[0], seen.numpy().transpose(0, 2, 3, 1))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_its_numbers_are_the_responses(channels):
    seen = images(5, channels)
    found = responses(brightness, seen)
    assert (found.shape, found.dtype) == ((5, 1), torch.float64)
    np.testing.assert_allclose(found[:, 0].numpy(), seen.numpy().astype(np.float64).mean((1, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize(
    "convert",
    [list, tuple, np.float32, torch.tensor, lambda v: v.astype(np.float16), lambda v: v[:, None], lambda v: v.tolist()],
)
def test_arrays_tensors_and_lists_are_read(convert):
    seen = images()
    found = responses(lambda x: convert(brightness(x)), seen)
    np.testing.assert_allclose(found[:, 0].numpy(), brightness(seen.numpy()), atol=1e-3)


def test_whole_numbers_and_truths_are_numbers():
    assert responses(lambda x: np.arange(len(x)), images()).flatten().tolist() == [0, 1, 2, 3, 4]
    assert responses(lambda x: x.mean((1, 2, 3)) > 2, images()).flatten().tolist() == [0] * 5


def test_several_responses_stay_apart_and_what_is_not_finite_is_lost():
    rows = np.array([[1.0, np.nan], [np.inf, 2.0], [-np.inf, 3.0]])
    found = responses(lambda x: rows, images(3))
    assert found.isnan().tolist() == [[False, True], [True, False], [True, False]]
    assert found[0, 0] == 1


def test_the_function_cannot_change_what_others_see():
    seen = images()
    before = seen.clone()

    def spoil(x):
        x[:] = 7
        return np.zeros(len(x))

    responses(spoil, seen)
    assert torch.equal(seen, before)


@pytest.mark.parametrize("batch_size", [None, 1, 2, 5, 9])
def test_it_is_given_at_most_a_batch(batch_size):
    sizes = []
    found = responses(lambda x: sizes.append(len(x)) or brightness(x), images(), batch_size=batch_size)
    assert sizes == {None: [5], 1: [1] * 5, 2: [2, 2, 1], 5: [5], 9: [5]}[batch_size]
    assert torch.equal(found, responses(brightness, images()))


def test_no_images_are_not_shown():
    assert responses(lambda x: 1 / 0, torch.empty(0, 3, 4, 6)).shape == (0, 1)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (None, "answered with NoneType None; expected real numbers, one for each image"),
        ("text", "answered with str 'text'; expected real numbers"),
        (np.zeros(5, complex), "expected real numbers"),
        (["a"] * 5, "expected real numbers"),
        ([None] * 5, "expected real numbers"),
        ([[1.0], [2.0, 3.0], [1.0], [1.0], [1.0]], "is no array of numbers"),
        ({"score": 1.0}, "expected real numbers"),
        (np.array(["2026"] * 5, "datetime64[Y]"), "expected real numbers"),
    ],
)
def test_answers_that_are_no_numbers_are_refused(answer, sentence):
    with pytest.raises(ArgumentError, match=sentence):
        responses(lambda x: answer, images())


@pytest.mark.parametrize("answer", [1.0, np.zeros(4), np.zeros((5, 2, 2)), np.zeros((1, 5)), np.zeros((5, 0)), []])
def test_answers_of_another_length_are_refused(answer):
    with pytest.raises(
        ParameterError, match=r"answered 5 images with numbers of shape .*; expected \(5,\), or \(5, k\)"
    ):
        responses(lambda x: answer, images())


def test_what_the_function_raises_goes_through():
    with pytest.raises(ZeroDivisionError):
        responses(lambda x: 1 / 0, images())


def test_a_named_function_comes_back_from_its_record():
    box = FunctionScorer(brightness, 7)
    assert box.name == f"{__name__}:brightness"
    assert box.describe() == {"kind": "FunctionScorer", "function": f"{__name__}:brightness", "batch_size": 7}


class Model:
    """A caller's own model."""

    def __call__(self, images):
        return images.mean((1, 2, 3))

    def predict(self, images):
        return images.mean((1, 2, 3))

    @classmethod
    def of_all(cls, images):
        return images.mean((1, 2, 3))

    @staticmethod
    def fixed(images):
        return images.mean((1, 2, 3))


def unfindable():
    model = Model()
    return [partial(brightness), partial(model.predict), model, model.predict, lambda x: x, renamed()]


def renamed():
    def brightness(images):
        return images

    brightness.__qualname__ = "brightness"
    return brightness


@pytest.mark.parametrize("which", range(6))
def test_what_cannot_be_found_by_its_name_says_so_in_its_record(which):
    function = unfindable()[which]
    box = FunctionScorer(function)
    assert box.describe() == {"kind": "function", "name": box.name, "findable": False}
    with pytest.raises(
        RecipeError, match=r"which cannot be found by its name; give the scorer: ph.replay\(path, scorer="
    ):
        reopen(box.describe(), trust=True)


def test_names_tell_what_a_function_was_made_of():
    assert FunctionScorer(partial(brightness)).name == f"functools:partial({__name__}:brightness)"
    assert FunctionScorer(Model().predict).name == f"{__name__}:<instance>.Model.predict"
    assert FunctionScorer(Model()).name == f"{__name__}:Model"


@pytest.mark.parametrize("function", [Model.of_all, Model.fixed, brightness], ids=["class", "static", "top"])
def test_methods_of_classes_are_found_by_their_names(function):
    box = FunctionScorer(function)
    assert reopen(json.loads(json.dumps(box.describe())), trust=True).box == box


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_the_function_may_follow_gradients_inside_and_none_leaks(mode):
    weight = torch.ones(3, requires_grad=True)

    def energy(array):
        image = torch.from_numpy(array).requires_grad_()
        (slope,) = torch.autograd.grad((image.square() * weight).sum(), image)
        return [(row * weight).sum() for row in slope]

    seen = images()
    with mode():
        before = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        found = responses(energy, seen)
        assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == before
        assert not found.requires_grad
    np.testing.assert_allclose(found[:, 0], 2 * seen.sum((1, 2, 3)), rtol=1e-5)
    assert not responses(lambda x: weight.sum() * torch.from_numpy(x).mean((1, 2, 3)), seen).requires_grad
    assert weight.grad is None


def test_what_is_no_function_is_refused():
    for wrong in (3, "name", dict):
        with pytest.raises(ArgumentError, match="expected a function of images"):
            FunctionScorer(wrong)
    with pytest.raises(ParameterError, match="batch_size is 0; expected a number from 1, or None"):
        FunctionScorer(brightness, 0)
    assert isinstance(FunctionScorer(partial(brightness)), BoxComponent)


def test_what_are_no_images_is_refused():
    with pytest.raises(ImageError, match="images are ndarray; expected a tensor"):
        responses(brightness, np.zeros((1, 3, 4, 6)))
