"""The page on most exciting inputs runs as it stands."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest

import phosphene as ph

PAGE = Path(__file__).parents[3] / "docs" / "mei.md"


@pytest.mark.slow
def test_every_block_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Two steps instead of the recipes': what is tested is that every line does what it says.
    monkeypatch.setattr(ph.Recipe, "stage_steps", property(lambda self: (min(2, self.steps),) * len(self.sizes)))
    monkeypatch.setattr(ph, "render", functools.partial(ph.render, progress=False))
    monkeypatch.chdir(tmp_path)
    # The response to an image of two steps may be below 0, of which no share is a floor; a smaller canvas is quicker.
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    code = code.replace("deis = ph.recipes.dei(net, cell, n=3, floor=0.85)",
                        "deis = ph.recipes.dei(net, cell + 20, n=3, floor=0.85, recipe=ph.recipes.mei(112, 112, jitter=0))")  # fmt: skip
    names: dict[str, object] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    assert (tmp_path / "mei.png").is_file()
    assert names["shown"].shape == (1, 3, 224, 224)
    assert len(names["pair"]) == 2
