"""A picture whose score is not finite is a picture still: it is saved, shown and replayed, and so are those after it."""

from __future__ import annotations

import json

import pytest
import torch
from networks import conv_net, quick

import phosphene as ph
from phosphene import store

HUGE = 1e30 * ph.Channel("conv2", 1)
UNITS = [ph.Channel("conv2", 0), HUGE * HUGE, ph.Channel("conv2", 2)]  # the second is beyond float32


@pytest.fixture(scope="module")
def result():
    return quick(conv_net(), UNITS)


def strictly(text):
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_the_picture_keeps_its_start_and_says_so(result):
    start = quick(conv_net(), UNITS, steps=0)
    assert result.status[0] == result.status[2] == "ok"
    assert result.status[1] == "stopped at step 1: score or gradient was not finite; the image before it is kept"
    assert torch.equal(result.images[1], start.images[1])
    assert result.final_scores.isfinite().tolist() == [True, False, True]


def test_it_is_saved_without_a_score_and_those_after_it_with_theirs(result, tmp_path):
    paths = result.save(tmp_path)
    scores = [store.read_png_document(path)["score"] for path in paths]
    assert scores == [result.final_scores[0].item(), None, result.final_scores[2].item()]


def test_its_document_is_strict_json(result):
    assert strictly(json.dumps(result.documents[1], allow_nan=False))["score"] is None


def test_it_is_printed_and_shown(result):
    assert f"{result.names[1]}: score inf" in str(result)
    assert result._repr_html_().count("<img") == 3
    assert result.contact_sheet().size[0] > 0


def test_it_replays_bit_for_bit(result, tmp_path):
    (path,) = result[1].save(tmp_path / "a.png")
    again = ph.replay(path, net=conv_net(), progress=False)
    assert again.identical
    assert again.result.status == result.status[1:2]
