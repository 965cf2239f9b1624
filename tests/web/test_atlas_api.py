"""What programs ask an atlas's server, against the atlas itself."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from atlas_fixtures import LABELS, NASTY, NASTY_LAYER, Shape, drawn, made_up_manifest, make_atlas
from PIL import Image
from starlette.testclient import TestClient

from phosphene.store.atlas import AtlasFolder
from phosphene.store.atlas.records import UnitFacts
from phosphene.web import atlas_desk, atlas_looking
from phosphene.web.atlas_app import atlas_app
from phosphene.web.atlas_looking import ImageSearch
from phosphene.web.atlas_site import Site
from phosphene.web.session_access import Access

SHAPES = (Shape("features.3", 44, ((0, 20), (30, 44))), Shape(NASTY_LAYER, 9), Shape("classifier", 12, None, True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> AtlasFolder:
    return make_atlas(tmp_path_factory.mktemp("atlas") / "a", made_up_manifest(SHAPES, diversity=0), side=8)


@pytest.fixture(scope="module")
def client(folder: AtlasFolder) -> Iterator[TestClient]:
    app = atlas_app(Site(folder).served(image_search=False), Access.at("127.0.0.1"))
    with TestClient(app, base_url="http://127.0.0.1") as it:
        yield it


def asked(client: TestClient, path: str, **params: Any) -> Any:
    answer = client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("sort", ["score", "robust", "percentile", "multiple"])
def test_units_are_sorted_with_the_largest_first_and_the_unknown_last(client: TestClient, sort: str) -> None:
    values = [unit[sort] for unit in asked(client, "/api/units", layer="features.3", sort=sort)["units"]]
    known = [value for value in values if value is not None]
    assert known == sorted(known, reverse=True)
    assert values[len(known) :] == [None] * (34 - len(known))
    assert len(known) == 31


def test_a_layer_is_asked_for_by_its_name_before_any_slug(tmp_path: Any) -> None:
    shapes = (Shape("a/b", 3), Shape("a-b", 4))  # the first one's slug is the second one's name
    folder = make_atlas(tmp_path / "a", made_up_manifest(shapes), facts=False, side=8)
    assert list(folder.slugs.values()) == ["a-b", "a-b-2"]
    app = atlas_app(Site(folder).served(image_search=False), Access.at("127.0.0.1"))
    with TestClient(app, base_url="http://127.0.0.1") as it:
        assert asked(it, "/api/unit/a-b/2")["address"] == "a-b:2"
        assert asked(it, "/api/units", layer="a/b")["layer"] == "a/b"
        assert asked(it, "/api/units", layer="a-b-2")["layer"] == "a-b"


def test_units_come_in_pages(client: TestClient) -> None:
    page = asked(client, "/api/units", layer="features.3", start=18, limit=4)
    assert [unit["unit"] for unit in page["units"]] == [18, 19, 30, 31]
    assert (page["total"], page["start"], page["slug"]) == (34, 18, "features.3")
    assert asked(client, "/api/units", layer="features.3", start=999999999)["units"] == []


def test_units_are_picked_by_their_status(client: TestClient) -> None:
    for status, expected in (("dead", [5, 42]), ("not_finite", [6, 43]), ("failed", [7]), ("missing", [])):
        found = asked(client, "/api/units", layer="features.3", status=status)
        assert [unit["unit"] for unit in found["units"]] == expected
        assert {unit["status"] for unit in found["units"]} <= {status}


def test_units_stand_by_likeness(client: TestClient) -> None:
    found = [unit["unit"] for unit in asked(client, "/api/units", layer="features.3", sort="similarity")["units"]]
    assert sorted(found) == [*range(20), *range(30, 44)]
    hues = [unit % 24 for unit in found if unit not in (6, 7, 43)]
    steps = [min((a - b) % 24, (b - a) % 24) for a, b in itertools.pairwise(hues)]
    assert np.mean(steps) < 2  # in the order of the numbers it is more than that where they wrap, by chance 6


def test_a_unit_is_told_by_name_and_by_slug(client: TestClient) -> None:
    by_slug = asked(client, "/api/unit/a-b-script-..-x/3")
    assert by_slug["layer"] == NASTY_LAYER
    assert by_slug["pictures"][0]["src"].startswith("data:image/webp;base64,")
    assert asked(client, "/api/units", layer=NASTY_LAYER) == asked(client, "/api/units", layer="a-b-script-..-x")
    assert asked(client, "/api/unit/classifier/0")["label"] == "tabby, tabby cat"


def test_classes_addresses_layers_and_photographs_are_found(client: TestClient) -> None:
    cats = asked(client, "/api/search", q="CAT")["units"]
    assert [unit["label"] for unit in cats] == ["tabby, tabby cat", "Egyptian cat"]
    for text in ("features.3:31", "FEATURES.3 31", "features.3#31"):
        assert [unit["address"] for unit in asked(client, "/api/search", q=text)["units"]] == ["features.3:31"]
    assert asked(client, "/api/search", q="features.3:25")["units"] == []
    assert asked(client, "/api/search", q="features")["layers"] == [{"layer": "features.3", "slug": "features.3"}]
    found = asked(client, "/api/search", q="photograph 12")["photographs"]
    assert [one["key"] for one in found] == ["n0012/photograph 12.jpg"]
    values = [unit["value"] for unit in found[0]["units"]]
    assert values == sorted(values, reverse=True)
    assert found[0]["units"]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/units", 404, "no layer ''"),
        ("/api/units?layer=x", 404, "no layer 'x'"),
        ("/api/units?layer=features.3&sort=name", 422, "expected sort to be one of unit"),
        ("/api/units?layer=features.3&status=fine", 422, "and status of ok"),
        ("/api/units?layer=features.3&start=-1", 422, "start is '-1'; expected a whole number"),
        ("/api/units?layer=features.3&limit=%D9%A3", 422, "limit is"),
        ("/api/units?layer=features.3&limit=1e9", 422, "limit is '1e9'"),
        ("/api/unit/features.3/25", 404, "no unit 25 in the layer 'features.3'"),
        ("/api/unit/features.3/999999999", 404, "no unit 999999999"),
        ("/api/unit/features.3/9999999999", 422, "unit is '9999999999'"),
        ("/api/unit/nothing/1", 404, "no layer 'nothing'"),
        ("/api/search", 422, "q has 0 letters"),
        ("/api/search?q=%20", 422, "q has 1 letters"),
        ("/api/search?q=" + "a" * 201, 422, "q has 201 letters; expected 1 to 200"),
        ("/api/nothing", 404, "there is nothing at '/api/nothing'"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(client: TestClient, path: str, status: int, words: str) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert answer.headers["cache-control"] == "no-store"


def test_without_a_network_no_picture_is_looked_for(client: TestClient) -> None:
    answer = client.post("/api/search/image", content=b"x", headers={"content-type": "image/png"})
    assert (answer.status_code, "no network was given" in answer.json()["error"]) == (404, True)
    assert "/api/search/image" not in client.get("/openapi.json").json()["paths"]


@pytest.fixture
def looking(folder: AtlasFolder, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A server with an image search whose network is not asked."""
    from phosphene.blocks import searching

    def driven(network: object, image: bytes, answers: Any, *, n: int) -> list[object]:
        assert network == "the network"
        assert sorted(answers.units) == sorted([NASTY_LAYER, "classifier", "features.3"])
        return [SimpleNamespace(layer="classifier", unit=2, value=2.5, percentile=99.5, spread=3.0)]

    monkeypatch.setattr(searching, "units_driven_by", driven)
    search: Any = ImageSearch("the network")  # pyright: ignore[reportArgumentType]
    app = atlas_app(Site(folder).served(image_search=True), Access.at("127.0.0.1"), image_search=search)
    with TestClient(app, base_url="http://127.0.0.1") as it:
        yield it


def sent(client: TestClient, body: bytes, kind: str = "image/jpeg") -> tuple[int, Any]:
    answer = client.post("/api/search/image", content=body, headers={"content-type": kind})
    return answer.status_code, answer.json()


def test_a_picture_finds_the_units_that_it_drives(looking: TestClient) -> None:
    status, found = sent(looking, drawn(0, 32, False, "JPEG"))
    assert status == 200
    expected = {"layer": "classifier", "slug": "classifier", "unit": 2, "address": "classifier:2", "label": "espresso"}
    assert found == {"units": [expected | {"value": 2.5, "percentile": 99.5, "spread": 3.0}]}
    assert '"image_search":true' in looking.get("/data/atlas.js").text
    assert "/api/search/image" in looking.get("/openapi.json").json()["paths"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
    [
        (b"no picture", "image/png", 422, "it is no picture"),
        (b"", "image/png", 422, "it is no picture"),
        (b"\x89PNG\r\n\x1a\n broken", "image/png", 422, "cannot be read"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp", 422, "cannot be read"),
        (b"x", "text/plain", 415, "expected the bytes of a picture file"),
        (b"a=b", "application/x-www-form-urlencoded", 415, "sent as image/"),
        (b"x", "", 415, "the body is ''"),
    ],
)
def test_what_is_no_picture_is_refused(looking: TestClient, body: bytes, kind: str, status: int, words: str) -> None:
    found, said = sent(looking, body, kind)
    assert found == status
    assert words in said["error"]


def test_a_picture_of_too_many_bytes_or_pixels_is_refused(looking: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atlas_desk, "MAX_BODY", 1000)
    for length in (1001, 100_000):
        assert sent(looking, b"x" * length)[0] == 413
    monkeypatch.setattr(atlas_desk, "MAX_BODY", 1 << 20)
    monkeypatch.setattr(atlas_looking, "_MAX_PIXELS", 99)
    buffer = io.BytesIO()
    Image.new("L", (10, 10)).save(buffer, "PNG")
    status, said = sent(looking, buffer.getvalue())
    assert (status, "10 x 10 pixels; at most 99" in said["error"]) == (422, True)


def test_an_atlas_without_photographs_cannot_be_asked_for_a_picture(tmp_path: Any) -> None:
    folder = make_atlas(
        tmp_path / "a", made_up_manifest((Shape("features.3", 4),), negative=False), facts=False, side=8
    )
    search: Any = ImageSearch("the network")  # pyright: ignore[reportArgumentType]
    app = atlas_app(Site(folder).served(image_search=True), Access.at("127.0.0.1"), image_search=search)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        status, said = sent(client, drawn(0, 32, False, "JPEG"))
    assert (status, "build it with --images FOLDER" in said["error"]) == (422, True)


def test_what_may_be_asked_is_described(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert described["openapi"] == "3.1.0"
    paths = {"/api/units", "/api/unit/{layer}/{unit}", "/api/search", "/pictures/{id}.webp", "/pictures/{id}.png"}
    assert set(described["paths"]) == paths
    json.dumps(described)
    assert [*LABELS, *NASTY][2] == "espresso"


def test_what_a_photograph_drives_most_comes_first(tmp_path: Any) -> None:
    manifest = made_up_manifest((Shape("features.3", 44), Shape("features.6", 30)), negative=False, diversity=0)
    made = make_atlas(tmp_path / "a", manifest, side=8)
    folder = make_atlas(tmp_path / "b", manifest, facts=False, side=8)
    expected = dict[str, list[tuple[float, str]]]()
    for layer in manifest.layers:
        spun = [with_spun_values(facts) for facts in made.facts(layer.name)]
        folder.write_facts(layer.name, spun)
        for facts in spun:
            for one in facts.examples:
                if one.kind == "top":
                    expected.setdefault(one.key, []).append((-one.value, f"{layer.name}:{facts.unit}"))
    app = atlas_app(Site(folder).served(image_search=False), Access.at("127.0.0.1"))
    with TestClient(app, base_url="http://127.0.0.1") as it:
        found = {one["key"]: one["units"] for one in asked(it, "/api/search", q="photograph")["photographs"]}
    assert max(len(units) for units in found.values()) > 3
    for key, units in found.items():
        assert [(-unit["value"], unit["address"]) for unit in units] == sorted(expected[key])
        assert len({unit["value"] for unit in units}) == len(units)


def with_spun_values(facts: UnitFacts) -> UnitFacts:
    """The facts with answers that no order of numbers has."""
    step = 7 * facts.unit % 64 + 0.5 * (facts.layer == "features.3")
    return replace(facts, examples=tuple(replace(one, value=float(one.rank) + step) for one in facts.examples))


def test_a_page_of_units_has_a_bound(tmp_path: Any) -> None:
    manifest = made_up_manifest((Shape("features.3", 600),), negative=False, diversity=0)
    folder = make_atlas(tmp_path / "a", manifest, facts=False, side=8)
    app = atlas_app(Site(folder).served(image_search=False), Access.at("127.0.0.1"))
    with TestClient(app, base_url="http://127.0.0.1") as it:
        for limit, n in ((499, 499), (501, 500), (600, 500), (999_999_999, 500)):
            page = asked(it, "/api/units", layer="features.3", start=10, limit=limit)
            assert ([unit["unit"] for unit in page["units"]], page["total"]) == (list(range(10, 10 + n)), 600)
        assert len(asked(it, "/api/units", layer="features.3")["units"]) == 100
