"""Names of the classes of several maps in one list, no two alike, so that a name says which class is meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from phosphene.store.atlas.activation_map import ActivationMap


def class_names(maps: Sequence[ActivationMap]) -> tuple[tuple[str, ...], tuple[Mapping[int, int], ...]]:
    """The names of all classes that some cell speaks for, in alphabetical order, and for each map where in that list a
    class stands. Classes of two maps that are called alike are one.

    A class without a label is "class 281"; one that shares its label with another of its network says its number too.
    """
    named = [_named(one) for one in maps]
    names = sorted({name for found in named for name in found.values()}, key=lambda name: (name.casefold(), name))
    places = {name: place for place, name in enumerate(names)}
    return tuple(names), tuple({index: places[name] for index, name in found.items()} for found in named)


def _named(one: ActivationMap) -> dict[int, str]:
    n_called = Counter(one.labels)
    found = {index for grid in one.grids for cell in grid.cells for index, _ in cell.classes}
    return {index: _name(one.labels, index, n_called) for index in sorted(found)}


def _name(labels: Sequence[str], index: int, n_called: Mapping[str, int]) -> str:
    label = labels[index] if index < len(labels) else ""
    if not label.strip():
        return f"class {index}"
    return label if n_called[label] == 1 else f"{label} (class {index})"
