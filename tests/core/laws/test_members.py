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
    assert kinds(members.TRANSFORMS) - kinds(members.IDENTITIES) == {transforms.Custom, transforms.CollapseAlpha}


def test_every_optimizer_is_in_the_list() -> None:
    assert members.concrete(optimizers, optimizers.Optimizer) == kinds(members.OPTIMIZERS)


def test_every_schedule_is_in_the_list() -> None:
    assert members.concrete(optimizers, optimizers.Schedule) == kinds(members.SCHEDULES)


def test_every_regularizer_is_in_the_list() -> None:
    assert members.concrete(regularizers, Regularizer) == kinds((*members.REGULARIZERS, *members.ALPHA_REGULARIZERS))


def test_every_parameterization_is_in_the_list() -> None:
    assert members.concrete(parameterizations, parameterizations.Parameterization) == kinds(
        (*members.parameterizations(), *members.latents())
    )


def test_every_unit_is_in_the_list() -> None:
    public = {
        c
        for _, c in inspect.getmembers(units, inspect.isclass)
        if issubclass(c, units.Unit) and c.__module__ == units.__name__
    }
    leaves = {c for c in public if not any(issubclass(other, c) for other in public - {c})}
    assert leaves == kinds(members.UNITS)


def test_every_objective_is_in_the_list() -> None:
    listed = (*members.OBJECTIVES, *members.COUPLED, *members.SEEING)
    assert members.concrete(objectives, Objective) <= kinds(listed)


def test_every_recipe_is_in_the_list() -> None:
    makers = {method.make for method in ph.recipes.methods()}
    public = {getattr(ph.recipes, name) for name in ph.recipes.__all__ if callable(getattr(ph.recipes, name))}
    returning = {maker for maker in public if getattr(maker, "__annotations__", {}).get("return") == "Recipe"}
    others = {ph.recipes.default_recipe, ph.recipes.get, ph.recipes.transparent, ph.recipes.generator_recipe}
    assert returning - others <= makers
    assert tuple(m.name for m in ph.recipes.methods() if m.start == "noise") == members.RECIPES
