"""``phosphene recipes``."""

from __future__ import annotations

import json
import tomllib

import phosphene as ph


def test_the_named_recipes_are_listed(run) -> None:
    plain, listed = run("recipes"), run("recipes", "list")
    assert plain.stdout == listed.stdout
    assert all(name in plain.stdout for name in ph.recipes.names())
    records = json.loads(run("recipes", "list", "--json").stdout)
    assert [record["name"] for record in records] == [method.name for method in ph.recipes.methods()]
    assert all(record["source"] and record["summary"] and 1980 < record["year"] < 2100 for record in records)


def test_a_shown_recipe_is_the_recipe(run) -> None:
    for name in ph.recipes.names():
        recipe = ph.recipes.get(name)
        assert ph.Recipe.from_json(json.loads(run("recipes", "show", name, "--json").stdout)) == recipe
        assert ph.Recipe.from_json(tomllib.loads(run("recipes", "show", name).stdout)) == recipe


def test_an_unknown_recipe_is_one_message(mistake) -> None:
    assert "chanel" in mistake("recipes", "show", "chanel")
