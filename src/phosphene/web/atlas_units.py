"""What the page of a unit is told: its pictures, its facts, and what it is linked with."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePath
from urllib.parse import urlsplit, urlunsplit

from phosphene.store.atlas.records import VARIANTS, Answers, FactExample, Link, UnitFacts
from phosphene.web.atlas_pictures import PictureForm, embedded
from phosphene.web.atlas_reading import Span
from phosphene.web.atlas_scripts import Document, rounded
from phosphene.web.atlas_view import AtlasView


def units_document(view: AtlasView, slug: str, places: Span, *, pngs: str | None) -> list[Document]:
    """The units at these places of a layer.

    Args:
        view: the atlas.
        slug: the layer.
        places: among its units.
        pngs: folder of the site with their pictures as PNG files; None where there are none.
    """
    units, rows, known = view.units(slug)[slice(*places)].tolist(), view.rows(slug, places), view.facts(slug, places)
    facts = {unit: known.get(unit, UnitFacts(view.layers[slug].name, unit)) for unit in units}
    form = PictureForm(view.manifest.seeds, pngs)
    pictures = defaultdict[int, list[Document]](list)
    for picture in rows.pictures:
        pictures[picture.unit].append(form.picture(picture, facts[picture.unit].answers))
    for damage in rows.damages:
        pictures[damage.unit].append(form.damaged(damage))
    return [_unit(view, slug, facts[unit]) | {"pictures": _in_order(pictures[unit], form)} for unit in units]


def _in_order(pictures: list[Document], form: PictureForm) -> list[Document]:
    """As the atlas has them, those that cannot be read among the others; the first is always told, if only as missing:
    the page's plate and its command begin with it.
    """
    ordered = sorted(pictures, key=lambda one: (VARIANTS.index(one["variant"]), form.seed_place(one), one["member"]))
    first = form.missing()
    named = ("variant", "seed", "member")
    is_there = bool(ordered) and all(ordered[0][name] == first[name] for name in named)
    return ordered if is_there else [first, *ordered]


def public_address(uri: str) -> str:
    """What strangers may read of where an atlas lies: a folder's own name, or an address without its password.

    >>> public_address("/home/ada/atlas"), public_address("s3://bucket/atlas"), public_address("ftp://me:secret@h/a")
    ('atlas', 's3://bucket/atlas', 'ftp://h/a')
    """
    if "://" not in uri or uri.startswith("file://"):
        return PurePath(uri.replace("\\", "/")).name or "ATLAS"
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


def _unit(view: AtlasView, slug: str, facts: UnitFacts) -> Document:
    address = f"{facts.layer}:{facts.unit}"
    return {
        "unit": facts.unit,
        "address": address,
        "label": facts.label or view.label(slug, facts.unit),
        "answers": None if facts.answers is None else _answers(facts.answers),
        "examples": [_example(one) for one in facts.examples],
        "correlated": _links(view, facts.correlated),
        "similar": _links(view, facts.similar),
        "inputs": _links(view, facts.inputs),
        "outputs": _links(view, facts.outputs),
        "command": f"phosphene atlas render {_quoted(public_address(view.folder.uri))} {_quoted(address)} -o unit.png",
    }


def _answers(answers: Answers) -> Document:
    plain = {name: rounded(getattr(answers, name)) for name in ("mean", "std", "min", "max", "above_zero")}
    lists = ("edges", "shares", "fractions", "quantiles")
    return {"n": answers.n} | plain | {name: [rounded(v, 4) for v in getattr(answers, name)] for name in lists}


def _example(example: FactExample) -> Document:
    said = {"kind": example.kind, "rank": example.rank, "value": rounded(example.value), "key": example.key}
    return said | {"src": embedded("jpeg", example.image)}


def _links(view: AtlasView, links: Iterable[Link]) -> list[Document]:
    return [_link(view, link) for link in links]


def _link(view: AtlasView, link: Link) -> Document:
    slug = view.folder.slugs.get(link.layer)
    shown = slug is not None and any(start <= link.unit < stop for start, stop in view.layers[slug].units)
    said = {"layer": link.layer, "unit": link.unit, "strength": rounded(link.strength)}
    label = "" if slug is None else view.label(slug, link.unit)
    return said | {"slug": slug if shown else None, "label": label}


def _quoted(text: str) -> str:
    """For a shell, in one line."""
    return shlex.quote(" ".join(text.split()))
