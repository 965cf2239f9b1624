"""Sheets of parameters: one unit over two axes of a recipe, in one labelled picture, as the grids of Distill's article
on feature visualization (Olah, Mordvintsev and Schubert 2017).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, Final

from phosphene._component import Component
from phosphene.errors import ArgumentError, ParameterError, nearest
from phosphene.models.network import Network
from phosphene.objectives import Objective
from phosphene.recipes.sheets import Sheet, rendered
from phosphene.render import Recipe, default_recipe
from phosphene.render.progress import Progress

#: Short names of parameters that are deeper in a recipe.
_SHORT: Final = {"lr": "optimizer.lr", "height": "parameterization.height", "width": "parameterization.width"}
Values = Mapping[str, Iterable[Any]]


def parameter_sheet(  # noqa: PLR0913 - an entry point, keyword-only
    net: Network,
    unit: Objective,
    *,
    rows: Values,
    columns: Values,
    recipe: Recipe | Callable[..., Recipe] | None = None,
    title: str = "",
    seed: int = 0,
    progress: Progress = True,
) -> Sheet:
    """One unit over two parameters of a recipe: ``parameter_sheet(net, unit, rows={"lr": [0.01, 0.05]},
    columns={"steps": [32, 128]})``.

    All pictures start from the same noise. The axis "steps" costs one render for all its values: the pictures are
    snapshots, which are the same bits as those of runs of so many steps; in recipes of several stages it costs one for
    each, like any other axis.

    Args:
        net: the network.
        unit: what all pictures show.
        rows: one name and its values. Of a recipe, the name is a path to a part, such as "parameterization.decay",
            "optimizer.beta1" or "transforms.2.pixels", or "lr", "height", "width"; of a function, one of its
            parameters.
        columns: likewise.
        recipe: a recipe, or a function that makes one, such as ``ph.recipes.penalized``, which is called with the
            cell's values and the network's number of channels, if it takes that; a function of a photograph as
            ``functools.partial(ph.recipes.accentuation, image)``. By default the unit's own recipe.
        title: printed over the sheet.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`, for each render.

    Raises:
        ParameterError: an axis has no name or several, no values, or the name of the other; the recipe has no such
            parameter, or a value is out of its range.
        ArgumentError: the function needs a parameter that is no axis, such as a photograph.
        KeyboardInterrupt: a person broke off.
    """
    (down, down_values), (across, across_values) = _axis("rows", rows), _axis("columns", columns)
    if down == across:
        raise ParameterError(f"rows and columns both vary {down!r}; expected two parameters")
    how = default_recipe(unit, net) if recipe is None else recipe
    table = [[_recipe_of(how, {down: a, across: b}, net) for b in across_values] for a in down_values]
    images, results = rendered(net, unit, table, seed=seed, progress=progress)
    return Sheet(_names(down, down_values), _names(across, across_values), images, results, title)


def _axis(which: str, given: Values) -> tuple[str, list[Any]]:
    """The name and the values of an axis."""
    if len(given) != 1:
        raise ParameterError(f"{which} names {list(given)}; expected one parameter, such as {{'lr': [0.01, 0.05]}}")
    name, values = next(iter(given.items()))
    if not (found := list(values)):
        raise ParameterError(f"{which} has no values for {name!r}; give at least one")
    return name, found


def _recipe_of(how: Recipe | Callable[..., Recipe], settings: Mapping[str, Any], net: Network) -> Recipe:
    """A recipe with some parameters changed, or made with them."""
    if isinstance(how, Recipe):
        made: Any = how
        for name, value in settings.items():
            made = _changed(made, _SHORT.get(name, name).split("."), value, name)
        return made
    known = inspect.signature(how).parameters
    for name in settings:
        if name not in known:
            raise ParameterError(f"the recipe's function has no parameter {name!r}; {_hint(name, known)}")
    given = {"channels": net.n_channels, **settings} if "channels" in known else dict(settings)
    if needed := [name for name, parameter in known.items() if _is_needed(parameter) and name not in given]:
        name = getattr(how, "__name__", "the function")
        raise ArgumentError(
            f"the recipe's function needs {' and '.join(needed)}; give recipe=functools.partial({name}, "
            f"{', '.join(f'{n}=…' for n in needed)})"
        )
    return how(**given)


def _is_needed(parameter: inspect.Parameter) -> bool:
    is_one = parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return is_one and parameter.default is parameter.empty


def _changed(part: Any, path: Sequence[str], value: Any, name: str) -> Any:
    """A component or tuple in which the part at the end of ``path`` is ``value``."""
    if not path:
        return value
    if isinstance(part, tuple):
        items: list[Any] = list(part)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        known = [str(i) for i in range(len(items))]
    else:
        items, known = [], [field.name for field in fields(part) if field.init] if isinstance(part, Component) else []
    if path[0] not in known:
        raise ParameterError(f"the recipe has no parameter {name!r}: no {path[0]!r}; {_hint(path[0], known)}")
    if isinstance(part, tuple):
        number = int(path[0])
        items[number] = _changed(items[number], path[1:], value, name)
        return tuple(items)
    return replace(part, **{path[0]: _changed(getattr(part, path[0]), path[1:], value, name)})


def _hint(name: str, known: Iterable[str]) -> str:
    options = list(known)
    return nearest(name, options) or f"there are {', '.join(options) or 'none'}"


def _names(path: str, values: Iterable[object]) -> tuple[str, ...]:
    """The end of a path with each value, such as "pixels 8" for "transforms.1.pixels"."""
    last = path.rpartition(".")[2]
    name = path if last.isdigit() else last
    return tuple(f"{name} {value:g}" if isinstance(value, int | float) else f"{name} {value}" for value in values)
