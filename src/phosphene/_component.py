"""Components are frozen dataclasses with a JSON form; this module writes and reads that form.

The form of a component is ``{"kind": CLASS, FIELD: VALUE, …}``. Reading is strict and inert: unknown kinds and keys,
wrong types and values out of range are refused with their path, and nothing is imported or run unless the caller trusts
the document.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import inspect
import math
import numbers
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache, partial
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin

from phosphene._types import JSON, FrozenArray
from phosphene.errors import ArgumentError, ParameterError, PhospheneError, RecipeError, TrustError, nearest

T = TypeVar("T")
C = TypeVar("C", bound="Component")

#: The rooms that hold components.
_ROOMS = (
    "units",
    "parameterizations",
    "transforms",
    "objectives",
    "regularizers",
    "optimizers",
    "conditioners",
    "projections",
    "stages",
    "models.overrides",
    "spaces",
    "scorers",
    "exchange",
    "sessions",
)
#: What a plain type expects, in messages.
_EXPECTED = types.MappingProxyType(
    {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "None"}
)
#: Levels of a document that are read; honest expressions have a handful.
_MAX_DEPTH = 64
#: Values of all arrays of a document together: 512 MiB of float32.
_MAX_TOTAL = 2**27


@dataclass(frozen=True)
class Component:
    """A frozen value with a JSON form: units, parameterizations, transforms, optimizers, schedules, recipes.

    Numbers and lists are taken as the types that the fields declare, so that equal values have equal JSON forms; a
    class that is only a base says so: ``class Unit(Objective, base=True)``.
    """

    _kinds: ClassVar[dict[str, list[type[Component]]]] = {}
    #: Keys of :mod:`phosphene._references`: the papers and programs that the component follows.
    cites: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, *, base: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" in cls.__annotations__:
            raise TypeError(f"{cls.__name__} has a field called kind, which is what its JSON form calls its class")
        if not base:
            Component._kinds.setdefault(cls.kind(), []).append(cls)

    def __post_init__(self) -> None:
        hints = field_types(type(self))
        for field in fields(self):
            value = getattr(self, field.name)
            fitted = coerce(value, hints[field.name], field.name)
            if fitted is not value:
                object.__setattr__(self, field.name, fitted)

    @property
    def risk(self) -> str:
        """What a recipe from a stranger would do by this component, such as "download https://…"; mostly nothing."""
        return ""

    @classmethod
    def kind(cls) -> str:
        """The name that stands in the JSON form; classes from outside phosphene carry their module."""
        inside = cls.__module__.split(".")[0] == "phosphene"
        return cls.__name__ if inside else f"{cls.__module__}:{cls.__qualname__}"

    def to_json(self) -> dict[str, JSON]:
        """The component as plain JSON values, readable by :func:`decode`."""
        return {"kind": self.kind()} | {f.name: encode(getattr(self, f.name)) for f in fields(self) if f.init}

    @classmethod
    def from_json(cls: type[C], document: object, *, path: str = "", trust: bool = False) -> C:
        """Read :meth:`to_json`'s form.

        Args:
            document: the JSON value.
            path: where it stands, for messages.
            trust: allow functions to be imported by name.

        Raises:
            RecipeError: unknown kind or key, wrong type, value out of range; the message starts with the path.
            TrustError: the document names a function and ``trust`` is false.
        """
        check_size(document)
        return decode(document, cls, path or cls.__name__.lower(), trust=trust)


@cache
def field_types(cls: type[Component]) -> dict[str, Any]:
    """The resolved types of a component's fields."""
    return typing.get_type_hints(cls, localns={"Callable": Callable})


def coerce(value: Any, annotation: Any, name: str) -> Any:
    """``value`` as the number or tuple that ``annotation`` declares, in unions too; whatever else is declared is left
    to the class itself.

    Raises:
        ArgumentError: the value is no such number or list, or nothing that a union declares.
    """
    origin, options = get_origin(annotation), get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        return _coerce_union(value, options, name)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ArgumentError(f"{name} is {value!r}; expected a list")
        items = options[:1] * len(value) if options[-1:] == (Ellipsis,) else options
        fits = len(items) == len(value)
        return tuple(coerce(v, t, name) for v, t in zip(value, items, strict=True)) if fits else tuple(value)
    if annotation in (int, float):
        return _coerce_number(value, annotation, name)
    return value


def _coerce_union(value: Any, options: tuple[Any, ...], name: str) -> Any:
    if isinstance(value, tuple(o for o in options if isinstance(o, type) and o not in (int, float))):
        return value
    lists = [o for o in options if get_origin(o) is tuple]
    if lists and isinstance(value, list | tuple):
        return coerce(value, lists[0], name)
    for option in (o for o in options if o in (int, float)):
        with contextlib.suppress(ArgumentError):
            return coerce(value, option, name)
    if any(_is_left_to_the_class(option, value) for option in options):
        return value
    raise ArgumentError(f"{name} is {value!r}; expected {' or '.join(map(_described, options))}")


def _is_left_to_the_class(option: Any, value: object) -> bool:
    """Whether only the class can tell if ``value`` fits: it may convert to arrays and components, and has better words
    for a text that is none of a few.
    """
    if get_origin(option) is Literal:
        return isinstance(value, str) or any(type(value) is type(o) and value == o for o in get_args(option))
    return get_origin(option) is not tuple and option not in _EXPECTED


def _described(option: Any) -> str:
    if get_origin(option) is Literal:
        return " or ".join(map(repr, get_args(option)))
    return "a list" if get_origin(option) is tuple else _EXPECTED[option]


def _coerce_number(value: Any, kind: type[int] | type[float], name: str) -> int | float:
    number = numbers.Integral if kind is int else numbers.Real
    if isinstance(value, bool) or not isinstance(value, number):
        raise ArgumentError(f"{name} is {value!r}; expected {_EXPECTED[kind]}")
    try:
        return int(value) if kind is int else float(value)  # pyright: ignore[reportArgumentType]
    except OverflowError:
        raise ParameterError(f"{name} is too large; expected a number that a float can hold") from None


def encode(value: Any) -> JSON:
    """A component's field as JSON.

    Raises:
        RecipeError: for a value without a JSON form, such as a lambda.
    """
    if isinstance(value, Component | FrozenArray):
        return value.to_json()
    if isinstance(value, tuple | list):
        return [encode(item) for item in typing.cast("tuple[Any, ...]", value)]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if callable(value):
        return _function_name(value)
    raise RecipeError(f"{type(value).__name__} has no JSON form, so this recipe cannot be written")


def _function_name(function: Callable[..., object]) -> str:
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if isinstance(function, partial):
        return f"functools:partial({_function_name(function.func)})"
    if inspect.ismethod(function) and name and not inspect.isclass(function.__self__):
        # Without its instance it is another function, which nobody shall find in its place.
        name = f"<instance>.{name}"
    # A lambda or a local function keeps its name for the record, but cannot be found again.
    return f"{module}:{name}" if module and name else f"{type(function).__module__}:{type(function).__qualname__}"


def check_size(document: object) -> None:
    """Refuse a document whose arrays, taken together, would fill the memory: a little text can describe many zeros.

    Raises:
        RecipeError: they hold more than :data:`_MAX_TOTAL` values.
    """
    waiting, total = [document], 0
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            shape = value.get("shape")
            whole = isinstance(shape, list) and all(type(n) is int and n >= 0 for n in shape)
            total += math.prod(shape) if whole and isinstance(shape, list) else 0
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    if total > _MAX_TOTAL:
        raise RecipeError(f"document: its arrays hold too many values; at most {_MAX_TOTAL} are read")


def decode(document: object, annotation: Any, path: str, *, trust: bool = False) -> Any:
    """Read ``document`` as a value of type ``annotation``.

    Raises:
        RecipeError: the document does not fit; the message starts with ``path``.
        TrustError: a function is named and ``trust`` is false.
    """
    if path.count(".") + path.count("[") > _MAX_DEPTH:
        raise RecipeError(f"{path[:60]}…: nested deeper than {_MAX_DEPTH} levels")
    origin = get_origin(annotation)
    if origin in (types.UnionType, typing.Union):
        return _decode_union(document, get_args(annotation), path, trust)
    if origin is tuple:
        return _decode_tuple(document, get_args(annotation), path, trust)
    if origin is Literal:
        return _require(document in get_args(annotation), document, path, f"one of {list(get_args(annotation))}")
    if origin is not None or annotation is Callable:
        return _decode_function(document, path, trust)
    if annotation is FrozenArray:
        return _guarded(lambda: FrozenArray.from_json(document), path)
    if isinstance(annotation, type) and issubclass(annotation, Component):
        return _decode_component(document, annotation, path, trust)
    return _decode_plain(document, annotation, path)


def _require(fits: bool, document: object, path: str, expected: str) -> Any:
    if fits:
        return document
    shown = repr(document)
    raise RecipeError(f"{path}: expected {expected}, got {shown if len(shown) < 60 else shown[:57] + '…'}")


def _decode_plain(document: object, annotation: Any, path: str) -> Any:
    if annotation is float and type(document) is int:
        return _guarded(lambda: _coerce_number(document, float, "value"), path)
    names = {**_EXPECTED, type(None): "nothing"}
    return _require(type(document) is annotation, document, path, names.get(annotation, str(annotation)))


def _decode_union(document: object, options: tuple[Any, ...], path: str, trust: bool) -> Any:
    if document is None and type(None) in options:
        return None
    first: RecipeError | None = None
    for option in (o for o in options if o is not type(None)):
        try:
            return decode(document, option, path, trust=trust)
        except RecipeError as error:
            first = first or error
    raise first or RecipeError(f"{path}: nothing is expected here")


def _decode_tuple(document: object, items: tuple[Any, ...], path: str, trust: bool) -> tuple[Any, ...]:
    values = _require(isinstance(document, list | tuple), document, path, "a list")
    if len(items) == 2 and items[1] is Ellipsis:
        items = (items[0],) * len(values)
    _require(len(values) == len(items), document, path, f"a list of {len(items)}")
    pairs = zip(values, items, strict=True)
    return tuple(decode(value, item, f"{path}[{i}]", trust=trust) for i, (value, item) in enumerate(pairs))


def _decode_function(document: object, path: str, trust: bool) -> Any:
    name = _require(isinstance(document, str) and ":" in document, document, path, "a function as 'module:name'")
    if not trust:
        raise TrustError(
            f"{path}: would import {name!r} and run it; allow that with trust=True (--trust) if you know it"
        )
    module, _, attribute = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise RecipeError(f"{path}: cannot find {name!r}: {error}") from None
    return found


def _decode_component(document: object, base: type[Component], path: str, trust: bool) -> Component:
    mapping: Mapping[str, Any] = _require(
        isinstance(document, Mapping), document, path, f"a table of a {base.__name__}"
    )
    cls = _find_kind(mapping.get("kind", base.kind()), base, path)
    hints = field_types(cls)
    own = {f.name: f for f in fields(cls) if f.init}
    for key in mapping:
        if key not in own and key != "kind":
            raise RecipeError(
                f"{path}.{key}: {cls.__name__} has no such key; {nearest(key, own) or 'it has ' + ', '.join(own)}"
            )
    for name, field in own.items():
        if name not in mapping and field.default is field.default_factory is dataclasses.MISSING:
            raise RecipeError(f"{path}.{name}: missing; {cls.__name__} needs it")
    values = {key: decode(mapping[key], hints[key], f"{path}.{key}", trust=trust) for key in own if key in mapping}
    component = _guarded(lambda: cls(**values), path)
    if component.risk and not trust:
        raise TrustError(
            f"{path}: would {component.risk}; allow that with trust=True (--trust) if you know where it comes from"
        )
    return component


def _find_kind(kind: object, base: type[Component], path: str) -> type[Component]:
    # phosphene's own rooms may not have been imported yet; nothing that a document names is imported here.
    for room in _ROOMS:
        importlib.import_module(f"phosphene.{room}")
    # Two rooms may use one name for two things, such as an objective and a transform called Custom: the base decides.
    everything = [c for classes in Component._kinds.values() for c in classes]  # pyright: ignore[reportPrivateUsage]
    kinds = {c.kind(): c for c in everything if issubclass(c, base) and not inspect.isabstract(c)}
    if not isinstance(kind, str) or kind not in kinds:
        hint = nearest(str(kind), kinds) or ", ".join(sorted(kinds))
        raise RecipeError(f"{path}.kind: {kind!r} is no {base.__name__}; {hint}")
    return kinds[kind]


def _guarded(build: Callable[[], T], path: str) -> T:
    try:
        return build()
    except RecipeError:
        raise
    except PhospheneError as error:
        raise RecipeError(f"{path}: {error}") from None


def check(holds: bool, name: str, value: object, expected: str) -> None:
    """Refuse a parameter that is out of range.

    Raises:
        ParameterError: naming the parameter, its value and what was expected.
    """
    if not holds:
        raise ParameterError(f"{name} is {value!r}; expected {expected}")
