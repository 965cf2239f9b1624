"""What a person may ask of an atlas, and what can be refused of it before a network is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, TypedDict, cast

from phosphene._component import check
from phosphene.atlas.choosing import Units
from phosphene.collection.plan import whole
from phosphene.errors import ArgumentError, ImageError, ParameterError, RecipeError, TrustError
from phosphene.models.network import Network
from phosphene.render.recipe import Recipe
from phosphene.store.atlas.manifest import PictureFormat

_MOST_PICTURES = 4096
_MOST_SEEDS = 1000
_MAX_SEED = 2**63 - 1
_MAX_SIDE, _MAX_STEPS = 2**14, 10**6
_LONGEST = 10**7
#: Files of which one must be a photograph; where there are more, the reading itself will show.
_MOST_TRIED = 1000


class Wishes(TypedDict, total=False):
    """What an atlas is to show, and how.

    Attributes:
        layers: names of layers; by default twelve at most (:func:`phosphene.atlas.atlas_layers`): blocks of every
            resolution, and the layer whose output is the network's, whose units are classes.
        units: "all", numbers of units for all layers, or a mapping of layers to numbers (None: all of the layer).
        recipe: how all pictures are made; by default small ones, of channels those of
            :func:`phosphene.blocks.icon_of_channel`, which the network sees as they are, not enlarged.
        size: height and width in pixels, instead of the recipe's.
        steps: number of steps, instead of the recipe's.
        negative: whether there is also a picture of what drives each unit least.
        diversity: pictures of each unit that differ from each other, 0 or from 2. How much is balanced for each unit:
            pictures all alike would lose what the unit gives them (``recipes.diversity``).
        seeds: how many positive (and negative) pictures of each unit, or the seeds themselves.
        pictures: how they are stored; by default without loss.
        batch_size: pictures that are rendered together, which decides their last bits; by default what suits the
            device where they are rendered, or what an atlas was begun with.
    """

    layers: Iterable[str] | str | None
    units: Units
    recipe: Recipe | None
    size: int | None
    steps: int | None
    negative: bool
    diversity: int
    seeds: int | Iterable[int]
    pictures: PictureFormat
    batch_size: int | None


def check_images(net: Network, images: object) -> None:
    """Refuse photographs of which none can be read, before everything is rendered.

    Raises:
        ImageError: none can.
    """
    from phosphene.collection.reading import Reader
    from phosphene.collection.sources import open_source

    source, reader = open_source(images), Reader(net)
    if source.again is None or not source.n or source.n > _MOST_TRIED:
        return
    reasons: list[str] = []
    for number in range(source.n):
        found = reader.read(source.again(number))
        if not isinstance(found, str):
            return
        reasons.append(f"{source.key(number)}: {found}")
    raise ImageError(f"no image can be read from {source.name}; the first is {reasons[0]}")


def listed(wishes: Wishes) -> Wishes:
    """The wishes, of which everything can be gone through again: what is given one by one becomes a list."""
    kept: dict[str, Any] = dict(wishes)
    for name in ("layers", "units", "seeds"):
        if name in kept:
            kept[name] = _listed(kept[name])
    return cast("Wishes", kept)


def _listed(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _listed(one) for key, one in cast("Mapping[Any, object]", value).items()}
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        return value
    return list(islice(cast("Iterable[object]", value), _LONGEST + 1))


def check_wishes(wishes: Mapping[str, Any]) -> None:
    """Refuse what no network could make good.

    Raises:
        ArgumentError: a wish that there is not, or of the wrong kind.
        ParameterError: a number out of range, or a recipe that names functions.
    """
    known = Wishes.__annotations__
    if unknown := sorted(set(wishes) - set(known)):
        raise ArgumentError(f"unknown argument {', '.join(unknown)}; expected any of {', '.join(sorted(known))}")
    if wishes.get("recipe") is not None:
        _check_recipe(wishes["recipe"])
    for name, least, most in (("size", 8, _MAX_SIDE), ("steps", 0, _MAX_STEPS), ("batch_size", 1, _MOST_PICTURES)):
        if wishes.get(name) is not None:
            whole(name, wishes[name], least, most)
    number = whole("diversity", wishes.get("diversity", 0), 0, _MOST_PICTURES)
    check(number != 1, "diversity", number, "0, or at least 2 pictures, which can differ")
    pictures = wishes.get("pictures", PictureFormat())
    if not isinstance(pictures, PictureFormat):
        raise ArgumentError(f"pictures must be a PictureFormat, such as PictureFormat(quality=80); got {pictures!r}")
    if pictures.quality is not None:
        whole("quality", pictures.quality, 1, 100)
    seeds_of(wishes.get("seeds", 1))


def seeds_of(seeds: object) -> tuple[int, ...]:
    """The seeds themselves: those given, or the first so many numbers.

    Raises:
        ParameterError: no whole numbers, none, too many, or two alike.
    """
    if not isinstance(seeds, Iterable) or isinstance(seeds, str):
        return tuple(range(whole("seeds", seeds, 1, _MOST_SEEDS)))
    given: list[Any] = list(seeds)
    found = tuple(whole("seeds", one, 0, _MAX_SEED) for one in given)
    check(0 < len(found) <= _MOST_SEEDS, "seeds", found, f"1 to {_MOST_SEEDS} seeds")
    check(len(set(found)) == len(found), "seeds", found, "seeds that differ")
    return found


def _check_recipe(recipe: object) -> None:
    if not isinstance(recipe, Recipe):
        raise ArgumentError(f"recipe must be a Recipe, such as ph.recipes.get('channel'); got {recipe!r}")
    try:
        Recipe.from_json(recipe.to_json())
    except (RecipeError, TrustError) as error:
        raise ParameterError(
            f"recipe {recipe.name!r} cannot be kept as data, as an atlas keeps it; take phosphene's own parts: {error}"
        ) from None
