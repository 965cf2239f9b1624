"""File names of units are readable, and safe everywhere."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.store import file_stem


@pytest.mark.parametrize(
    ("text", "stem"),
    [
        ("blocks.8:7", "blocks.8_7"),
        ("blocks.8:7@3,4", "blocks.8_7@3,4"),
        ("blocks.3:5@7", "blocks.3_5@7"),
        ("classifier:tiger cat", "classifier_tiger-cat"),
        ("classifier:jack-o'-lantern", "classifier_jack-o-lantern"),
        ("../../etc/passwd", "etc-passwd"),
        ("café", "cafe"),
        ("", "unnamed"),
    ],
)
def test_a_unit_reads_as_a_file_name(text: str, stem: str) -> None:
    assert file_stem(text) == stem


@given(st.text(max_size=400))
def test_every_text_gives_a_safe_name(text: str) -> None:
    stem = file_stem(text)
    assert re.fullmatch(r"[A-Za-z0-9_@,+=-][A-Za-z0-9._@,+=-]{0,119}", stem)


def test_long_names_stay_apart() -> None:
    assert file_stem("a" * 500) != file_stem("a" * 501)
