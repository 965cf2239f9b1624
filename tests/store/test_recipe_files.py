"""Recipes as JSON and TOML files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from phosphene.errors import MissingExtraError, RecipeError, StorageError
from phosphene.store import read_recipe_file, write_recipe_file

RECIPE = {"name": "mine", "steps": 12, "transforms": [{"kind": "Jitter", "pixels": 8}], "optimizer": {"lr": 0.05}}


@pytest.mark.parametrize("suffix", [".json", ".toml", ".TOML"])
def test_a_recipe_comes_back_as_it_went_in(tmp_path: Path, suffix: str) -> None:
    path = write_recipe_file(tmp_path / f"mine{suffix}", RECIPE)
    assert read_recipe_file(path) == RECIPE


def test_toml_leaves_out_what_has_no_value(tmp_path: Path) -> None:
    path = write_recipe_file(tmp_path / "mine.toml", {"a": None, "b": [{"c": None, "d": 1}]})
    assert read_recipe_file(path) == {"b": [{"d": 1}]}


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"suffix '.yaml'; a recipe file ends in .json or .toml"):
        read_recipe_file(tmp_path / "mine.yaml")
    with pytest.raises(StorageError, match=r"ends in \.json or \.toml"):
        write_recipe_file(tmp_path / "mine", RECIPE)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "{", "a.json: the document is not JSON"),
        ("a.json", "[]", "a.json: the document is a JSON list"),
        ("a.toml", "x = ", "a.toml: the document is not TOML"),
        ("a.toml", "x = " + "[" * 20_000, "a.toml: the document is"),
    ],
)
def test_a_malformed_file_is_refused_by_its_path(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(RecipeError, match=message):
        read_recipe_file(tmp_path / name)


def test_a_toml_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match="the document is not TOML"):
        read_recipe_file(tmp_path / "a.toml")


@pytest.mark.parametrize(("name", "value"), [("a.json", float("inf")), ("a.json", object()), ("a.toml", object())])
def test_values_that_the_format_lacks_are_refused(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(RecipeError, match="the recipe cannot be written"):
        write_recipe_file(tmp_path / name, {"x": value})


def test_toml_without_the_extra_prints_the_install_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tomli_w", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'phosphene\[cli\]'"):
        write_recipe_file(tmp_path / "a.toml", RECIPE)
