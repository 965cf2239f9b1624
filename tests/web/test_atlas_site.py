"""The site of an atlas: what its files say is what the atlas holds."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from atlas_fixtures import LABELS, NASTY, NASTY_LAYER, Shape, broken_copy, made_up_manifest, make_atlas
from PIL import Image

from phosphene.atlas.jobs import jobs
from phosphene.errors import ParameterError, StorageError
from phosphene.store.atlas import AtlasFolder, create_atlas, open_atlas
from phosphene.store.atlas.alignment import AlignedUnit, AlignmentTable
from phosphene.store.png import read_png_document
from phosphene.web.atlas_export import export_site
from phosphene.web.atlas_site import Site
from phosphene.web.atlas_units import public_address
from phosphene.web.atlas_view import SHOWN_STATUSES

SHAPES = (
    Shape("features.3", 44, ((0, 20), (30, 44))),
    Shape(NASTY_LAYER, 9),
    Shape("classifier", len(LABELS) + len(NASTY), None, True),
)
NASTY_SLUG = "a-b-script-..-x"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> AtlasFolder:
    return make_atlas(tmp_path_factory.mktemp("atlas") / "a", made_up_manifest(SHAPES, seeds=(0, 3)), side=16)


@pytest.fixture(scope="module")
def site(folder: AtlasFolder) -> Site:
    return Site(folder)


def read(site: Site, path: str) -> Any:
    """What a data file hands over, as a page's script would."""
    text = site.read(path).decode("ascii")
    assert text.startswith("phosphene.put(")
    assert text.endswith(");\n")
    key, document = json.loads(f"[{text[14:-3]}]")
    assert key == expected_key(path)
    return document


def expected_key(path: str) -> str:
    parts = path.removesuffix(".js").split("/")
    prefix = "other/" if parts[0] == "other" else ""
    kind, _, number = parts[-1].partition("-")
    if len(parts) == 3:
        return f"{prefix}layer/{parts[1]}" if kind == "layer" else f"{prefix}units/{parts[1]}/{number}"
    return f"compare/{parts[1]}" if parts[0] == "compare" else parts[1].replace("search-", "search/")


def units_of(site: Site, slug: str) -> list[Any]:
    names = (path for path in site.files() if path.startswith(f"data/{slug}/units-"))
    return [unit for path in names for unit in read(site, path)]


def test_every_file_that_is_named_can_be_read_and_index_is_last(site: Site) -> None:
    files = list(site.files())
    assert len(set(files)) == len(files)
    assert files[-1] == "index.html"
    assert all(site.read(path) for path in files)
    assert {"layer.html", "unit.html", "page/explain_core.js", "page/atlas_core.js"} < set(files)
    assert "compare.html" not in files


def test_counts_say_what_there_is(site: Site, folder: AtlasFolder) -> None:
    atlas = read(site, "data/atlas.js")
    units = 34 + 9 + 12
    assert atlas["n_pictures"] == units * 6 == len(folder.index())
    assert atlas["n_ok"] + atlas["n_failed"] == atlas["n_pictures"]
    assert (atlas["n_missing"], atlas["statistics"], atlas["server"]) == (0, True, False)
    assert atlas["variants"] == ["positive", "negative", "diverse"]
    first = atlas["layers"][0]
    # Units 5, 6 and 7 failed, and so did 42 and 43, which are 37 further on.
    assert first["counts"] == {"ok": 29, "dead": 2, "not_finite": 2, "failed": 1, "missing": 0, "damaged": 0}
    assert first["ranges"] == [[0, 20], [30, 44]]
    assert [layer["label_layer"] for layer in atlas["layers"]] == [False, False, True]
    assert atlas["recipes"]["r" * 32]["name"] == "made up"
    assert json.loads(atlas["recipes"]["r" * 32]["text"]) == atlas["recipes"]["r" * 32]["json"]


def test_a_layer_s_numbers_are_those_of_its_first_positive_pictures(site: Site, folder: AtlasFolder) -> None:
    numbers = read(site, "data/features.3/layer.js")
    assert numbers["unit"] == [*range(20), *range(30, 44)]
    assert numbers["label"] is None
    codes = {"ok": 0, "dead": 1, "not_finite": 2, "failed": 3}
    for place, unit in enumerate(numbers["unit"]):
        picture = folder.unit("features.3", unit)[0]
        facts = folder.unit_facts("features.3", unit)
        assert facts is not None
        assert facts.answers is not None
        assert numbers["status"][place] == codes[picture.status]
        if picture.score is None:
            assert numbers["score"][place] is numbers["percentile"][place] is None
        else:
            assert numbers["score"][place] == pytest.approx(picture.score, rel=1e-4)
            assert numbers["percentile"][place] == pytest.approx(facts.answers.percentile(picture.score), rel=1e-4)
            assert numbers["multiple"][place] == pytest.approx(picture.score / 4.5, rel=1e-4)
    assert sorted(numbers["similarity"]) == list(range(34))


def test_a_unit_is_told_with_all_its_pictures_and_facts(site: Site, folder: AtlasFolder) -> None:
    told = {unit["unit"]: unit for unit in units_of(site, "features.3")}
    assert list(told) == [*range(20), *range(30, 44)]
    unit, rows = told[31], folder.unit("features.3", 31)
    shown = [(one["variant"], one["seed"], one["member"]) for one in unit["pictures"]]
    assert shown == [(row.variant, row.seed, row.member) for row in rows]
    assert len(shown) == 6
    for one, row in zip(unit["pictures"], rows, strict=True):
        assert base64.b64decode(one["src"].removeprefix("data:image/webp;base64,")) == row.image
        assert (one["id"], one["status"], one["width"], one["png"]) == (row.id, row.status, 16, None)
        assert len(one["curve"]) == 17
    assert unit["answers"]["n"] == 640
    assert sum(unit["answers"]["shares"]) == pytest.approx(1, abs=0.01)
    assert [example["kind"] for example in unit["examples"]] == ["top"] * 3 + ["bottom"] * 3 + ["zero"] * 3
    assert unit["examples"][0]["src"].startswith("data:image/jpeg;base64,")
    assert unit["outputs"][0] == {"layer": NASTY_LAYER, "unit": 0, "strength": 0.4, "slug": NASTY_SLUG, "label": ""}
    assert unit["command"] == "phosphene atlas render a features.3:31 -o unit.png"


def test_what_failed_says_why_and_has_no_picture(site: Site) -> None:
    failed = units_of(site, "features.3")[7]["pictures"][0]
    assert (failed["status"], failed["src"], failed["score"]) == ("failed", "", None)
    assert failed["reason"] == "RuntimeError: <b>out of memory</b> & more"


def test_a_link_to_a_unit_that_the_atlas_does_not_show_leads_nowhere(tmp_path: Path) -> None:
    shapes = (Shape("features.3", 44, ((1, 3),)), Shape("classifier", 6, ((0, 4),), True))
    site = Site(make_atlas(tmp_path / "a", made_up_manifest(shapes, negative=False, diversity=0), side=8))
    inputs = units_of(site, "classifier")[0]["inputs"]
    assert [(one["unit"], one["slug"]) for one in inputs] == [(0, None), (1, "features.3"), (2, "features.3")]


def test_a_command_is_one_line_that_a_shell_takes_as_it_is_meant(site: Site) -> None:
    import shlex

    command = units_of(site, NASTY_SLUG)[2]["command"]
    assert shlex.split(command)[3:5] == ["a", f"{NASTY_LAYER}:2"]
    assert "\n" not in command


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("/home/ada/my atlas/", "my atlas"),
        ("C:\\Users\\ada\\atlas", "atlas"),
        ("file:///home/ada/atlas", "atlas"),
        ("s3://bucket/a/b", "s3://bucket/a/b"),
        ("sftp://ada:secret@host:22/a?token=x#y", "sftp://host:22/a"),
    ],
)
def test_neither_home_folders_nor_passwords_are_published(uri: str, shown: str) -> None:
    assert public_address(uri) == shown


def test_no_name_ends_a_script_or_becomes_markup(site: Site) -> None:
    for path in site.files():
        if path.endswith(".js") and not path.startswith("page/"):
            assert not set(b"<>&") & set(site.read(path)), path
    labels = read(site, "data/classifier/layer.js")["label"]
    assert labels == [*LABELS, *NASTY]
    assert read(site, "data/atlas.js")["layers"][1]["name"] == NASTY_LAYER


def test_a_title_is_text(folder: AtlasFolder) -> None:
    page = Site(folder, title="</title><script>alert(1)</script> & $title").read("index.html").decode()
    assert "<title>&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt; &amp; $title</title>" in page


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA")).astype(int)


def test_the_tile_of_the_ith_unit_is_the_ith_of_the_sheets(site: Site, folder: AtlasFolder) -> None:
    sheets = read(site, "data/atlas.js")["layers"][0]["sprites"]["negative"]
    assert sheets == {"tile": 64, "columns": 16, "rows": 3, "files": ["data/features.3/negative-0.webp"]}
    sheet = pixels(site.read(sheets["files"][0]))
    assert sheet.shape == (3 * 64, 16 * 64, 4)
    for place, unit in enumerate([*range(20), *range(30, 44)]):
        row, column = divmod(place, 16)
        tile = sheet[row * 64 : row * 64 + 64, column * 64 : column * 64 + 64]
        image = next(one for one in folder.unit("features.3", unit) if one.variant == "negative").image
        if image is None:
            assert (tile[..., 3] == 0).all()
        else:
            assert (tile[..., 3] == 255).all()
            assert np.abs(tile[..., :3].mean((0, 1)) - pixels(image)[..., :3].mean((0, 1))).max() < 6
    assert (sheet[2 * 64 :, 2 * 64 :, 3] == 0).all()  # behind the last unit nothing


def test_all_sheets_of_a_layer_are_equally_large(tmp_path: Path) -> None:
    shapes = (Shape("features.3", 130),)
    site = Site(make_atlas(tmp_path / "a", made_up_manifest(shapes, negative=False, diversity=0), facts=False, side=8))
    files = read(site, "data/atlas.js")["layers"][0]["sprites"]["positive"]["files"]
    assert [pixels(site.read(file)).shape for file in files] == [(512, 1024, 4)] * 2
    mosaic = read(site, "data/atlas.js")["layers"][0]["mosaic"]
    assert pixels(site.read(mosaic["file"])).shape == (mosaic["height"], mosaic["width"], 4) == (192, 512, 4)


def test_photographs_are_found_with_what_they_drive(site: Site, folder: AtlasFolder) -> None:
    search = read(site, "data/search.js")
    assert search["layers"] == ["features.3", NASTY_SLUG, "classifier"]
    assert search["labels"] == [[2, i, label] for i, label in enumerate([*LABELS, *NASTY])]
    expected: dict[str, list[tuple[int, int, float]]] = {}
    for place, layer in enumerate(folder.manifest.layers):
        for facts in folder.facts(layer.name):
            for example in facts.examples:
                if example.kind == "top":
                    expected.setdefault(example.key, []).append((place, facts.unit, example.value))
    assert search["photographs"] == sorted(expected)
    hits = read(site, "data/search-0.js")
    assert hits["of"] == search["of"]
    for name, found in zip(search["photographs"], hits["hits"], strict=True):
        assert sorted((a, b) for a, b, _ in found) == sorted((a, b) for a, b, _ in expected[name])
        assert [value for *_, value in found] == sorted((value for *_, value in found), reverse=True)


def test_pngs_hold_the_same_pixels_and_say_what_they_show(folder: AtlasFolder, tmp_path: Path) -> None:
    site = Site(folder, png=True)
    paths = [path for path in site.files() if path.endswith(".png")]
    drawn = folder.index().layer("features.3").status == 0
    assert len([path for path in paths if "/features.3/" in path]) == int(drawn.sum())
    for path in ("8-positive", "8-negative-seed3", "8-diverse-1"):
        assert f"pictures/features.3/{path}.png" in paths
    told = units_of(site, "features.3")[8]["pictures"]
    for one in told:
        data = site.read(one["png"])
        webp = base64.b64decode(one["src"].partition(",")[2])
        assert (pixels(data) == pixels(webp)).all()
    (tmp_path / "one.png").write_bytes(site.read(told[0]["png"]))
    said = read_png_document(tmp_path / "one.png")["atlas"]
    assert (said["unit"], said["recipe"]["name"], said["network"]["name"]) == (8, "made up", "a small network")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "data",
        "data/",
        "data/atlas.js/",
        "/data/atlas.js",
        "data//atlas.js",
        "data/nothing/layer.js",
        "data/features.3/../../atlas.js",
        "data/../index.html",
        "../a/atlas.json",
        "atlas.json",
        "facts/features.3.parquet",
        "data/features.3/units-00.js",
        "data/features.3/units-99.js",
        "data/features.3/units--1.js",
        "data/features.3/units-٣.js",
        "data/features.3/units-0.webp",
        "data/features.3/diverse-0.webp",
        "data/features.3/positive-1.webp",
        "data/search-1.js",
        "data/search-99999999999999.js",
        "pictures/features.3/8-positive.png",
        "page/atlas_index.html",
        "page/../atlas_view.py",
        "page/atlas_view.py",
        "page/files.txt",
        "atlas_index.html",
        "session_page.html",
        "compare/features.3.js",
        "other/features.3/layer.js",
        "activations/features.3/index.html",
        "activations/../atlas.json",
        "activations",
    ],
)
def test_other_paths_lead_nowhere(site: Site, path: str) -> None:
    with pytest.raises(KeyError):
        site.read(path)


def test_jobs_that_are_not_done_are_missing_until_they_are(tmp_path: Path) -> None:
    manifest = made_up_manifest((Shape("features.3", 40),), negative=False, diversity=0)
    folder = make_atlas(tmp_path / "a", manifest, facts=False, left_out=1, side=8, compacted=False)
    site = Site(folder)
    atlas = read(site, "data/atlas.js")
    assert (atlas["n_missing"], atlas["layers"][0]["counts"]["missing"], atlas["statistics"]) == (8, 8, False)
    missing = units_of(site, "features.3")[39]
    assert missing["pictures"][0]["status"] == "missing"
    assert "phosphene atlas verify" in missing["pictures"][0]["reason"]
    assert read(site, "data/features.3/layer.js")["percentile"] is None
    assert site.refresh() is False
    whole = make_atlas(tmp_path / "b", manifest, facts=False, side=8, compacted=False)
    last = list(jobs(manifest))[-1]
    folder.write_part(last.id, last.layer, [whole.picture(one.id) for one in last.pictures])
    assert site.refresh() is True
    assert read(site, "data/atlas.js")["n_missing"] == 0
    assert units_of(site, "features.3")[39]["pictures"][0]["status"] == "ok"


def test_a_damaged_row_is_told_and_the_others_are_there(folder: AtlasFolder, tmp_path: Path) -> None:
    broken = Site(broken_copy(folder, "features.3", tmp_path / "b"))
    told = [one for unit in units_of(broken, "features.3") for one in unit["pictures"]]
    damaged = [one for one in told if one["status"] == "damaged"]
    assert 1 <= len(damaged) <= 32  # what stands on one page of the file
    assert {(one["src"], one["score"], one["variant"]) for one in damaged} == {("", None, "positive")}
    assert all("damaged" in one["reason"] for one in damaged)
    assert sum(bool(one["src"]) for one in told) >= 100
    assert len(told) == 34 * 6
    assert broken.read("data/features.3/positive-0.webp")


def test_a_damaged_row_counts_as_damaged_once_it_was_read(folder: AtlasFolder, tmp_path: Path) -> None:
    broken = Site(broken_copy(folder, "features.3", tmp_path / "b"))
    before = read(broken, "data/atlas.js")["layers"][0]["counts"]
    assert before["damaged"] == 0  # an index is no proof
    told = units_of(broken, "features.3")
    lost = [place for place, unit in enumerate(told) if unit["pictures"][0]["status"] == "damaged"]
    status = read(broken, "data/features.3/layer.js")["status"]
    assert [place for place, code in enumerate(status) if SHOWN_STATUSES[code] == "damaged"] == lost != []
    after = read(broken, "data/atlas.js")["layers"][0]["counts"]
    assert after["damaged"] == len(lost)
    assert sum(after.values()) == sum(before.values())
    export_site(Site(broken.view.folder), tmp_path / "site")  # there everything is read
    exported = (tmp_path / "site/data/features.3/layer.js").read_bytes()
    assert exported == broken.read("data/features.3/layer.js")


def test_files_of_units_stay_as_they_are_cut_when_facts_arrive(tmp_path: Path) -> None:
    folder = make_atlas(tmp_path / "a", made_up_manifest((Shape("features.3", 90),)), facts=False, side=8)
    site = Site(folder)
    before = read(site, "data/atlas.js")["layers"][0]["chunk"]
    places = {unit["unit"]: path for path in unit_files(site) for unit in read(site, path)}
    folder.write_facts("features.3", make_atlas(tmp_path / "b", folder.manifest, side=8).facts("features.3"))
    assert site.refresh() is True
    assert read(site, "data/atlas.js")["layers"][0]["chunk"] == before
    assert {unit["unit"]: path for path in unit_files(site) for unit in read(site, path)} == places
    assert places[before].endswith("units-1.js")


def unit_files(site: Site) -> list[str]:
    return [path for path in site.files() if "/units-" in path]


def test_two_atlases_of_one_network_are_told_apart(tmp_path: Path) -> None:
    manifest = made_up_manifest((Shape("features.3", 3),))
    other = replace(manifest, recipes={"r" * 32: {"kind": "Recipe", "name": "another"}})
    trained = replace(manifest, network=replace(manifest.network, digest="f" * 64))
    folders = [
        make_atlas(tmp_path / f"{place}", one, facts=False, side=8)
        for place, one in enumerate((manifest, other, trained, manifest))
    ]

    def titles(left: AtlasFolder, right: AtlasFolder, **how: Any) -> tuple[str, str]:
        document = read(Site(left, compare=right, **how), "data/atlas.js")
        return document["title"], document["compare"]["title"]

    name, digest = manifest.network.name, manifest.network.digest[:8]
    assert titles(folders[0], folders[1]) == (f"{name} (made up)", f"{name} (another)")
    assert titles(folders[0], folders[2]) == (f"{name} (weights {digest})", f"{name} (weights ffffffff)")
    assert titles(folders[0], folders[3]) == (f"{name} (0)", f"{name} (3)")
    assert titles(folders[0], folders[1], title="Mine") == ("Mine", f"{name} (another)")


def test_what_was_collected_and_cannot_be_read_is_told(folder: AtlasFolder, tmp_path: Path) -> None:
    assert read(Site(folder), "data/features.3/layer.js")["is_whole"] is True
    shutil.copytree(folder.uri, tmp_path / "b")
    path = tmp_path / "b/facts/features.3.parquet"
    path.write_bytes(path.read_bytes()[:-40])
    site = Site(open_atlas(str(tmp_path / "b")))
    assert read(site, "data/features.3/layer.js")["is_whole"] is False
    assert read(site, "data/classifier/layer.js")["is_whole"] is True
    assert all(unit["answers"] is None and unit["pictures"][0]["src"] for unit in units_of(site, "features.3")[:3])


def test_an_atlas_without_photographs_or_places_says_so(tmp_path: Path) -> None:
    manifest = made_up_manifest((Shape("features.3", 5),), negative=False, diversity=0)
    whole = make_atlas(tmp_path / "a", manifest, facts=False, side=8)
    bare = create_atlas(str(tmp_path / "b"), manifest)
    for job in jobs(manifest):
        rows = [replace(whole.picture(one.id), embedding=()) for one in job.pictures]
        bare.write_part(job.id, job.layer, rows)
    numbers = read(Site(bare), "data/features.3/layer.js")
    assert numbers["similarity"] is numbers["percentile"] is numbers["multiple"] is None
    assert read(Site(bare), "data/search.js") | {"of": ""} == {
        "of": "",
        "layers": ["features.3"],
        "labels": [],
        "photographs": [],
        "chunk": 256,
    }
    assert "data/search-0.js" not in set(Site(bare).files())


@pytest.fixture(scope="module")
def pair(folder: AtlasFolder, tmp_path_factory: pytest.TempPathFactory) -> Site:
    shapes = (
        Shape("features.3", 44, ((0, 40),)),
        Shape("other", 3),
        Shape("compare", 2),
        Shape("classifier", 5, None, True),
    )
    manifest = made_up_manifest(shapes, name="another <network>", negative=False, diversity=0)
    other = make_atlas(tmp_path_factory.mktemp("atlas") / "b", manifest, side=8)
    units = (AlignedUnit("features.3", 3, "other", 2, 0.75), AlignedUnit("features.3", 4, "gone", 2, 0.5))
    return Site(folder, compare=other, alignment=aligned(folder, other, units))


def aligned(left: AtlasFolder, right: AtlasFolder, units: tuple[AlignedUnit, ...] = ()) -> AlignmentTable:
    a, b = left.manifest.network, right.manifest.network
    return AlignmentTable(a.digest, b.digest, a.name, b.name, "photographs", 640, units)


def test_two_atlases_stand_side_by_side(pair: Site) -> None:
    atlas = read(pair, "data/atlas.js")
    assert atlas["compare"]["title"] == "another <network>"
    assert [layer["slug"] for layer in atlas["compare"]["layers"]] == ["features.3", "other", "compare", "classifier"]
    assert atlas["compare"]["layers"][1]["sprites"]["positive"]["files"] == ["other/other/positive-0.webp"]
    files = list(pair.files())
    assert len(set(files)) == len(files)
    assert all(pair.read(path) for path in files)
    assert "compare.html" in files
    assert read(pair, "other/features.3/layer.js")["unit"] == list(range(40))
    assert read(pair, "other/compare/units-0.js")[0]["address"] == "compare:0"
    assert read(pair, "compare/features.3.js") == {
        "by_unit": {"slug_b": "features.3"},
        "aligned": [[3, "other", 2, 0.75]],
    }
    assert read(pair, "compare/classifier.js") == {"by_unit": None, "aligned": []}


def test_the_first_picture_is_the_one_that_the_command_makes_though_it_be_damaged_or_missing(tmp_path: Path) -> None:
    shapes = (Shape("features.3", 40),)
    manifest = made_up_manifest(shapes, diversity=0, seeds=(3, 0))
    whole = make_atlas(tmp_path / "a", manifest, facts=False, side=16)
    broken = Site(broken_copy(whole, "features.3", tmp_path / "b"))
    ways = [("positive", 3), ("positive", 0), ("negative", 3), ("negative", 0)]
    told = units_of(broken, "features.3")
    assert any(one["status"] == "damaged" for unit in told for one in unit["pictures"])
    assert all([(one["variant"], one["seed"]) for one in unit["pictures"]] == ways for unit in told)

    less = create_atlas(str(tmp_path / "c"), manifest)
    for job in jobs(manifest):
        if (job.variant, job.seed) != ("positive", 3):
            less.write_part(job.id, job.layer, [whole.picture(one.id) for one in job.pictures])
    for unit in units_of(Site(less), "features.3"):
        assert [(one["variant"], one["seed"]) for one in unit["pictures"]] == ways
        assert unit["pictures"][0]["status"] == "missing"


def test_facts_that_come_later_and_rows_that_are_made_anew_are_seen(tmp_path: Path) -> None:
    manifest = made_up_manifest((Shape("features.3", 12),), negative=False, diversity=0)
    folder = make_atlas(tmp_path / "a", manifest, facts=False, side=8, compacted=False)
    site = Site(folder)
    assert read(site, "data/features.3/layer.js")["percentile"] is None
    facts = make_atlas(tmp_path / "b", manifest, side=8).facts("features.3")
    folder.write_facts("features.3", facts)
    assert site.refresh() is True
    assert read(site, "data/features.3/layer.js")["percentile"][0] is not None
    assert read(site, "data/atlas.js")["statistics"] is True
    assert site.refresh() is False

    before = read(site, "data/features.3/layer.js")["status"]
    assert before[7] == 3
    (job,) = jobs(manifest)
    image = folder.unit("features.3", 0)[0].image
    rows = [replace(folder.picture(one.id), status="ok", reason="", score=1.0, image=image) for one in job.pictures]
    folder.write_part(job.id, job.layer, rows)
    assert site.refresh() is True
    assert read(site, "data/features.3/layer.js")["status"] == [0] * 12


def test_a_damaged_activation_atlas_says_so_and_stops_nothing(folder: AtlasFolder, tmp_path: Path) -> None:
    from phosphene.store.atlas import open_atlas

    shutil.copytree(folder.uri, tmp_path / "a")
    site = Site(open_atlas(str(tmp_path / "a")))
    assert site.refresh() is False
    site.view.folder.write_bytes("activations/features.3/activation_atlas.parquet", b"no <b>map</b>")
    assert site.refresh() is True
    files = list(site.files())
    assert [path for path in files if path.startswith("activations/")] == ["activations/features.3/index.html"]
    page = site.read("activations/features.3/index.html").decode()
    assert "This activation atlas is damaged" in page
    assert "<b>" not in page
    with pytest.raises(KeyError):
        site.read("activations/features.3/data/page.js")
    assert files[-1] == "index.html"


def test_an_alignment_of_other_networks_is_refused(folder: AtlasFolder, tmp_path: Path) -> None:
    shapes = (Shape("features.3", 4),)
    manifests = [made_up_manifest(shapes, name=name, negative=False, diversity=0) for name in ("second", "third")]
    second, third = (create_atlas(str(tmp_path / one.network.name), one) for one in manifests)
    assert Site(folder, compare=second, alignment=aligned(folder, second))
    with pytest.raises(
        StorageError, match=r"is of 'a small network' \(.*\) and 'third' .* of .* and 'second' .*; align"
    ):
        Site(folder, compare=second, alignment=aligned(folder, third))
    with pytest.raises(
        StorageError, match="; it leads the other way: show the second atlas, and compare it with the f"
    ):
        Site(folder, compare=second, alignment=aligned(second, folder))
    with pytest.raises(ParameterError, match="an alignment came without the other atlas"):
        Site(folder, alignment=aligned(folder, second))


def test_activation_atlases_are_part_of_the_site(folder: AtlasFolder, tmp_path: Path) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "atlas" / "activations"))
    from made_up import made_up_atlas

    from phosphene.store.atlas import open_atlas
    from phosphene.store.atlas.activation_files import encode_activation_atlas

    shutil.copytree(folder.uri, tmp_path / "a")
    site = Site(open_atlas(str(tmp_path / "a")))
    assert read(site, "data/atlas.js")["activations"] == []
    site.view.folder.write_bytes(
        "activations/features.3/activation_atlas.parquet", encode_activation_atlas(made_up_atlas())
    )
    site = Site(site.view.folder)
    href = "activations/features.3/index.html"
    assert read(site, "data/atlas.js")["activations"] == [{"layer": "features.3", "slug": "features.3", "href": href}]
    found = [path for path in site.files() if path.startswith("activations/")]
    assert href in found
    assert all(site.read(path) for path in found)
    assert list(site.files())[-1] == "index.html"


def test_reading_a_site_needs_no_torch(folder: AtlasFolder) -> None:
    code = (
        "import sys; from phosphene.store.atlas import open_atlas; from phosphene.web.atlas_site import Site;"
        "from phosphene.web import atlas_export, atlas_server, atlas_app;"
        f"site = Site(open_atlas({folder.uri!r})); [site.read(path) for path in list(site.files())[:9]];"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_file_of_an_activation_page_asks_the_store_for_its_own_map_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "atlas" / "activations"))
    from made_up import made_up_atlas

    from phosphene.store.atlas.activation_files import encode_activation_atlas

    manifest = made_up_manifest(tuple(Shape(f"layer {i}", 2) for i in range(5)), negative=False, diversity=0)
    folder = make_atlas(tmp_path / "a", manifest, facts=False, side=8)
    own = f"activations/{folder.slugs['layer 3']}/activation_atlas.parquet"
    folder.write_bytes(own, encode_activation_atlas(made_up_atlas()))
    site, asked = Site(folder), list[str]()
    files = [path for path in site.files() if path.startswith("activations/")]
    entry = type(folder.place).entry

    def counted(place: Any, path: str) -> Any:
        asked.append(path)
        return entry(place, path)

    monkeypatch.setattr(type(folder.place), "entry", counted)
    assert len(files) > 3
    assert all(site.read(path) for path in files)
    assert asked == [own] * len(files)
    asked.clear()
    for path in (f"activations/{folder.slugs['layer 2']}/index.html", "activations/nothing/index.html"):
        with pytest.raises(KeyError):
            site.read(path)
    assert len(asked) == 1


def test_what_the_other_atlas_gains_is_seen(tmp_path: Path) -> None:
    shapes = (Shape("features.3", 40),)
    manifests = [made_up_manifest(shapes, name=name, negative=False, diversity=0) for name in ("one", "two")]
    own = make_atlas(tmp_path / "a", manifests[0], facts=False, side=8)
    other = make_atlas(tmp_path / "b", manifests[1], facts=False, left_out=1, side=8, compacted=False)
    whole = make_atlas(tmp_path / "c", manifests[1], facts=False, side=8)
    site = Site(own, compare=other)
    assert read(site, "data/atlas.js")["compare"]["n_missing"] == 8
    assert site.refresh() is False
    last = list(jobs(manifests[1]))[-1]
    other.write_part(last.id, last.layer, [whole.picture(one.id) for one in last.pictures])
    assert site.refresh() is True
    assert read(site, "data/atlas.js")["compare"]["n_missing"] == 0


def test_a_mosaic_s_rows_come_from_everywhere_in_the_layer(tmp_path: Path) -> None:
    manifest = made_up_manifest((Shape("features.3", 400),), negative=False, diversity=0)
    folder = make_atlas(tmp_path / "a", manifest, facts=False, side=8)
    mosaic = pixels(Site(folder).read("data/features.3/mosaic.webp"))
    assert mosaic.shape == (6 * 32, 16 * 32, 4)
    for row, first in enumerate((0, 76, 153, 230, 307, 384)):  # of 400 units, the last sixteen included
        tiles = mosaic[row * 32 : row * 32 + 32].reshape(32, 16, 32, 4).transpose(1, 0, 2, 3)
        for column, tile in enumerate(tiles):
            image = folder.unit("features.3", first + column)[0].image
            if image is None:
                assert (tile[..., 3] == 0).all()
            else:
                assert np.abs(tile[..., :3].mean((0, 1)) - pixels(image)[..., :3].mean((0, 1))).max() < 10
