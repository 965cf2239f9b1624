"""A rig behind a folder as a black box: somebody else writes the responses, in a thread of their own."""

from __future__ import annotations

import csv
import threading
import time

import numpy as np
import pytest
import torch
from networks import random_images
from PIL import Image

from phosphene.errors import ParameterError, StorageError, TrustError
from phosphene.exchange import Display
from phosphene.scorers import FolderScorer, as_scorer, reopen

CPU = torch.device("cpu")
QUICK = {"poll_s": 0.01, "settle_s": 0.02, "timeout_s": 20.0}


def images(n=4):
    return random_images(n, 3, (4, 6), dtype=torch.float32)


class Rig(threading.Thread):
    """Looks at the pictures of every block, and answers with their mean, by the file ``answer(rows)`` makes of it."""

    def __init__(self, folder, n_blocks, answer):
        super().__init__(daemon=True)
        self.folder, self.n_blocks, self.answer, self.shown = folder, n_blocks, answer, []
        self.start()

    def run(self):
        for number in range(self.n_blocks):
            block, until = self.folder / f"gen_{number:04d}", time.monotonic() + 20
            while not block.exists() and time.monotonic() < until:
                time.sleep(0.01)
            with (block / "manifest.csv").open() as file:
                rows = [(r["stimulus"], int(r["trial"]), self._mean(block / r["file"])) for r in csv.DictReader(file)]
            self.shown.append(rows)
            text = "\n".join(["stimulus,trial,response_0,response_1", *self.answer(rows), ""])
            (block / "tmp").write_text(text)
            (block / "tmp").rename(block / "responses.csv")

    @staticmethod
    def _mean(path):
        with Image.open(path) as picture:
            return float(np.asarray(picture).mean() / 255)


def every(rows):
    return [f"{name},{trial},{mean},{2 * mean + trial}" for name, trial, mean in rows]


def test_responses_come_back_through_the_folder(tmp_path):
    rig = Rig(tmp_path, 2, every)
    with FolderScorer(tmp_path, **QUICK).open(CPU) as respond:
        first, second = respond(images()), respond(images(3))
    rig.join(20)
    mean = images().mean((1, 2, 3)).double().numpy()
    np.testing.assert_allclose(first[:, 0].numpy(), mean, atol=2e-3)
    np.testing.assert_allclose(first[:, 1].numpy(), 2 * mean + 1, atol=4e-3)
    assert second.shape == (3, 2)
    assert [len(rows) for rows in rig.shown] == [4, 3]


def test_trials_are_averaged_and_lost_ones_do_not_count(tmp_path):
    def answer(rows):
        kept = [row for row in rows if row[0] != "image_0002"]
        return [f"{n},{t},{'nan' if (n, t) == ('image_0001', 1) else t},{10 * t}" for n, t, _ in kept]

    rig = Rig(tmp_path, 1, answer)
    with FolderScorer(tmp_path, repeats=3, **QUICK).open(CPU) as respond:
        found = respond(images())
    rig.join(20)
    np.testing.assert_array_equal(found.numpy(), [[2, 20], [2.5, 20], [np.nan, np.nan], [2, 20]])
    assert len(rig.shown[0]) == 12


def test_the_display_and_the_seed_of_the_order_count(tmp_path):
    rigs = [Rig(tmp_path / str(seed), 1, every) for seed in (0, 1)]
    for seed, _ in enumerate(rigs):
        box = FolderScorer(tmp_path / str(seed), Display(height=8, width=12, background=0.5), seed=seed, **QUICK)
        with box.open(CPU) as respond:
            found = respond(torch.ones(4, 3, 4, 6))
        np.testing.assert_allclose(found[:, 0].numpy(), 0.25 + 0.75 * 128 / 255, atol=2e-3)
    for rig in rigs:
        rig.join(20)
    assert [row[0] for row in rigs[0].shown[0]] != [row[0] for row in rigs[1].shown[0]]


def test_a_file_that_cannot_be_used_is_waited_over_and_named_when_time_is_up(tmp_path):
    rig = Rig(tmp_path, 1, lambda rows: ["nobody,1,2,3"])
    options = {**QUICK, "timeout_s": 0.5}
    with (
        FolderScorer(tmp_path, **options).open(CPU) as respond,
        pytest.raises(StorageError, match="within 0.5 s.*before that: .*responses.csv.*nobody"),
    ):
        respond(images())
    rig.join(20)


def test_silence_ends_with_the_time(tmp_path):
    with FolderScorer(tmp_path, **{**QUICK, "timeout_s": 0.1}).open(CPU) as respond:
        with pytest.raises(StorageError, match=r"no responses came within 0.1 s"):
            respond(images())
        with pytest.raises(StorageError, match="gen_0001"):
            respond(images())


def test_no_images_are_no_block(tmp_path):
    with FolderScorer(tmp_path, **QUICK).open(CPU) as respond:
        assert respond(images(0)).shape == (0, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_full_folder_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("phosphene.scorers.folder_scorer._MAX_BLOCKS", 1)
    (tmp_path / "gen_0000").mkdir()
    with FolderScorer(tmp_path, **QUICK).open(CPU) as respond, pytest.raises(StorageError, match="it holds 1 blocks"):
        respond(images())


def test_the_record_needs_trust_and_comes_back(tmp_path):
    box = FolderScorer(tmp_path, Display(size=9), 2, 7, 1.0)
    with pytest.raises(TrustError, match="would write images to the folder"):
        reopen(box.describe())
    assert reopen(box.describe(), trust=True) == as_scorer(box)
    assert box.name == str(tmp_path)


@pytest.mark.parametrize(
    "options", [{"repeats": 0}, {"repeats": 10_001}, {"seed": -1}, {"poll_s": 0.0}, {"settle_s": -1}, {"timeout_s": -1}]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ParameterError, match=f"{next(iter(options))} is"):
        FolderScorer("folder", **options)
