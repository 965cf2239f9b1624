"""A block appears with all its files at once, in an order that its seed decides."""

from __future__ import annotations

import csv
import errno
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from phosphene.errors import ArgumentError, ImageError, ParameterError, StorageError
from phosphene.exchange import (
    Display,
    Stimulus,
    block_folder,
    displayed_png,
    folders,
    presentation_order,
    read_block,
    read_references,
    write_block,
)
from phosphene.store import read_png_pixels, write_png

GREY = torch.full((1, 2, 2), 0.5)


def stimuli(n: int, n_references: int = 0, size: int = 3) -> list[Stimulus]:
    generator = torch.Generator().manual_seed(0)
    made = [Stimulus(f"c{i:03d}", torch.rand(3, size, size, generator=generator), f"id-{i}") for i in range(n)]
    return made + [
        Stimulus(f"ref{i}", torch.rand(3, size, size, generator=generator), is_reference=True)
        for i in range(n_references)
    ]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# The order


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 12),
    n_references=st.integers(0, 5),
    repeats=st.integers(1, 4),
    seed=st.integers(0, 2**40),
    how=st.sampled_from(["evenly", "randomly"]),
    data=st.data(),
)
def test_every_stimulus_is_shown_once_before_any_is_shown_again(n, n_references, repeats, seed, how, data):
    given_ = stimuli(n, n_references, size=1)
    order = presentation_order(given_, seed=seed, repeats=repeats, interleave=how)
    assert [shown.position for shown in order] == list(range(1, len(given_) * repeats + 1))
    for n_pass in range(repeats):
        one = order[n_pass * len(given_) : (n_pass + 1) * len(given_)]
        assert sorted(shown.stimulus for shown in one) == sorted(stimulus.name for stimulus in given_)
        assert {shown.trial for shown in one} == {n_pass + 1}
    if len(given_) > 1:
        assert all(a.stimulus != b.stimulus for a, b in itertools.pairwise(order))
    shuffled = data.draw(st.permutations(given_))
    assert presentation_order(shuffled, seed=seed, repeats=repeats, interleave=how) == order


def test_seeds_and_passes_have_orders_of_their_own():
    given_ = stimuli(12)
    orders = {tuple(shown.stimulus for shown in presentation_order(given_, seed=seed, repeats=2)) for seed in range(20)}
    assert len(orders) == 20
    assert all(order[:12] != order[12:] for order in orders)


def test_each_place_is_as_likely_for_each_stimulus():
    given_ = stimuli(4)
    counts = np.zeros((4, 4))
    for seed in range(2000):
        for shown in presentation_order(given_, seed=seed):
            counts[int(shown.stimulus[1:]), shown.position - 1] += 1
    assert (abs(counts - 500) < 5 * (2000 * 3 / 16) ** 0.5).all()


@pytest.mark.parametrize("n_references", [1, 2, 3, 5])
def test_references_are_spread_evenly_among_the_others(n_references):
    order = presentation_order(stimuli(20, n_references), seed=3)
    places = [shown.position for shown in order if shown.stimulus.startswith("ref")]
    gaps = np.diff([0, *places])
    total = 20 + n_references
    assert max(gaps[1:], default=0) - min(gaps[1:], default=0) <= 1
    assert abs(places[0] - (total - places[-1] + 1)) <= total / n_references / 2


def test_an_order_is_the_same_in_every_version():
    order = presentation_order(stimuli(5, 1), seed=7, repeats=2)
    expected = "c002 c003 ref0 c000 c001 c004 c003 c004 ref0 c002 c000 c001"
    assert " ".join(shown.stimulus for shown in order) == expected


@pytest.mark.parametrize(
    ("arguments", "message"), [({"repeats": 0}, "repeats is 0"), ({"interleave": "first"}, "interleave is 'first'")]
)
def test_an_order_out_of_range_is_named(arguments, message):
    with pytest.raises(ParameterError, match=message):
        presentation_order(stimuli(2), seed=0, **arguments)


def test_no_stimuli_and_names_that_a_file_system_takes_for_one_are_refused():
    with pytest.raises(ParameterError, match="expected at least one stimulus"):
        presentation_order([], seed=0)
    with pytest.raises(
        ParameterError, match="two stimuli are called 'cat' and 'CAT'; expected names that differ even where case"
    ):
        presentation_order([Stimulus("cat", GREY), Stimulus("CAT", GREY)], seed=0)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a/b",
        "a\\b",
        "..",
        "a.",
        "-a",
        " a",
        "a b",
        "a,b",
        "é",
        "con",
        "NUL.x",
        "com1",
        "x" * 101,
        "a.png",
        "a.JPG",
        "a\n",
    ],
)
def test_a_name_that_some_file_system_cannot_hold_is_refused(name):
    with pytest.raises(ParameterError, match="name is .*expected at most 100 letters, digits"):
        Stimulus(name, GREY)


def test_what_is_no_picture_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match="the image of stimulus 'a' is a list; expected a tensor"):
        Stimulus("a", [[0.5]])  # type: ignore[arg-type]
    with pytest.raises(ImageError, match="stimulus 'a': a tensor of shape"):
        write_block(tmp_path / "b", [Stimulus("a", torch.zeros(2, 3, 3))], seed=0)
    with pytest.raises(ImageError, match="the bytes of stimulus 'a' are no PNG"):
        write_block(tmp_path / "b", [Stimulus("a", b"GIF89a")], seed=0)
    with pytest.raises(ParameterError, match="stimulus 'a': position is"):
        write_block(tmp_path / "b", [Stimulus("a", GREY)], seed=0, display=Display(position=(50.0, 0.0)))
    assert names_in(tmp_path) == []


# The folder


def test_the_manifests_say_what_is_shown_when(tmp_path):
    folder = block_folder(tmp_path, 12)
    block = write_block(
        folder,
        stimuli(3, 1),
        seed=5,
        repeats=2,
        display=Display(height=9, width=8),
        metadata={"session": "m1", "generation": 12},
    )
    assert names_in(folder) == ["c000.png", "c001.png", "c002.png", "manifest.csv", "manifest.json", "ref0.png"]
    document = json.loads((folder / "manifest.json").read_text())
    assert document["metadata"] == {"session": "m1", "generation": 12}
    assert Display.from_json(document["display"]) == Display(height=9, width=8)
    assert (document["seed"], document["repeats"], document["interleave"]) == (5, 2, "evenly")
    with (folder / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    order = presentation_order(stimuli(3, 1), seed=5, repeats=2)
    assert [(int(row["position"]), int(row["trial"]), row["stimulus"]) for row in rows] == [
        (s.position, s.trial, s.stimulus) for s in order
    ]
    for row in rows:
        assert row["file"] == f"{row['stimulus']}.png"
        assert row["is_reference"] == str(int(row["stimulus"] == "ref0"))
        assert row["candidate"] == ("" if row["stimulus"] == "ref0" else f"id-{int(row['stimulus'][1:])}")
    assert read_block(folder) == block
    assert block.names == ("c000", "c001", "c002", "ref0")


def test_the_pictures_are_what_the_display_shows(tmp_path):
    display = Display(height=7, width=9, position=(2.0, 3.0), aperture="circle", background=0.2)
    made = stimuli(2, 1, size=4)
    write_block(tmp_path / "b", made, seed=0, display=display)
    for stimulus in made:
        expected = np.rint(display.compose(stimulus.image).permute(1, 2, 0).numpy() * 255)
        np.testing.assert_array_equal(read_png_pixels(tmp_path / "b" / stimulus.file), expected)


def test_pictures_come_from_tensors_files_and_whole_pngs(tmp_path):
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    path = write_png(tmp_path / "photo.png", pixels)
    png = displayed_png(torch.zeros(3, 2, 2))
    made = [Stimulus("file", path), Stimulus("text", str(path)), Stimulus("whole", png)]
    write_block(tmp_path / "b", made, seed=0, display=Display(height=6, width=6))
    for name in ("file", "text"):
        shown = read_png_pixels(tmp_path / "b" / f"{name}.png")
        np.testing.assert_array_equal(shown[1:5, 1:5], pixels)
        assert (shown[0] == 128).all()
    assert (tmp_path / "b" / "whole.png").read_bytes() == png


def test_references_are_the_pictures_of_a_folder_under_safe_names(tmp_path):
    for name in ("My cat, asleep.png", "my-cat-asleep.png", "é.png"):
        write_png(tmp_path / name, np.zeros((2, 2, 3), np.uint8))
    (tmp_path / "notes.txt").write_text("x")
    found = read_references(tmp_path)
    assert [stimulus.name for stimulus in found] == [
        "reference_My-cat-asleep",
        "reference_my-cat-asleep-2",
        "reference_e",
    ]
    assert all(stimulus.is_reference for stimulus in found)
    assert write_block(tmp_path / "b", found, seed=0).names == tuple(stimulus.name for stimulus in found)


def test_a_folder_without_references_is_named(tmp_path):
    with pytest.raises(StorageError, match="holds no reference images"):
        read_references(tmp_path)
    with pytest.raises(StorageError, match="is no folder"):
        read_references(tmp_path / "x")


def test_metadata_that_json_cannot_express_are_refused(tmp_path):
    for value in (float("nan"), object()):
        with pytest.raises(ParameterError, match="metadata cannot be written as JSON"):
            write_block(tmp_path / "b", stimuli(1), seed=0, metadata={"x": value})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"format": "phosphene block 1", "stimuli": [1]}',
        '{"format": "phosphene block 1", "stimuli": [{"x": 1}]}',
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(StorageError, match=r"manifest\.json is no manifest of a block, or is damaged"):
        read_block(tmp_path)


def test_a_manifest_of_another_format_is_refused(tmp_path):
    write_block(tmp_path / "b", stimuli(1), seed=0)
    path = tmp_path / "b" / "manifest.json"
    path.write_text(path.read_text().replace("block 1", "block 9"))
    with pytest.raises(StorageError, match="has the format 'phosphene block 9'; expected 'phosphene block 1'"):
        read_block(tmp_path / "b")


# Writing again


def test_a_block_that_is_there_already_stays_as_it_is_with_its_responses(tmp_path):
    folder = tmp_path / "b"
    write_block(folder, stimuli(3), seed=0)
    (folder / "responses.csv").write_text("stimulus,response\n")
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.iterdir()}
    write_block(folder, stimuli(3), seed=0)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.iterdir()} == before
    assert names_in(tmp_path) == ["b"]


def test_a_png_that_was_compressed_otherwise_is_the_same(tmp_path):
    folder = tmp_path / "b"
    write_block(folder, stimuli(1, size=16), seed=0)
    with Image.open(folder / "c000.png") as opened:
        opened.save(folder / "c000.png", compress_level=0)
    write_block(folder, stimuli(1, size=16), seed=0)


@pytest.mark.parametrize("change", ["seed", "picture", "missing", "damaged"])
def test_a_block_with_other_contents_is_an_error_and_stays(tmp_path, change):
    folder = tmp_path / "b"
    write_block(folder, stimuli(3), seed=0)
    picture = folder / "c001.png"
    if change == "picture":
        write_png(picture, np.zeros((3, 3, 3), np.uint8))
    if change == "damaged":
        picture.write_bytes(picture.read_bytes()[:40])
    if change == "missing":
        picture.unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    how = {"seed": r"its manifest\.\w+ is another one", "missing": r"it has no c001\.png"}.get(
        change, r"its c001\.png is another one"
    )
    with pytest.raises(StorageError, match=rf"b is there already, but {how}; nothing was changed"):
        write_block(folder, stimuli(3), seed=int(change == "seed"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert names_in(tmp_path) == ["b"]


def test_a_file_or_a_strange_folder_in_the_way_is_an_error_an_empty_folder_is_not(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "responses.csv").write_text("x")
    (tmp_path / "empty").mkdir()
    for name in ("file", "full"):
        with pytest.raises(StorageError, match=f"{name} is there already, but it has no c000.png"):
            write_block(tmp_path / name, stimuli(1), seed=0)
    write_block(tmp_path / "empty", stimuli(1), seed=0)
    assert names_in(tmp_path / "empty") == ["c000.png", "manifest.csv", "manifest.json"]
    with pytest.raises(StorageError, match="was not written"):
        write_block(tmp_path / "file" / "x", stimuli(1), seed=0)


def test_somebody_else_who_makes_the_folder_in_this_moment_is_not_overwritten(tmp_path, monkeypatch):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x").write_text("theirs")
    monkeypatch.setattr(folders, "_is_taken", lambda folder: False)
    with pytest.raises(StorageError, match="somebody else has made it in this moment"):
        write_block(tmp_path / "b", stimuli(1), seed=0)
    assert names_in(tmp_path) == ["b"]
    assert names_in(tmp_path / "b") == ["x"]


def test_a_full_disk_leaves_nothing_and_is_said(tmp_path, monkeypatch):
    written = []

    def write(path: Path, data: bytes) -> Path:
        if len(written) == 2:
            raise StorageError(f"{path} was not written: the disk is full")
        written.append(path)
        path.write_bytes(data)
        return path

    monkeypatch.setattr(folders, "write_bytes", write)
    with pytest.raises(StorageError, match="the disk is full"):
        write_block(tmp_path / "b", stimuli(3), seed=0)
    assert names_in(tmp_path) == []
    monkeypatch.undo()

    def rename(self: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", rename)
    with pytest.raises(StorageError, match="was not written"):
        write_block(tmp_path / "b", stimuli(3), seed=0)
    assert names_in(tmp_path) == []


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path):
    left = tmp_path / ".phosphene-0123456789abcdef.partial"
    left.mkdir()
    (left / "c000.png").write_bytes(b"half")
    for name in (".phosphene-mine.partial", ".hidden", "gen_0001"):
        (tmp_path / name).mkdir()
    write_block(tmp_path / "gen_0002", stimuli(1), seed=0)
    assert names_in(tmp_path) == [".hidden", ".phosphene-mine.partial", "gen_0001", "gen_0002"]


# Readers and killers

WHOLE = ["c000.png", "c001.png", "c002.png", "c003.png", "manifest.csv", "manifest.json", "ref0.png"]


def test_a_reader_never_sees_a_part_of_a_block(tmp_path):
    seen: dict[str, list[str]] = {}
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for folder in tmp_path.glob("gen_*"):
                names = names_in(folder)
                if seen.setdefault(folder.name, names) != WHOLE or names != WHOLE:
                    seen[folder.name] = names

    reader = threading.Thread(target=watch)
    reader.start()
    for generation in range(25):
        write_block(block_folder(tmp_path, generation), stimuli(4, 1, size=24), seed=generation)
    time.sleep(0.1)
    done.set()
    reader.join(30)
    assert len(seen) == 25
    assert all(names == WHOLE for names in seen.values())


def test_a_writer_that_is_killed_leaves_whole_blocks_and_nothing_that_a_reader_sees(tmp_path):
    moments = random.Random(0)
    n_left = 0
    command = [sys.executable, "-c", FORKING]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        for n in range(12):
            parent = tmp_path / str(n)
            print(parent, file=writer.stdin, flush=True)
            pid = int(writer.stdout.readline())
            wait_until(parent.exists)
            time.sleep(0.1 * moments.random())
            os.kill(pid, signal.SIGKILL)
            assert writer.stdout.readline() == "gone\n"
            n_left += check_whole_and_clean(parent)
    assert n_left > 0, "no kill fell into a write: the moments are badly chosen"


FORKING = """
import os, sys, torch
from phosphene.exchange import Stimulus, block_folder, write_block
torch.set_num_threads(1)
made = [Stimulus(f"c{i:03d}", torch.full((3, 64, 64), i / 8)) for i in range(4)] + [Stimulus("ref0", torch.ones(3, 64, 64), is_reference=True)]
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        for generation in range(100000):
            write_block(block_folder(line.strip(), generation), made, seed=generation)
    print(pid, flush=True)
    os.waitpid(pid, 0)
    print("gone", flush=True)
"""


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def check_whole_and_clean(parent: Path) -> int:
    """How many folders in the making a killed writer left; the next writer removes them, and goes on."""
    if not parent.exists():
        return 0
    blocks = sorted(parent.glob("gen_*"))
    assert all(names_in(folder) == WHOLE for folder in blocks)
    assert all(len(read_png_pixels(path)) == 64 for folder in blocks[-1:] for path in folder.glob("*.png"))
    hidden = [path for path in parent.iterdir() if path not in blocks]
    assert all(path.name.startswith(".phosphene-") for path in hidden)
    made = [Stimulus(f"c{i:03d}", torch.full((3, 64, 64), i / 8)) for i in range(4)] + [
        Stimulus("ref0", torch.ones(3, 64, 64), is_reference=True)
    ]
    for generation in range(len(blocks) + 1):
        write_block(block_folder(parent, generation), made, seed=generation)
    assert names_in(parent) == [f"gen_{i:04d}" for i in range(len(blocks) + 1)]
    return len(hidden)
