"""The names of components: none stands for two things of one kind, and all are known whatever was imported first."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections import Counter

import pytest
from members import ALGEBRA, OPTIMIZERS, RECIPES, REGULARIZERS, SCHEDULES, TRANSFORMS, UNITS, name_of, parameterizations

import phosphene as ph
from phosphene import objectives, optimizers, transforms
from phosphene import parameterizations as rooms
from phosphene._component import Component


def subclasses(cls):
    for sub in cls.__subclasses__():
        yield sub
        yield from subclasses(sub)


#: Classes of phosphene's own that others are kinds of; documents are read as one of these.
BASES = {c for sub in set(subclasses(Component)) for c in sub.__mro__[1:] if issubclass(c, Component)} - {Component}
OWN = {c for c in subclasses(Component) if c.__module__.startswith("phosphene.")}


@pytest.mark.parametrize("base", sorted(BASES & OWN, key=lambda c: c.__name__), ids=lambda c: c.__name__)
def test_no_two_kinds_of_one_base_share_a_name(base):
    kinds = Counter(c.kind() for c in OWN if issubclass(c, base) and not inspect.isabstract(c))
    assert kinds
    assert [name for name, n in kinds.items() if n > 1] == []


def test_the_doors_of_documents_are_bases():
    doors = {ph.objectives.Objective, optimizers.Optimizer, transforms.Transform, rooms.Parameterization}
    assert doors <= BASES


DOORS = {
    "objectives.Objective": (*UNITS, *ALGEBRA, *REGULARIZERS),
    "optimizers.Optimizer": OPTIMIZERS,
    "optimizers.Schedule": SCHEDULES,
    "transforms.Transform": tuple(t for t in TRANSFORMS if t.kind() != "Custom"),
    "parameterizations.Parameterization": parameterizations(),
    "render.Recipe": tuple(ph.recipes.get(name) for name in RECIPES),
}
READER = """
import importlib, json, sys
documents = json.load(sys.stdin)
first, asked = sys.argv[1], sys.argv[2:]
importlib.import_module(first)
for door in sorted(documents, reverse=first > "phosphene.p"):
    room, name = door.split(".")
    base = getattr(importlib.import_module("phosphene." + room), name)
    for document in documents[door]:
        assert base.from_json(document).to_json() == document, document
    print(door, len(documents[door]))
"""


def read_in_a_fresh_process(first, doors):
    documents = {door: [one.to_json() for one in doors[door]] for door in doors}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", READER, first],
        input=json.dumps(documents),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-600:]
    return dict(line.split() for line in done.stdout.splitlines())


@pytest.mark.parametrize("first", ["phosphene.transforms", "phosphene.render.document", "phosphene"])
def test_every_component_is_read_whatever_room_came_first(first):
    counts = read_in_a_fresh_process(first, DOORS)
    assert counts == {door: str(len(members)) for door, members in DOORS.items()}


@pytest.mark.parametrize("door", sorted(DOORS))
def test_every_component_is_read_through_its_own_room_alone(door):
    counts = read_in_a_fresh_process(f"phosphene.{door.split('.')[0]}", {door: DOORS[door]})
    assert counts == {door: str(len(DOORS[door]))}


@pytest.mark.parametrize("objective", ALGEBRA, ids=name_of)
def test_an_expression_is_read_as_an_objective(objective):
    assert objectives.Objective.from_json(json.loads(json.dumps(objective.to_json()))) == objective
