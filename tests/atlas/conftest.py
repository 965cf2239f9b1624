"""The tiny networks of the core rooms' tests, and the rigs of this folder, imported by name."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
sys.path[:0] = [str(_HERE), str(_HERE.parent / "core")]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a build with photographs keeps beside an atlas is kept where the tests' own files are."""
    monkeypatch.setenv("PHOSPHENE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed atlas, each job's file by itself; not to be changed."""
    from atlas_rigs import ALL, made
    from networks import conv_net

    where = tmp_path_factory.mktemp("undisturbed") / "parts"
    report = made(conv_net(), where, compact=False, **ALL)
    assert (report.n_rendered, report.n_failed, report.n_lost, report.n_damaged) == (12, 0, 0, 0)
    assert 0 < report.rendering_s < report.worker_s < report.seconds
    assert (report.status.n_done, report.status.n_missing) == (12, 0)
    return where


@pytest.fixture(scope="session")
def undisturbed(parts: Path) -> str:
    """The same, packed; not to be changed."""
    from atlas_rigs import ALL, made
    from networks import conv_net

    where = parts.parent / "packed"
    shutil.copytree(parts, where)
    assert made(conv_net(), where, **ALL).n_rendered == 0
    assert len(list((where / "data" / "conv2").iterdir())) == 1
    return str(where)
