"""How far an atlas is, and a picture of it made again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from atlas_rigs import Interrupted, awkward_net, made, rows_of
from networks import conv_net

import phosphene as ph
from phosphene.atlas.state import status
from phosphene.errors import NetworkError, UnitRangeError
from phosphene.render.display import to_uint8
from phosphene.store.atlas import AtlasFolder, open_atlas
from phosphene.store.webp import decode_webp

ALL: dict[str, Any] = {
    "layers": ["conv2", "classifier"],
    "units": {"conv2": [1, 4, 5], "classifier": [3]},
    "negative": True,
    "diversity": 2,
    "seeds": [2, 4],
    "steps": 1,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> AtlasFolder:
    where = str(tmp_path_factory.mktemp("again") / "atlas")
    made(conv_net(), where, **ALL)
    return open_atlas(where)


def test_the_state_of_an_atlas_counts_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        made(awkward_net(), tmp_path / "a", layers=["unit"], negative=True, backend=Interrupted(1), device="cpu")
    now = status(open_atlas(str(tmp_path / "a")))
    assert (now.n_planned, now.n_done, now.n_missing) == (12, 4, 8)
    assert now.by_status == {"ok": 1, "dead": 1, "not_finite": 1, "failed": 1}
    assert [(one.variant, one.n_planned, one.n_done) for one in now.layers] == [("positive", 6, 4), ("negative", 6, 0)]
    assert now.n_bytes == sum(path.stat().st_size for path in (tmp_path / "a" / "data").rglob("*.parquet"))
    assert now.remaining_s is None  # of the negative ones nothing is known yet
    assert (now.damaged, now.facts) == ((), ())


def test_the_time_that_is_left_is_known_once_each_kind_was_rendered(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        made(awkward_net(), tmp_path / "a", layers=["unit"], backend=Interrupted(1), device="cpu")
    now = status(open_atlas(str(tmp_path / "a")))
    assert now.remaining_s == pytest.approx(2 * now.layers[0].seconds)
    assert now.layers[0].seconds > 0


def test_damaged_files_and_facts_are_named(tmp_path: Path) -> None:
    made(conv_net(), tmp_path / "a", layers=["conv1"])
    (pack,) = (tmp_path / "a" / "data" / "conv1").iterdir()
    pack.write_bytes(b"PAR1" + bytes(50) + b"PAR1")
    now = status(open_atlas(str(tmp_path / "a")))
    assert now.damaged == (f"data/conv1/{pack.name}",)
    assert now.facts == ("conv1",)


@pytest.mark.parametrize(
    "which",
    [
        ("conv2", 5, "positive", 0, 4),
        ("conv2", 1, "negative", 0, 2),
        ("conv2", 4, "diverse", 1, 2),
        ("classifier", 3, "diverse", 1, 2),
    ],
)
def test_a_picture_is_made_again_bit_for_bit(folder: AtlasFolder, which: Any) -> None:
    layer, unit, variant, member, seed = which
    (row,) = (p for p in folder.unit(layer, unit) if (p.variant, p.member, p.seed) == (variant, member, seed))
    again = ph.atlas.render_again(conv_net(), folder.manifest, layer, unit, variant=variant, member=member, seed=seed)
    assert row.image is not None
    assert np.array_equal(to_uint8(again.images[0]), decode_webp(row.image))
    if variant == "positive":
        assert float(again.final_scores[0]) == row.score
        assert float(again.robust_scores[0]) == pytest.approx(row.robust_score)


def test_made_again_it_carries_what_replays_it(folder: AtlasFolder, tmp_path: Path) -> None:
    made_again = ph.atlas.render_again(conv_net(), folder.manifest, "conv2", 5)
    made_again.save(tmp_path / "unit.png")
    assert ph.replay(tmp_path / "unit.png", net=conv_net(), progress=False).identical


def test_of_a_batch_that_raises_a_picture_is_made_alone(tmp_path: Path) -> None:
    made(awkward_net(), tmp_path / "a", layers=["unit"])
    manifest = open_atlas(str(tmp_path / "a")).manifest
    (row,) = (row for row in rows_of(str(tmp_path / "a")).values() if row.unit == 0)
    again = ph.atlas.render_again(awkward_net(), manifest, "unit", 0, device="cpu")
    difference = to_uint8(again.images[0]).astype(int) - decode_webp(row.image).astype(int)  # type: ignore[arg-type]
    assert np.abs(difference).max() <= 1
    with pytest.raises(RuntimeError, match="channel 2 has no gradient"):
        ph.atlas.render_again(awkward_net(), manifest, "unit", 2)


@pytest.mark.parametrize(
    "which", [("conv2", 6, {}), ("conv9", 0, {}), ("conv2", 1, {"seed": 3}), ("conv2", 1, {"member": 1})]
)
def test_what_was_not_planned_is_not_made(folder: AtlasFolder, which: Any) -> None:
    layer, unit, how = which
    with pytest.raises(UnitRangeError, match=f"plans no picture of {layer}:{unit}"):
        ph.atlas.render_again(conv_net(), folder.manifest, layer, unit, **how)


def test_other_weights_do_not_make_it(folder: AtlasFolder) -> None:
    net = conv_net()
    with torch.no_grad():
        next(net.module.parameters()).zero_()
    with pytest.raises(NetworkError, match="have changed"):
        ph.atlas.render_again(net, folder.manifest, "conv2", 1)
