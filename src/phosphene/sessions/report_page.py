"""The small pieces of HTML that a report is made of. Every text is escaped."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from phosphene.sessions.report_frame import PAGE, SCRIPT_HASH, SORTING
from phosphene.store import encode_png

DASH = "–"


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        anchor: where the navigation leads.
        title: its heading.
        note: a sentence or two below it.
        body: its HTML.
    """

    anchor: str
    title: str
    note: str
    body: str


@dataclass(frozen=True, eq=False)
class Picture:
    """An image with a caption: (c, h, w) in [0, 1] with one channel or three."""

    image: Float[Tensor, "c h w"]
    title: str
    caption: str = ""


def page(title: str, lead: str, sections: Sequence[Section], *, footer: str) -> str:
    """The whole HTML page: no style, script, font or picture comes from anywhere else."""
    links = (f'<a href="#{part.anchor}">{html.escape(part.title)}</a>' for part in sections)
    return PAGE.substitute(
        title=html.escape(title),
        lead=html.escape(lead),
        links="\n".join(links),
        sections="\n".join(map(_section, sections)),
        footer=html.escape(footer),
        script=SORTING,
        script_hash=SCRIPT_HASH,
    )


def _section(part: Section) -> str:
    note = f'<p class="note">{html.escape(part.note)}</p>' if part.note else ""
    return f'<section id="{part.anchor}">\n<h2>{html.escape(part.title)}</h2>\n{note}\n{part.body}\n</section>'


def heading(text: str) -> str:
    """A heading within a section."""
    return f"<h3>{html.escape(text)}</h3>"


def sentence(text: str) -> str:
    """A sentence between other things."""
    return f"<p>{html.escape(text)}</p>"


def empty(text: str) -> str:
    """A sentence where there is nothing to show."""
    return f'<p class="empty">{html.escape(text)}</p>'


def strip(pictures: Iterable[Picture], *, large: bool = False) -> str:
    """Pictures side by side."""
    return f'<div class="strip{" large" if large else ""}">{"".join(map(_figure, pictures))}</div>'


def _figure(picture: Picture) -> str:
    height, width = picture.image.shape[1:]
    data = base64.b64encode(png(picture.image)).decode()
    title, caption = html.escape(picture.title), html.escape(picture.caption)
    return (
        f'<figure><img src="data:image/png;base64,{data}" width="{width}" height="{height}" alt="{title}">'
        f"<figcaption>{title}<span>{caption}</span></figcaption></figure>"
    )


def png(image: Float[Tensor, "c h w"]) -> bytes:
    """The PNG of an image in [0, 1], 8 bits a channel."""
    levels = image.detach().clamp(0, 1).mul(255).round().permute(1, 2, 0).cpu().numpy()
    return encode_png(np.ascontiguousarray(levels.astype(np.uint8)))


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, sortable: bool = False) -> str:
    """A table; numbers stand at the right, and NaN or None is a dash."""
    rows = [list(row) for row in rows]
    numeric = (any(isinstance(value, int | float) for value in column) for column in zip(*rows, strict=True))
    marks = [' class="number"' if n else "" for n in numeric] or [""] * len(columns)
    cells = "".join(_head(name, mark, sortable) for name, mark in zip(columns, marks, strict=True))
    lines = "\n".join(f"<tr>{''.join(map(_cell, row, marks))}</tr>" for row in rows)
    kind = ' class="sortable"' if sortable else ""
    return f'<div class="scroll"><table{kind}><thead><tr>{cells}</tr></thead><tbody>\n{lines}\n</tbody></table></div>'


def _head(name: str, mark: str, sortable: bool) -> str:
    text = html.escape(name)
    return f'<th scope="col"{mark}>{f"<button type=button>{text}</button>" if sortable else text}</th>'


def _cell(value: object, mark: str) -> str:
    if isinstance(value, float):
        exact = repr(value) if math.isfinite(value) else ""
        return f'<td{mark} data-value="{exact}">{number(value)}</td>'
    text = "" if value is None else str(value)
    return f'<td{mark} data-value="{html.escape(text)}">{html.escape(text) or DASH}</td>'


def number(value: float | None) -> str:
    """A number to four digits; a dash for none.

    >>> number(0.123456), number(float("nan"))
    ('0.1235', '–')
    """
    return DASH if value is None or not math.isfinite(value) else f"{value:.4g}"


def plus_minus(mean: float, sem: float) -> str:
    """A mean with its standard error, where it has one.

    >>> plus_minus(2.5, 0.25)
    '2.5 ± 0.25'
    """
    return number(mean) if not math.isfinite(sem) else f"{number(mean)} ± {sem:.2g}"
