"""The lists over which the laws run hold every public member, so a new one cannot be forgotten."""

from __future__ import annotations

import inspect

import members

import phosphene as ph
from phosphene import objectives, optimizers, parameterizations, regularizers, transforms, units
from phosphene._algebra import Objective, Regularizer


def kinds(values: object) -> set[type]:
    return {type(v) for v in values}  # type: ignore[attr-defined]


def test_every_transform_is_in_the_list() -> None:
    assert members.concrete(transforms, transforms.Transform) == kinds(members.TRANSFORMS)


def test_every_transform_that_can_be_the_identity_is_in_that_list() -> None:
    assert kinds(members.TRANSFORMS) - kinds(members.IDENTITIES) == {transforms.Custom}


def test_every_optimizer_is_in_the_list() -> None:
    assert members.concrete(optimizers, optimizers.Optimizer) == kinds(members.OPTIMIZERS)


def test_every_schedule_is_in_the_list() -> None:
    assert members.concrete(optimizers, optimizers.Schedule) == kinds(members.SCHEDULES)


def test_every_regularizer_is_in_the_list() -> None:
    assert members.concrete(regularizers, Regularizer) == kinds(members.REGULARIZERS)


def test_every_parameterization_is_in_the_list() -> None:
    assert members.concrete(parameterizations, parameterizations.Parameterization) == kinds(members.parameterizations())


def test_every_unit_is_in_the_list() -> None:
    public = {
        c
        for _, c in inspect.getmembers(units, inspect.isclass)
        if issubclass(c, units.Unit) and c.__module__ == units.__name__
    }
    leaves = {c for c in public if not any(issubclass(other, c) for other in public - {c})}
    assert leaves == kinds(members.UNITS)


def test_every_objective_is_in_the_list() -> None:
    assert members.concrete(objectives, Objective) <= kinds(members.OBJECTIVES)


def test_every_recipe_is_in_the_list() -> None:
    named = {name.rstrip("_") for name in ph.recipes.__all__} - {"Recipe", "default_recipe", "get", "names"}
    assert named == set(members.RECIPES)
