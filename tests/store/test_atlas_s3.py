"""An atlas in an object store, over its real API on this machine; and shown by Hugging Face's datasets."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_up_atlases import everything, filled, ids, manifest, plan, rows
from PIL import Image

from phosphene.atlas.finding import find_atlas
from phosphene.errors import StorageError
from phosphene.store.atlas import create_atlas, open_atlas, opening
from phosphene.store.webp import decode_webp

_SERVER = """
import logging
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server.start()
print(server.get_host_and_port()[1], flush=True)
input()
"""


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, Any]]:
    """storage_options of a store that ends with the tests; its bucket is called atlases."""
    pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", _SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        lines = (line.decode().strip() for line in process.stdout)
        port = next(line for line in lines if line.isdigit())
        options = {"key": "test", "secret": "test", "client_kwargs": {"endpoint_url": f"http://127.0.0.1:{port}"}}
        s3fs.S3FileSystem(**options).mkdir("atlases")
        yield options
    finally:
        process.stdin.close()
        process.kill()
        process.wait(30)
        process.stdout.close()


def test_an_atlas_in_an_object_store_is_like_one_in_a_folder(s3):
    uri = "s3://atlases/some/where"
    filled(uri, storage_options=s3)
    folder = open_atlas(uri, storage_options=s3)
    assert folder.manifest == manifest()
    assert set(everything(folder)) == rows()
    assert [p.unit for p in folder.pictures("blocks.0")] == list(range(10))
    assert folder.embeddings("blocks.0")[0].tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert folder.verify(ids()).is_whole
    done = folder.compact()
    assert (done.n_before, done.n_after) == (10, 2)
    assert folder.finished_jobs() == {job for job, _, _ in plan()}
    assert folder.has_part(*plan()[0][:2])
    assert set(everything(open_atlas(uri, storage_options=s3))) == rows()
    assert [p.unit for p in folder.pictures("blocks.0")] == list(range(10))  # one that was open before
    with pytest.raises(StorageError, match="an atlas of another plan"):
        create_atlas(uri, replace(manifest(), negative=False), storage_options=s3)


def test_whether_an_atlas_is_in_an_object_store_is_told(s3):
    assert find_atlas("s3://atlases/looked/for", s3) is None
    filled("s3://atlases/looked/for", [], storage_options=s3)
    found = find_atlas("s3://atlases/looked/for", s3)
    assert found is not None
    assert found.manifest == manifest()


def test_a_store_that_accepts_and_never_answers_is_given_up(monkeypatch):
    pytest.importorskip("s3fs")
    monkeypatch.setattr(opening, "_LIMIT_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = {
            "key": "test",
            "secret": "test",
            "client_kwargs": {"endpoint_url": f"http://127.0.0.1:{silent.getsockname()[1]}"},
            "config_kwargs": {"read_timeout": 2, "retries": {"max_attempts": 0}},
        }
        started = time.monotonic()
        with pytest.raises(StorageError, match=r"s3://silent/atlas did not answer within 1 seconds; check the address"):
            open_atlas("s3://silent/atlas", storage_options=options)
        assert time.monotonic() - started < 10


def test_damage_in_an_object_store_is_found_and_mended(s3):
    uri = "s3://atlases/damaged"
    folder = filled(uri, storage_options=s3)
    job, layer, pictures = plan()[0]
    path = f"data/blocks.0/part-{job}.parquet"
    data = bytearray(folder.read_bytes(path))
    data[bytes(data).index(pictures[0].image) + 20] ^= 1
    folder.write_bytes(path, bytes(data))
    folder.write_bytes(f"data/blocks.0/part-{plan()[1][0]}.parquet", bytes(data)[:1000])
    read = open_atlas(uri, storage_options=s3)
    assert [one.path for one in read.index().damaged] == [f"data/blocks.0/part-{plan()[1][0]}.parquet"]
    with pytest.raises(StorageError, match="is damaged"):
        read.picture(pictures[0].id)
    report = read.verify(ids())
    assert {lost.job for lost in report.missing} == {job, plan()[1][0]}
    assert read.mend(report) == 2
    for job, layer, pictures in plan()[:2]:
        read.write_part(job, layer, pictures)
    assert read.verify(ids()).is_whole


def test_what_is_not_there_is_told(s3):
    for uri in ("s3://atlases/nothing", "s3://no-such-bucket/atlas"):
        with pytest.raises(StorageError, match=f"{uri} is not an atlas: it has no atlas.json; check the address"):
            open_atlas(uri, storage_options=s3)
    with pytest.raises(
        StorageError, match="s3://no-such-bucket/atlas/atlas.json was not written: there is no such file"
    ):
        create_atlas("s3://no-such-bucket/atlas", manifest(), storage_options=s3)


def test_an_address_where_nobody_listens_is_told_soon():
    pytest.importorskip("s3fs")
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        options = {"key": "test", "secret": "test", "client_kwargs": {"endpoint_url": url}}
        started = time.monotonic()
        with pytest.raises(
            StorageError, match=r"s3://atlases/x/atlas\.json was not read: .*onnect.*; check the address"
        ):
            open_atlas("s3://atlases/x", storage_options=options)
    assert time.monotonic() - started < 20


def test_missing_credentials_are_told(monkeypatch):
    pytest.importorskip("s3fs")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", "/nonexistent")
    options = {"client_kwargs": {"endpoint_url": "http://127.0.0.1:9"}, "skip_instance_cache": True}
    with pytest.raises(StorageError, match="permission denied; check the credentials and storage_options"):
        open_atlas("s3://atlases/x", storage_options=options)


_LOAD = """
import io, sys
from datasets import load_dataset
rows = load_dataset("parquet", data_files=sys.argv[1], split="train", cache_dir=sys.argv[2])
one = rows.filter(lambda row: row["unit"] == 7 and row["variant"] == "positive" and row["layer"] == "blocks.0",
                  input_columns=None, load_from_cache_file=False)[0]
dead = [row for row in rows if row["status"] == "dead"]
print(len(rows), type(one["image"]).__name__, one["image"].size, one["score"], len(dead), dead[0]["image"])
one["image"].save(sys.argv[3])
"""


@pytest.mark.slow
def test_datasets_shows_the_pictures_at_once(tmp_path):
    pytest.importorskip("datasets")
    filled(tmp_path / "atlas", plan()[:5]).compact()
    filled(tmp_path / "atlas", plan()[5:])  # packs and parts are alike
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hf"), "HF_DATASETS_OFFLINE": "1"}
    files = str(tmp_path / "atlas" / "data" / "**" / "*.parquet")
    picture = tmp_path / "one.png"
    command = [sys.executable, "-c", textwrap.dedent(_LOAD), files, str(tmp_path / "cache"), str(picture)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split("\n")[-2].split() == ["32", "WebPImageFile", "(4,", "4)", "7.25", "4", "None"]
    expected = next(p for p in rows() if (p.layer, p.unit, p.variant) == ("blocks.0", 7, "positive"))
    shown = np.asarray(Image.open(io.BytesIO(picture.read_bytes())).convert("RGB"))
    np.testing.assert_array_equal(shown, decode_webp(expected.image))


@pytest.mark.slow
def test_the_card_names_both_tables_of_an_atlas(tmp_path):
    datasets = pytest.importorskip("datasets")
    folder = filled(tmp_path)
    text = folder.read_bytes("README.md").decode()
    card = pytest.importorskip("yaml").safe_load(text.split("---")[1])
    assert {one["config_name"]: one["data_files"] for one in card["configs"]} == {
        "pictures": "data/**/*.parquet", "units": "facts/*.parquet"
    }  # fmt: skip
    assert card["pretty_name"] == "What drives the units of tiny"
    assert datasets.get_dataset_config_names(str(tmp_path)) == ["pictures", "units"]
