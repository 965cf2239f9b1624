"""Manifests and the forms of frozen values: what is written is read, and nothing else is."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Literal

import pytest
from made_up_atlases import manifest

from phosphene.errors import StorageError
from phosphene.store.atlas import FORMAT, Manifest, PictureFormat
from phosphene.store.atlas.forms import from_form, to_form


@pytest.mark.parametrize(
    "changes", [{}, {"seeds": (1, 2, 3), "pictures": PictureFormat(80), "diversity": 4}, {"layers": ()}]
)
def test_a_manifest_is_read_as_it_was_written(changes):
    one = manifest(**changes)
    assert Manifest.from_bytes(one.to_bytes()) == one
    assert Manifest.from_json(json.loads(json.dumps(one.to_json()))) == one
    assert Manifest.from_bytes(one.to_bytes()).to_bytes() == one.to_bytes()
    assert one.format == FORMAT == 1


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"digest": "0"}, "digest"),
        ({"input_size": (9, 8)}, "input_size[0]"),
        ({"n_channels": 1}, "n_channels"),
        ({"preprocessing": {"mean": [0.5, 0.5, 0.5], "std": 2}}, "preprocessing.std"),
    ],
)
def test_what_a_network_is_makes_a_difference(changes, key):
    one = manifest()
    other = replace(one, network=replace(one.network, **changes))
    assert [path for path, _, _ in one.differences(other)] == [f"network.{key}"]


def _layer(**changes):
    return {"layers": (replace(manifest().layers[0], **changes),)}


def _network(**changes):
    return {"network": replace(manifest().network, **changes)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            _layer(n_channels=10**10, units=((0, 10**10),)),
            r"layers\[0\]\.n_channels: expected 1 to 100000000 units, got 1",
        ),
        (_layer(units=((0, 10**10),)), r"layers\[0\]\.units: expected half-open ranges that rise, within 0 to 10, got"),
        (_layer(units=((-5, 3),)), r"layers\[0\]\.units: expected half-open"),
        (_layer(units=((4, 6), (1, 2))), r"layers\[0\]\.units: expected half-open"),
        (_layer(units=((0, 3), (2, 4))), r"layers\[0\]\.units: expected half-open"),
        (_layer(units=((3, 3),)), r"layers\[0\]\.units: expected half-open"),
        (_layer(name=""), r"layers\[0\]\.name: expected a module's name"),
        (_layer(recipe="ff"), r"layers\[0\]\.recipe: expected the digest of one of recipes, got 'ff'"),
        ({"layers": ()}, r"layers: expected one layer at least, and each once, got \[\]"),
        (
            {"layers": manifest().layers[:1] * 2},
            r"layers: expected one layer at least, and each once, got \['blocks.0', 'blocks.0'\]",
        ),
        ({"job_size": 0}, "job_size: expected 1 to 10000, got 0; the manifest is damaged, or not by phosphene"),
        ({"seeds": ()}, r"seeds: expected 1 to 10000 seeds that differ.*got \(\)"),
        ({"seeds": (1, 1)}, "seeds: expected"),
        ({"seeds": (-1,)}, "seeds: expected"),
        ({"seeds": (2**63,)}, "seeds: expected"),
        ({"diversity": 1}, "diversity: expected 0, or 2 to 10000, got 1"),
        ({"diversity": 10**9}, "diversity: expected 0, or 2"),
        ({"pictures": PictureFormat(0)}, r"pictures\.quality: expected none, or 1 to 100, got 0"),
        (_network(input_size=(0, 8)), r"network\.input_size: expected two sides of 1 to 65536 pixels, got \(0, 8\)"),
        (_network(n_channels=0), r"network\.n_channels: expected 1 to 65536 channels, got 0"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused_by_its_key(changes, message):
    with pytest.raises(StorageError, match=r"there/atlas\.json\." + message):
        Manifest.from_bytes(replace(manifest(), **changes).to_bytes(), path="there/atlas.json")


def test_units_may_come_in_ranges_that_touch_and_end_with_the_layer():
    one = replace(manifest(), **_layer(units=((0, 3), (3, 4), (8, 10))))
    assert Manifest.from_bytes(one.to_bytes()) == one


def test_the_keys_of_a_manifest_are_sorted():
    document = json.loads(manifest().to_bytes())
    assert list(document) == sorted(document)


def test_units_are_counted_over_all_ranges():
    layer = replace(manifest().layers[0], units=((0, 3), (5, 6)))
    assert layer.n_units == 4


def test_when_and_by_which_version_a_plan_was_made_is_no_difference():
    one = manifest()
    assert list(one.differences(replace(one, created="x", phosphene="y"))) == []
    elsewhere = replace(one.network, name="n", source={"kind": "file", "weights": "/elsewhere"}, labels=())
    assert list(one.differences(replace(one, network=elsewhere))) == []
    assert list(one.differences(replace(one, job_size=5))) == [("job_size", 4, 5)]
    shorter = replace(one, layers=one.layers[:1])
    assert [path for path, _, _ in one.differences(shorter)] == ["layers"]
    renamed = replace(one, layers=(replace(one.layers[0], n_channels=3), one.layers[1]))
    assert list(one.differences(renamed)) == [("layers[0].n_channels", 10, 3)]


@dataclass(frozen=True)
class _Inner:
    kind: Literal["a", "b"]
    pair: tuple[int, float]


@dataclass(frozen=True)
class _Outer:
    inner: _Inner
    name: str | None
    many: tuple[_Inner, ...]
    flag: bool


_ONE = _Outer(_Inner("a", (1, 2.5)), None, (_Inner("b", (0, 1.0)),), True)


def test_frozen_values_of_every_kind_have_a_form():
    assert from_form(json.loads(json.dumps(to_form(_ONE))), _Outer, "x") == _ONE
    assert from_form(to_form(replace(_ONE, name="n")), _Outer, "x").name == "n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"flag": 1}, "x.flag: expected a value of type bool, got 1"),
        ({"name": 3}, "x.name: expected a value of type str, got 3"),
        ({"inner": []}, r"x.inner: expected an object with named keys, got \[\]"),
        ({"inner": {"kind": "c", "pair": [1, 2]}}, r"x.inner.kind: expected one of \['a', 'b'\], got 'c'"),
        ({"inner": {"kind": "a", "pair": [1]}}, r"x.inner.pair: expected a list of 2, got \[1\]"),
        ({"inner": {"kind": "a", "pair": [1.5, 1]}}, r"x.inner.pair\[0\]: expected a value of type int, got 1.5"),
        ({"many": {}}, r"x.many: expected a list, got \{\}"),
        ({"other": 1}, "x.other: the key is unknown"),
        ({"name": "n" * 99, "inner": "i" * 99}, "x.inner: expected an object with named keys, got 'iiii.*…"),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(change, message):
    with pytest.raises(StorageError, match=message):
        from_form(to_form(_ONE) | change, _Outer, "x")
    with pytest.raises(StorageError, match="x.flag: the key is missing"):
        from_form({key: value for key, value in to_form(_ONE).items() if key != "flag"}, _Outer, "x")


@pytest.mark.parametrize("text", [b"1e999", b"-1e400", b'"\\ud800"', b'"a \\uDFFF b"'])
def test_a_manifest_with_what_no_page_can_say_is_refused(text):
    data = manifest().to_bytes().replace(b'"created": ', b'"note": ' + text + b', "created": ', 1)
    assert data != manifest().to_bytes()
    with pytest.raises(StorageError, match="the document is not JSON"):
        Manifest.from_bytes(data)
