"""Every sheet of the gallery can be made, offline, and the page shows those that are there."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections import OrderedDict
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import phosphene as ph

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "examples"))

import gallery  # noqa: E402
from gallery_rows import ROWS  # noqa: E402
from gallery_rows.layout import Picture, Strip, composed  # noqa: E402
from gallery_rows.studio import Studio  # noqa: E402

SHEETS = ROOT / "docs" / "gallery"
PAGE = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
LABELS = ("goldfish", "fountain", "tabby", "espresso", "shower cap", "sombrero")
N_CHANNELS = 64


@pytest.fixture(scope="module")
def studio() -> Studio:
    """A random network with the layers that the rows name."""
    blocks = [
        nn.Sequential(nn.Conv2d(N_CHANNELS, N_CHANNELS, 3, 1 + (i in (1, 3)), 1, groups=N_CHANNELS), nn.SiLU())
        for i in range(16)
    ]
    parts = OrderedDict(
        stem=nn.Conv2d(3, N_CHANNELS, 3, 2, 1),
        blocks=nn.Sequential(*blocks),
        pool=nn.AdaptiveAvgPool2d(1),
        flat=nn.Flatten(),
        classifier=nn.Linear(N_CHANNELS, len(LABELS)),
    )
    module = nn.Sequential(parts)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / fan_in**0.5)
    net = ph.wrap(module, mean=0.5, std=0.5, input_size=(32, 32), n_channels=3, labels=LABELS)
    return Studio(net, most_steps=2, most_pixels=32, most_views=2)


@pytest.mark.parametrize("name", ROWS)
def test_a_sheet_is_made(name, studio, tmp_path):
    pytest.importorskip("skimage")
    told = gallery.make(studio, name, tmp_path / f"{name}.jpg")
    if told.startswith("left out"):
        pytest.skip(f"{name}: {told}; pip install --no-deps gan-face-generate==1.1.1")
    shown = np.asarray(Image.open(tmp_path / f"{name}.jpg"))
    assert shown.shape[1] >= 1000
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.jpg"]
    # Pictures, not paper alone.
    assert shown.std() > 10


def test_the_page_shows_each_sheet_and_there_are_no_others():
    there = {path.stem for path in SHEETS.iterdir()}
    assert there <= set(ROWS)
    assert set(re.findall(r"\]\(gallery/([\w-]+)\.jpg\)", PAGE)) >= there
    assert set(re.findall(r"\]\(gallery/([\w-]+)\.jpg\)", PAGE)) == set(ROWS)


def test_the_sheets_are_small():
    assert sum(path.stat().st_size for path in SHEETS.iterdir()) < 4e6


def test_the_calls_on_the_page_fit_the_functions():
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    calls = [node for block in blocks for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Call)]
    known = [(call, found) for call in calls if (found := _public(ast.unparse(call.func))) is not None]
    assert len(known) > 25
    for call, function in known:
        named = {keyword.arg: None for keyword in call.keywords if keyword.arg is not None}
        inspect.signature(function).bind(*call.args, **named)


def _public(path: str) -> object:
    """The function or class that ``ph. …`` names."""
    names = path.split(".")
    return reduce(getattr, names[1:], ph) if names[0] == "ph" else None


def test_strips_stand_below_each_other_with_their_pictures():
    red, grey = torch.zeros(3, 20, 10), torch.full((4, 30, 10), 0.5)
    red[0] = 1
    sheet = np.asarray(
        composed("title", [Strip("one", [Picture(red, "red")], 10), Strip("two", [Picture(grey, "")], 10)])
    )
    assert ((sheet == (255, 0, 0)).all(2)).sum() == 200
    # Half opaque grey on paper.
    assert (np.abs(sheet.astype(int) - np.array((189, 188, 186))).max(2) <= 2).sum() >= 300
