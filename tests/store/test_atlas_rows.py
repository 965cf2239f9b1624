"""Rows of an atlas: what is written comes back, wherever it lies."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import uuid
import weakref
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_up_atlases import LAYERS, everything, filled, ids, manifest, picture, plan, rows

from phosphene.errors import MissingExtraError, ParameterError, StorageError, UnknownLayerError
from phosphene.store.atlas import STATUSES, VARIANTS, AtlasFolder, create_atlas, open_atlas, row_reader, slug_of, slugs
from phosphene.store.atlas.parts import RowsFile
from phosphene.store.webp import decode_webp


@pytest.fixture
def local(tmp_path) -> AtlasFolder:
    return filled(tmp_path / "atlas", plan()[:1])


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path) -> AtlasFolder:
    return filled(tmp_path / "atlas" if request.param == "local" else f"memory://{uuid.uuid4().hex}/atlas")


def test_rows_come_back_as_they_were_written(folder):
    read = open_atlas(folder.uri)
    assert read.manifest == manifest()
    assert set(everything(read)) == rows()
    for one in rows():
        assert read.picture(one.id) == one
    assert [(p.variant, p.unit) for p in read.unit("blocks.0", 3)] == [("positive", 3), ("negative", 3)]
    assert read.unit("blocks.0", 99) == ()


def test_pictures_come_in_the_order_of_units(folder):
    assert [p.unit for p in folder.pictures("blocks.0")] == list(range(10))
    assert {p.variant for p in folder.pictures("blocks.0", "negative")} == {"negative"}
    assert [p.unit for p in folder.pictures("blocks.0", start=3, stop=6)] == [3, 4, 5]
    both = [(p.unit, p.variant) for p in folder.pictures("blocks.0", None, start=3, stop=5)]
    assert both == [(3, "positive"), (3, "negative"), (4, "positive"), (4, "negative")]
    assert list(folder.pictures("blocks.0", seed=5)) == []


def test_the_index_has_the_numbers_of_each_row(folder):
    index = folder.index()
    assert len(index) == len(rows())
    assert index.damaged == ()
    layer = index.layer("blocks.0")
    by_place = {(p.unit, p.variant): p for p in rows() if p.layer == "blocks.0"}
    assert len(layer) == len(by_place)
    for i in range(len(layer)):
        one = by_place[int(layer.unit[i]), VARIANTS[layer.variant[i]]]
        assert layer.ids([i]) == [one.id]
        assert STATUSES[layer.status[i]] == one.status
        assert layer.jobs[layer.job[i]] == one.job
        assert (layer.seed[i], layer.member[i], layer.seconds[i]) == (one.seed, one.member, one.seconds)
        for name in ("score", "robust_score"):
            value = getattr(one, name)
            assert np.isnan(getattr(layer, name)[i]) if value is None else getattr(layer, name)[i] == value
    assert list(zip(layer.unit, layer.variant, strict=True)) == sorted(zip(layer.unit, layer.variant, strict=True))
    with pytest.raises(ValueError, match="read-only"):
        layer.unit[0] = 5


def test_the_index_finds_a_row_by_its_id(folder):
    for one in rows():
        layer, position = folder.index().find(one.id)
        assert (layer.layer, int(layer.unit[position])) == (one.layer, one.unit)
    assert folder.index().find("no such id") is None


def test_jobs_that_are_done_are_known_by_the_names_of_their_parts(folder):
    assert folder.finished_jobs() == {job for job, _, _ in plan()}
    job, layer, _ = plan()[0]
    assert folder.has_part(job, layer)
    assert not folder.has_part("other", layer)


def test_a_job_that_is_done_again_replaces_its_part(folder):
    job, layer, pictures = plan()[0]
    before = len(folder.index())
    better = tuple(replace(p, seconds=9.0) for p in pictures)
    size = folder.write_part(job, layer, better)
    assert size == len(folder.read_bytes(f"data/{folder.slug(layer)}/part-{job}.parquet"))
    assert len(folder.refresh()) == before
    assert folder.index().n_doubled == 0
    assert folder.picture(better[0].id) == better[0]


def test_embeddings_are_those_of_units_that_have_one(folder):
    units, vectors = folder.embeddings("blocks.0")
    assert units.tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[float(u), 1.0, 0.5] for u in units]
    units, vectors = folder.embeddings("blocks.0", seed=3)
    assert units.shape == (0,)
    assert vectors.shape == (0, 0)


def test_of_diverse_pictures_the_embedding_is_that_of_the_first(tmp_path):
    folder = create_atlas(tmp_path, manifest(diversity=3, diversity_weight=1.0))
    several = [
        replace(
            picture("job", "blocks.0", unit, "diverse"), id=f"{unit}-{member}", member=member, embedding=(0.5, member)
        )
        for unit in (0, 1)
        for member in range(3)
    ]
    folder.write_part("job", "blocks.0", several)
    units, vectors = folder.embeddings("blocks.0", "diverse")
    assert units.tolist() == [0, 1]
    assert vectors.tolist() == [[0.5, 0.0], [0.5, 0.0]]


def test_row_groups_that_are_kept_do_not_grow_with_the_atlas(folder, monkeypatch):
    """What has been read and is not needed any more is let go of."""
    read, real = list[weakref.ref[pa.Table]](), RowsFile.table

    def noted(self, *group):
        table = real(self, *group)
        read.append(weakref.ref(table))
        return table

    monkeypatch.setattr(RowsFile, "table", noted)
    for limit, n_kept in ((1, 1), (32 << 20, len(plan()))):
        monkeypatch.setattr(row_reader, "_KEPT_BYTES", limit)
        reader = open_atlas(folder.uri)
        read.clear()
        assert set(everything(reader)) == rows()
        assert sum(table() is not None for table in read) == n_kept


def test_an_open_atlas_can_be_sent_to_another_process(folder):
    sent = pickle.loads(pickle.dumps(folder))
    assert sent.uri == folder.uri
    assert set(everything(sent)) == rows()


def test_the_folders_of_layers_differ_even_where_case_does_not_count():
    names = slugs(manifest())
    assert list(names) == list(LAYERS)
    assert len({slug.lower() for slug in names.values()}) == len(names)
    assert slug_of(manifest(), "blocks.0") == "blocks.0"
    assert all("/" not in slug and slug for slug in slugs(manifest({"../etc/passwd": 1, "": 2})).values())
    with pytest.raises(UnknownLayerError, match=r"no layer 'block\.0'; did you mean blocks\.0"):
        slug_of(manifest(), "block.0")


def test_a_layer_that_is_not_there_is_named(local):
    for call in (local.pictures, local.embeddings, local.facts, local.has_facts, local.slug):
        with pytest.raises(UnknownLayerError, match="the atlas has no layer 'nowhere'"):
            call("nowhere")
    with pytest.raises(UnknownLayerError, match="no layer 'nowhere'"):
        local.unit("nowhere", 0)


def test_a_row_that_is_not_there_is_named(local):
    with pytest.raises(StorageError, match="has no picture 'feedface'; if it is planned, phosphene atlas build makes"):
        local.picture("feedface")


def test_rows_that_do_not_belong_together_are_refused(local):
    job, layer, pictures = plan()[0]
    for wrong in ((), (*pictures, pictures[0]), (replace(pictures[0], job="x"),), (replace(pictures[0], layer="x"),)):
        with pytest.raises(ParameterError, match=f"expected at least one, all of job '{job}' and layer 'blocks.0'"):
            local.write_part(job, layer, wrong)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": ""}, "id of a picture is ''; expected a digest"),
        ({"id": "ä"}, "expected a digest"),
        ({"variant": "other"}, "expected of positive, negative, diverse"),
        ({"status": "fine"}, "expected of .* and of ok, dead, not_finite, failed"),
        ({"score": float("nan")}, "score of .* is nan; expected a finite number, or None"),
        ({"robust_score": float("inf")}, "robust_score of .* is inf"),
        ({"image": None}, "image of .* is None; expected a picture where the status is 'ok'"),
        ({"unit": 2**40}, "does not fit the columns"),
        ({"seconds": "long"}, "does not fit the columns"),
    ],
)
def test_values_that_fit_no_column_are_refused(local, change, message):
    one = replace(picture("job", "blocks.0", 0), **change)
    with pytest.raises(ParameterError, match=message):
        local.write_part("job", "blocks.0", [one])


def test_a_whole_number_where_a_real_belongs_does_no_harm(local):
    one = replace(picture("job", "blocks.0", 0), score=2, curve=(1, np.float32(0.5)), seconds=np.float64(3))
    local.write_part("job", "blocks.0", [replace(one, id="other")])
    assert local.picture("other").score == 2.0
    assert local.picture("other").curve == (1.0, 0.5)


def test_a_job_whose_id_is_no_file_name_is_refused(local):
    with pytest.raises(ParameterError, match="job is '../x'; expected letters, digits"):
        local.write_part("../x", "blocks.0", [picture("../x", "blocks.0", 0)])


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", ".", "a\\b", "a\0b", "x" * 2000, "a:b"]
)
def test_paths_that_lead_out_of_an_atlas_are_refused(local, path):
    for call in (local.read_bytes, local.exists, local.files, lambda path: local.write_bytes(path, b"")):
        with pytest.raises(StorageError, match="is no path of a file inside an atlas"):
            call(path)


def test_other_files_of_an_atlas_are_written_whole(folder):
    assert not folder.exists("activations/x.bin")
    folder.write_bytes("activations/x.bin", b"123")
    folder.write_bytes("activations/deep/y.bin", b"")
    assert folder.exists("activations/x.bin")
    assert folder.read_bytes("activations/x.bin") == b"123"
    assert folder.files("activations") == ("activations/deep/y.bin", "activations/x.bin")
    assert folder.files("nothing") == ()
    with pytest.raises(StorageError, match="there is no such file"):
        folder.read_bytes("activations/z.bin")


def test_a_part_is_a_file_that_other_programs_read(tmp_path):
    folder = filled(tmp_path)
    job, layer, pictures = plan()[0]
    file = pq.ParquetFile(tmp_path / "data" / folder.slug(layer) / f"part-{job}.parquet")
    table = file.read()
    assert table["score"].to_pylist() == [p.score for p in pictures]
    assert table["image"][0].as_py() == {"bytes": pictures[0].image, "path": f"{pictures[0].id}.webp"}
    assert json.loads(file.schema_arrow.metadata[b"huggingface"])["info"]["features"]["image"] == {"_type": "Image"}
    assert decode_webp(table["image"][0].as_py()["bytes"]).shape == (4, 4, 3)


def test_an_atlas_is_read_without_torch_and_pandas(tmp_path):
    folder = filled(tmp_path)
    folder.write_facts("blocks.0", [])
    program = (
        "import sys; from phosphene.store.atlas import open_atlas; import phosphene.store.webp\n"
        f"folder = open_atlas({folder.uri!r}); assert len(list(folder.pictures('blocks.0'))) == 10\n"
        "assert len(folder.answers('blocks.0').unit) == len(folder.top_examples('blocks.0').unit) == 0\n"
        "assert 'pandas' not in sys.modules  # 40 MB\n"
        "assert folder.verify().n_pictures == 32; folder.compact()\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0


def test_what_is_not_installed_is_named(tmp_path, monkeypatch):
    filled(tmp_path)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'phosphene\[atlas\]'"):
        open_atlas("memory://x")
    open_atlas(tmp_path)  # which needs no fsspec
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for call in (lambda: open_atlas(tmp_path), lambda: create_atlas(tmp_path, manifest())):
        with pytest.raises(
            MissingExtraError, match=r"an atlas needs the extra 'atlas'.*pip install 'phosphene\[atlas\]'"
        ):
            call()


def test_verify_of_a_whole_atlas_finds_nothing(folder):
    told: list[tuple[int, int]] = []
    report = folder.verify(ids(), progress=lambda done, all_: told.append((done, all_)))
    assert report.is_whole
    assert (report.n_pictures, report.n_ok, report.by_status) == (32, 28, {"ok": 28, "dead": 4})
    assert report.strays == report.missing == report.damaged == report.doubled == report.drops == ()
    assert report.bytes == sum(len(folder.read_bytes(path)) for path in folder.files("data"))
    assert told == [(i, 10) for i in range(11)]
