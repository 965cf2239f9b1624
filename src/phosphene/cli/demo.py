"""``phosphene demo``: six layers and twelve classes of the bundled network, as PNGs, a contact sheet and a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli import console

if TYPE_CHECKING:
    from phosphene import Network
    from phosphene.cli.batches import How, Job
    from phosphene.cli.units_text import NamedUnit
    from phosphene.web import Picture, Section

NETWORK = "efficientnet_lite0"
LAYERS = ("blocks.1", "blocks.3", "blocks.5", "blocks.8", "blocks.11", "blocks.14")  # shallow to deep
N_CHANNELS = 6  # of each layer, evenly spread
CLASSES = (
    "goldfish",
    "flamingo",
    "peafowl",
    "tarantula",
    "jellyfish",
    "monarch butterfly",
    "zebra",
    "espresso",
    "pineapple",
    "daisy",
    "school bus",
    "castle",
)
SIZE = 160  # pixels: what six minutes on two cores allow
OUTPUT = Path("out/demo")
COLUMNS = 6  # of the contact sheet


def demo(
    *,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for all of it.")] = OUTPUT,
    fresh: Annotated[bool, typer.Option("--fresh", help="Render again what is there already.")] = False,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of optimization. (default: the recipes')")] = None,
    size: Annotated[int, typer.Option(min=8, help="Height and width in pixels.")] = SIZE,
) -> None:
    """Render a demo set of the bundled network, with a page to look at it.

    What an earlier call rendered in the same way is kept. An interrupt keeps what was rendered.
    """
    import phosphene as ph
    from phosphene.cli.batches import How, plan

    network = ph.load(NETWORK)
    how = How(size=size, steps=steps)
    jobs = plan(demo_units(network), output)
    wanted = [job for job in jobs if fresh or not how.made(job, network)]
    if len(wanted) < len(jobs):
        n_kept = len(jobs) - len(wanted)
        console.say(f"{n_kept} of {len(jobs)} pictures are there already; --fresh renders them again.")
    if wanted:
        _render(network, wanted, how)
    for what, path in _present(jobs, output).items():
        console.out().print(f"{what:<14} {path}")


def demo_units(network: Network) -> list[NamedUnit]:
    """The units of the demo set, layer by layer and then the classes."""
    from phosphene.cli.units_text import parse_units

    return parse_units(network, [*_channels(network), *(f"{network.output_layer}:{name}" for name in CLASSES)])


def _channels(network: Network) -> Iterator[str]:
    for layer in LAYERS:
        n = network.layer(layer).n_channels
        yield from (f"{layer}:{index * n // N_CHANNELS}" for index in range(N_CHANNELS))


def _render(network: Network, jobs: Sequence[Job], how: How) -> None:
    from phosphene.cli.batches import render_jobs

    for rendered in render_jobs(network, jobs, how):
        if rendered.status != "ok":
            console.say(f"{rendered.unit}: {rendered.status}")


def _present(jobs: Sequence[Job], folder: Path) -> dict[str, Path]:
    """Write the page and the contact sheet over the PNGs of ``jobs``; returns what there is to look at."""
    from phosphene import store, web

    sections = _sections(jobs)
    pictures = [picture for section in sections for picture in section.pictures]
    pixels = [store.read_png_pixels(job.path) for job in jobs]
    sheet = store.contact_sheet(pixels, [_caption(picture) for picture in pictures], columns=COLUMNS)
    page = web.gallery_page(
        f"What units of {NETWORK} are tuned to",
        "Each picture was synthesised to drive one unit as much as possible, from shallow layers to deep ones and "
        "then to whole classes. Click one for its PNG, which carries the recipe that made it.",
        sections,
        footer="Rendered by phosphene. Render any of these again: phosphene replay FILE.png",
    )
    return {
        "page": store.write_text(folder / "index.html", page),
        "contact sheet": store.write_png(folder / "contact-sheet.png", sheet),
        "pictures": folder,
    }


def _sections(jobs: Sequence[Job]) -> list[Section]:
    from itertools import groupby

    from phosphene.units import ClassUnit
    from phosphene.web import Section

    def title(job: Job) -> str:
        return "classes" if isinstance(job.named.unit, ClassUnit) else job.named.text.partition(":")[0]

    notes = {"classes": "The logit of a class, by name; the score is the logit."}
    return [
        Section(name, notes.get(name, "Channels; the score is the mean activation."), tuple(map(_picture, same)))
        for name, same in groupby(jobs, key=title)
    ]


def _caption(picture: Picture) -> str:
    return picture.unit if picture.name.startswith("channel ") else picture.name


def _picture(job: Job) -> Picture:
    from phosphene import store
    from phosphene.web import Picture

    pixels = store.read_png_pixels(job.path)
    what = job.named.text.partition(":")[2]
    return Picture(
        name=f"channel {what}" if what.isdigit() else what,
        unit=job.named.text,
        score=store.read_png_document(job.path)["score"],
        file=job.path.name,
        png=store.encode_png(pixels),
        size=(pixels.shape[0], pixels.shape[1]),
    )
