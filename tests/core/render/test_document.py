"""Documents from strangers: every part that does not fit is refused with its path."""

from __future__ import annotations

import copy
import json
from contextlib import suppress

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import conv_net, quick

import phosphene as ph
from phosphene.errors import PhospheneError, RecipeError
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
        | st.dictionaries(st.sampled_from(["kind", "shape", "float32", "terms", "layer"]), inner, max_size=3)
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
