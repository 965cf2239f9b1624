"""One self-contained page of pictures: no script, no font, no image from anywhere else; opens from disk."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from string import Template
from urllib.parse import quote


@dataclass(frozen=True)
class Picture:
    """A rendered picture on a page.

    Attributes:
        name: what people read under it, such as ``espresso`` or ``channel 7``.
        unit: the unit as the command line writes it.
        score: the clean final score, in the unit's own units; None if there is none.
        file: path of the full PNG relative to the page, with ``/`` between folders.
        png: bytes of the PNG that the page itself shows.
        size: height and width in pixels.
    """

    name: str
    unit: str
    score: float | None
    file: str
    png: bytes
    size: tuple[int, int]


@dataclass(frozen=True)
class Section:
    """A titled row of pictures with a line that says what they are."""

    title: str
    note: str
    pictures: tuple[Picture, ...]


_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
:root { --ink: #1c1b19; --soft: #6b675f; --paper: #faf8f4; --card: #fff; --line: #e4dfd5; --mark: #9a3f1d; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ece8e0; --soft: #a29c90; --paper: #161513; --card: #201e1b; --line: #35322d; --mark: #f0a37f; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 3rem) 4rem; max-width: 82rem; color: var(--ink);
  background: var(--paper); font: 16px/1.55 system-ui, sans-serif; }
h1 { margin: 0 0 .25rem; font-size: 1.9rem; line-height: 1.2; letter-spacing: -.01em; }
.lead { margin: 0 0 1.5rem; max-width: 62ch; color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: .4rem 1.1rem; padding: .75rem 0; border-block: 1px solid var(--line); }
a { color: var(--mark); text-underline-offset: .2em; }
section { margin-top: 2.5rem; scroll-margin-top: 1rem; }
h2 { margin: 0; font-size: 1.25rem; }
section > p { margin: .1rem 0 1rem; color: var(--soft); }
.grid { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(9.5rem, 44%), 1fr)); }
figure { margin: 0; overflow: hidden; border: 1px solid var(--line); border-radius: .5rem; background: var(--card); }
figure a { display: block; }
figure a:focus-visible { outline: 3px solid var(--mark); outline-offset: -3px; }
img { display: block; width: 100%; height: auto; }
figcaption { padding: .5rem .65rem .6rem; font-size: .875rem; line-height: 1.35; overflow-wrap: anywhere; }
figcaption b { display: block; font-weight: 600; }
figcaption code { color: var(--soft); font-size: .8rem; }
.score { float: right; margin-left: .5rem; color: var(--soft); font-variant-numeric: tabular-nums; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); }
</style>
</head>
<body>
<header>
<h1>$title</h1>
<p class="lead">$lead</p>
<nav aria-label="Sections">$links</nav>
</header>
<main>
$sections
</main>
<footer>$footer</footer>
</body>
</html>
""")

_SECTION = Template("""<section id="$anchor">
<h2>$title</h2>
<p>$note</p>
<div class="grid">
$figures
</div>
</section>""")

_FIGURE = Template(
    '<figure><a href="$file" title="Open $file"><img src="data:image/png;base64,$data" width="$width" height="$height" '
    'alt="Image that drives $unit most: $name" loading="lazy"></a>'
    '<figcaption><span class="score" title="final score">$score</span><b>$name</b>'
    '<a href="$file"><code>$unit</code></a></figcaption></figure>'
)


def gallery_page(title: str, lead: str, sections: Sequence[Section], *, footer: str = "") -> str:
    """The whole HTML page. Every text is escaped; pictures are embedded and link to their PNG files.

    >>> page = gallery_page("Units", "What they like.", [Section("stem", "shallow & small", ())])
    >>> "<h2>stem</h2>" in page and "shallow &amp; small" in page
    True
    """
    links = (f'<a href="#{_anchor(index)}">{html.escape(part.title)}</a>' for index, part in enumerate(sections))
    return _PAGE.substitute(
        title=html.escape(title),
        lead=html.escape(lead),
        links="\n".join(links),
        sections="\n".join(_section(index, part) for index, part in enumerate(sections)),
        footer=html.escape(footer),
    )


def _anchor(index: int) -> str:
    return f"part-{index + 1}"


def _section(index: int, part: Section) -> str:
    return _SECTION.substitute(
        anchor=_anchor(index),
        title=html.escape(part.title),
        note=html.escape(part.note),
        figures="\n".join(_figure(picture) for picture in part.pictures),
    )


def _figure(picture: Picture) -> str:
    height, width = picture.size
    return _FIGURE.substitute(
        file=html.escape(quote(picture.file)),
        data=base64.b64encode(picture.png).decode(),
        width=width,
        height=height,
        name=html.escape(picture.name),
        unit=html.escape(picture.unit),
        score="–" if picture.score is None else html.escape(f"{picture.score:.3g}"),
    )
