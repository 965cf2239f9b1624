"""Documents from strangers: every part that does not fit is refused with its path."""

from __future__ import annotations

import copy
import json
import os
from contextlib import suppress

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import conv_net, quick

import phosphene as ph
from phosphene import store
from phosphene._component import check_size
from phosphene.errors import ParameterError, PhospheneError, RecipeError
from phosphene.render.document import read_document

UNITS = [ph.Channel("conv2", 0), ph.Neuron("conv2", 1)]
DOCUMENT = json.loads(json.dumps(quick(conv_net(), UNITS).documents[1]))


def test_a_document_is_read_as_it_was_written():
    picture = read_document(DOCUMENT)
    assert picture.objectives == tuple(UNITS)
    assert picture.index == 1
    assert picture.recipe.steps == 3
    assert (picture.seed, picture.dtype, picture.device) == (0, torch.float32, "cpu")
    assert picture.network["digest"] == conv_net().digest


def changed(path, value):
    document = copy.deepcopy(DOCUMENT)
    *outer, last = path
    inner = document
    for key in outer:
        inner = inner[key]
    if value is KeyError:
        del inner[last]
    else:
        inner[last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["format"], 2, "^format: expected 1, got 2; this phosphene does not know that form"),
        (["format"], KeyError, "^format: expected 1, got None"),
        (["formt"], 1, "^formt: a document has no such key; it has"),
        (["network"], KeyError, "^network: missing"),
        (["network"], "efficientnet", "expected a table, got str"),
        (["network", "kind"], 3, "^network.kind: expected text, got 3"),
        (["network", "digest"], None, "^network.digest: expected text, got None"),
        (["objectives"], KeyError, "^objectives: missing"),
        (["objectives"], {}, "^objectives: expected a list"),
        (["objectives", 0], "conv2:0", r"^objectives\[0\]: expected a table of a Objective, got 'conv2:0'"),
        (["objectives", 0, "index"], -1, r"^objectives\[0\]: index is -1"),
        (["objectives", 0, "kind"], "Chanel", r"^objectives\[0\].kind: 'Chanel' is no Objective; did you mean Channel"),
        (["index"], 2, "^index: expected a number below 2, got 2"),
        (["index"], -1, "^index: expected a number below 2, got -1"),
        (["index"], True, "^index: expected a whole number, got True"),
        (["seed"], KeyError, "^seed: missing"),
        (["seed"], "0", "^seed: expected a whole number, got '0'"),
        (["recipe"], KeyError, "^recipe: missing"),
        (["recipe", "steps"], 10**7, "^recipe: steps is 10000000"),
        (["recipe", "steps"], 1.5, "^recipe.steps: expected a whole number, got 1.5"),
        (["recipe", "views"], 0, "^recipe: views is 0"),
        (["recipe", "optimizer", "lr"], -1, "^recipe.optimizer: lr is -1"),
        (["recipe", "optimizer", "lr"], 10**400, "^recipe.optimizer.lr: "),
        (["recipe", "optimizer", "kind"], "Optimizer", "^recipe.optimizer.(kind: 'Optimizer' is no Optimizer|lr: )"),
        (["recipe", "parameterization", "height"], 10**9, "^recipe.parameterization: height is 1000000000"),
        (["recipe", "parameterization", "colour"], "red", "^recipe.parameterization.colour: Pixels has no such key"),
        (["recipe", "regularizer"], [], "^recipe.regularizer: "),
        (["dtype"], "float16", "^dtype: expected one of float32, float64, bfloat16; got 'float16'"),
        (["dtype"], ["float32"], "^dtype: expected one of"),
        (["device"], 3, "^device: "),
        (["device"], "cpu:99", "^device: "),
        (["threads"], 0, "^threads: expected a whole number from 1 to 1024, got 0"),
        (["threads"], 10**6, "^threads: expected a whole number from 1 to 1024"),
        (["keys"], ["a"], "^keys: expected one for each of 2 objectives, got 1"),
        (["keys"], [1, 2], r"^keys\[0\]: expected text, got 1"),
    ],
    ids=lambda v: ".".join(map(str, v)) if isinstance(v, list) else "",
)
def test_a_document_that_does_not_fit_is_refused_with_its_path(path, value, message):
    with pytest.raises(RecipeError, match=message):
        read_document(changed(path, value))


@pytest.mark.parametrize("document", [None, [], "text", 3, True])
def test_what_is_no_table_is_no_document(document):
    with pytest.raises(RecipeError, match="document: expected a table, got"):
        read_document(document)


def test_a_document_nested_too_deeply_is_refused():
    deep = {"kind": "Channel", "layer": "conv2", "index": 0}
    for _ in range(400):
        deep = {"kind": "Scaled", "objective": deep, "weight": 1.0}
    with pytest.raises(RecipeError, match=r"^objectives\[0\].*nested deeper than"):
        read_document(changed(["objectives"], [deep, deep]))


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["Pixels", "Sum", "Custom", "a:b", 10**400]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["kind", "shape", "float32", "uint8", "terms", "layer"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def paths(value, prefix=()):
    yield prefix
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*prefix, key))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(path=st.sampled_from([list(p) for p in paths(DOCUMENT) if p]), value=VALUES)
def test_whatever_stands_anywhere_in_a_document_nothing_but_our_errors_comes_out(path, value):
    with suppress(PhospheneError):
        assert read_document(changed(path, value)).index in (0, 1)


# What a little text could ask for.


def zeros(*shape):
    """An array of a document, without its data."""
    return {"shape": list(shape), "float32": ""}


def direction(*shape):
    return {"kind": "Direction", "layer": "conv2", "vector": zeros(*shape)}


def bomb(n_values):
    """A real array of zeros, deflated: its text is a thousandth of its values."""
    from phosphene._types import FrozenArray

    return FrozenArray((n_values,), bytes(4 * n_values)).to_json()


def test_the_arrays_of_a_document_are_bounded_together():
    each = 2**25  # half of what one array may hold
    check_size([zeros(each)] * 4)
    with pytest.raises(RecipeError, match="^document: its arrays hold .*134217728"):
        check_size([zeros(each)] * 5)


@pytest.mark.parametrize(
    "document",
    [
        {"a": zeros(2**14, 2**14)},
        [[{"b": [zeros(2**26), zeros(2**26, 1), zeros(1)]}]],
        {"kind": "Sum", "terms": [direction(2**25)] * 5},
    ],
    ids=["one", "nested", "terms"],
)
def test_arrays_are_counted_wherever_they_stand(document):
    with pytest.raises(RecipeError, match="^document: its arrays hold .*134217728"):
        check_size(document)


@pytest.mark.parametrize(
    "document",
    [
        None,
        3,
        "text",
        [],
        {"shape": "wide"},
        {"shape": [True, 2**40]},
        {"shape": [-1, 2**40]},
        {"shape": [2.5, 2**40]},
        {"shape": None},
        zeros(),
        zeros(0, 2**40),
        zeros(2**27),
    ],
    ids=str,
)
def test_what_describes_no_such_array_passes(document):
    check_size(document)


def test_many_arrays_of_zeros_are_refused_before_they_are_inflated(monkeypatch):
    inflated = []
    monkeypatch.setattr("phosphene._types._inflate", lambda *a: inflated.append(a))
    one = bomb(2**20)
    assert len(one["uint8"]) < 2**13
    many = [{"kind": "Direction", "layer": "conv2", "vector": {**one, "shape": [2**24]}}] * 9
    with pytest.raises(RecipeError, match="^document: its arrays hold"):
        read_document(changed(["objectives"], many))
    with pytest.raises(RecipeError, match="^document: its arrays hold"):
        ph.objectives.Objective.from_json({"kind": "Sum", "terms": many})
    assert inflated == []


@pytest.mark.parametrize(
    "shape",
    [[10**9] * 1000, [10**4000] * 8, [10**4200], [0, 10**4200], [2**62, 0], [0] * 9],
    ids=lambda s: f"{len(s)} axes",
)
def test_an_absurd_shape_is_refused_in_words(shape):
    with pytest.raises(RecipeError) as refused:
        read_document(changed(["objectives"], [direction(*shape)] * 2))
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["recipe", "views"], 2**30),
        (["recipe", "parameterization", "height"], 2**14),
        (["objectives"], [DOCUMENT["objectives"][0]] * 2**16),
    ],
    ids=["views", "size", "images"],
)
def test_more_images_and_views_than_any_memory_holds_are_refused(path, value):
    document = changed(path, value)
    document["keys"] = ["a"] * len(document["objectives"])
    document["recipe"]["views"] = max(document["recipe"]["views"], 2**11)
    document["recipe"]["parameterization"]["width"] = 2**10
    with pytest.raises(RecipeError, match="^recipe: .*(too large to replay|expected a whole number)"):
        read_document(document)


def test_as_much_as_a_machine_can_hold_is_read():
    document = changed(["recipe", "parameterization", "height"], 1024)
    document["recipe"]["parameterization"]["width"] = 1024
    document["recipe"]["views"] = 16
    assert read_document(document).recipe.views == 16


@pytest.mark.parametrize(("asked", "given"), [(1, 1), (1024, os.cpu_count()), (os.cpu_count(), os.cpu_count())])
def test_no_more_threads_are_used_than_there_are_processors(asked, given):
    assert read_document(changed(["threads"], asked)).threads == given


def test_a_deep_file_is_refused_in_words(tmp_path):
    from PIL import Image, PngImagePlugin

    for depth in (2_000, 200_000):
        texts = PngImagePlugin.PngInfo()
        texts.add_text("phosphene", '{"a":' + "[" * depth + "]" * depth + "}")
        Image.new("RGB", (2, 2)).save(tmp_path / "deep.png", pnginfo=texts)
        with pytest.raises(RecipeError, match="nested too deeply|has no such key|missing|expected 1"):
            read_document(store.read_png_document(tmp_path / "deep.png"))


def test_depth_alone_is_no_reason_for_the_counting_of_arrays_to_fail():
    deep = zeros(3)
    for _ in range(100_000):
        deep = [deep]
    check_size(deep)


def test_an_image_of_a_document_is_bounded_too():
    with pytest.raises((RecipeError, ParameterError), match="its arrays hold|larger than the"):
        ph.Pixels.from_json({"kind": "Pixels", "height": 9, "width": 9, "start": zeros(3, 2**14, 2**13)})
