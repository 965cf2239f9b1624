"""What is written of an activation atlas is what is read, and nothing damaged is."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from phosphene.errors import StorageError
from phosphene.store.atlas.activation_files import (
    ACTIVATIONS_FILE,
    decode_activation_atlas,
    encode_activation_atlas,
    load_activation_atlas,
    save_activation_atlas,
)
from phosphene.store.atlas.activation_map import ActivationAtlas, ActivationGrid

sys.path.insert(0, str(Path(__file__).parent))

from made_up import LABELS, made_up_atlas


@pytest.mark.parametrize("n_maps", [1, 2])
def test_what_is_loaded_equals_what_was_saved(tmp_path: Path, n_maps: int) -> None:
    atlas = made_up_atlas(n_maps)
    saved = save_activation_atlas(tmp_path / "new" / "folder", atlas)
    assert saved == str(tmp_path / "new" / "folder" / ACTIVATIONS_FILE)
    assert load_activation_atlas(tmp_path / "new" / "folder") == atlas
    assert [p.name for p in (tmp_path / "new" / "folder").iterdir()] == [ACTIVATIONS_FILE]


def test_an_address_of_fsspec_is_a_folder_like_any_other() -> None:
    atlas = made_up_atlas(seed=3)
    assert save_activation_atlas("memory://activation-atlas/x", atlas).startswith("memory://")
    assert load_activation_atlas("memory://activation-atlas/x") == atlas


def test_grids_without_cells_and_maps_without_grids_stay(tmp_path: Path) -> None:
    one = made_up_atlas().maps[0]
    atlas = ActivationAtlas(
        (replace(one, grids=(ActivationGrid(7, ()), *one.grids)), replace(one, grids=(), points=()))
    )
    save_activation_atlas(tmp_path, atlas)
    assert load_activation_atlas(tmp_path) == atlas


def test_a_second_atlas_replaces_the_first(tmp_path: Path) -> None:
    save_activation_atlas(tmp_path, made_up_atlas(2, seed=1))
    save_activation_atlas(tmp_path, made_up_atlas(1, seed=2))
    assert load_activation_atlas(tmp_path) == made_up_atlas(1, seed=2)


def test_other_programs_read_its_rows(tmp_path: Path) -> None:
    table = pq.read_table(save_activation_atlas(tmp_path, made_up_atlas(2)))
    row = table.to_pylist()[0]
    cell = made_up_atlas(2).maps[0].grids[0].cells[0]
    assert (row["map"], row["grid"], row["row"], row["column"]) == (0, 4, cell.row, cell.column)
    assert row["image"] == {"bytes": cell.image, "path": None}
    assert [one["name"] for one in row["classes"]] == [LABELS[index] for index, _ in cell.classes]


def test_hugging_face_shows_its_pictures(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    path = save_activation_atlas(tmp_path, made_up_atlas())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's own
        rows = datasets.load_dataset(
            "parquet", data_files=path, cache_dir=str(tmp_path / "cache"), split="train", verification_mode="no_checks"
        )
        assert rows[0]["image"].size == (16, 16)
    assert rows[3]["image"] is None


def test_a_damaged_file_is_refused_or_says_the_same() -> None:
    atlas = made_up_atlas(grids=(4,))
    data = encode_activation_atlas(atlas)
    said: list[str] = []
    for at in range(4, len(data) - 8, len(data) // 60):  # pyarrow writes the description twice and reads it once
        damaged = data[:at] + bytes(255 - byte for byte in data[at : at + 4]) + data[at + 4 :]
        try:
            assert decode_activation_atlas(damaged, "x/y") == atlas
        except StorageError as error:
            said.append(str(error))
    assert len(said) > 15
    assert all("x/y" in each for each in said)


def test_a_damaged_picture_is_refused() -> None:
    data = encode_activation_atlas(made_up_atlas(grids=(4,)))
    group = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0)
    columns = [group.column(i) for i in range(group.num_columns)]
    (pictures,) = [column for column in columns if column.path_in_schema == "image.bytes"]
    at = pictures.data_page_offset + pictures.total_compressed_size // 4
    with pytest.raises(StorageError, match=r"x/y .*damaged"):
        decode_activation_atlas(data[:at] + bytes([255 - data[at]]) + data[at + 1 :], "x/y")


def test_a_description_that_was_changed_is_refused(tmp_path: Path) -> None:
    table = pq.read_table(save_activation_atlas(tmp_path, made_up_atlas()))
    metadata = dict(table.schema.metadata)
    metadata[b"phosphene_activation_atlas"] = metadata[b"phosphene_activation_atlas"].replace(b"golden", b"g0lden")
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / ACTIVATIONS_FILE)
    with pytest.raises(StorageError, match="does not fit its checksum"):
        load_activation_atlas(tmp_path)


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "no activation atlas, or damaged"), (b"hello, I am a text", "no activation atlas, or damaged")],
)
def test_what_is_no_parquet_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(StorageError, match=said):
        decode_activation_atlas(data)


def test_another_parquet_file_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / ACTIVATIONS_FILE)
    with pytest.raises(StorageError, match=r"is no activation atlas; give what `phosphene atlas activations` wrote"):
        load_activation_atlas(tmp_path)


def test_a_newer_form_is_refused(tmp_path: Path) -> None:
    from hashlib import sha256

    table = pq.read_table(save_activation_atlas(tmp_path, made_up_atlas()))
    text = json.dumps(json.loads(table.schema.metadata[b"phosphene_activation_atlas"]) | {"format": 2})
    found = {b"phosphene_activation_atlas": text, b"phosphene_sha256": sha256(text.encode()).hexdigest()}
    pq.write_table(table.replace_schema_metadata(found), tmp_path / ACTIVATIONS_FILE)
    with pytest.raises(StorageError, match="has format 2, this phosphene reads up to 1"):
        load_activation_atlas(tmp_path)


def test_a_folder_without_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no such file"):
        load_activation_atlas(tmp_path)
    with pytest.raises(StorageError, match="no such file"):
        load_activation_atlas("memory://nothing-here")
    with pytest.raises(StorageError, match="Protocol not known: nope"):
        load_activation_atlas("nope://nothing")


def test_files_are_read_and_written_without_torch() -> None:
    code = "import sys, phosphene.store.atlas.activation_files; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
