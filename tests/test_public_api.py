"""The public names and how they are called. A change is a decision: ``python tests/test_public_api.py`` records it."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import phosphene as ph

SNAPSHOT = Path(__file__).with_name("public_api.txt")
MOST = 40


def signatures() -> list[str]:
    return [f"{name}{_signature(getattr(ph, name))}" for name in sorted(ph.__all__)]


def _signature(value: object) -> str:
    if isinstance(value, ModuleType):
        return ": module"
    if not callable(value):
        return f": {type(value).__name__}"
    parameters = inspect.signature(value).parameters.values()
    # Names, kinds and defaults; annotations are pyright's business and read differently under the tests' type checks.
    return str(inspect.Signature([parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]))


def test_the_public_names_and_signatures_are_the_recorded_ones() -> None:
    assert signatures() == SNAPSHOT.read_text(encoding="utf-8").splitlines()


def test_there_are_few_public_names() -> None:
    assert len(ph.__all__) <= MOST
    assert sorted(ph.__all__) == dir(ph)


def test_the_version_is_that_of_the_installed_package() -> None:
    assert version("phosphene") == ph.__version__


def test_entry_points_take_at_most_three_positional_arguments() -> None:
    for name in ("load", "wrap", "layers", "render", "replay"):
        parameters = inspect.signature(getattr(ph, name)).parameters.values()
        assert sum(parameter.kind is parameter.POSITIONAL_OR_KEYWORD for parameter in parameters) <= 3, name


def test_every_public_name_says_what_it_is() -> None:
    assert [name for name in ph.__all__ if not inspect.getdoc(getattr(ph, name))] == []


if __name__ == "__main__":
    SNAPSHOT.write_text("\n".join(signatures()) + "\n", encoding="utf-8")
