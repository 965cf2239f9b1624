"""``phosphene session new DIR``: what a session is to do, as options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phosphene.cli import console

if TYPE_CHECKING:
    from phosphene.exchange import Display
    from phosphene.sessions import Plan, Thread
    from phosphene.spaces import Space

DirectoryArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The session's directory.")]

_SPACES = "dcgan, fourier:64x64, pixels:32x32 (or …:grey), upconv-fc6:PATH, taesd:PATH, or a .json or .toml file."
_OPTIMIZERS = (
    "cmaes, cmaes:full, sphere, genetic, genetic:xdream, random, or a .json or .toml file; NAME=cmaes names it. "
    "Several share the generations, interleaved, for a paired comparison."
)


class Aperture(StrEnum):
    """What a stimulus is seen through."""

    NONE = "none"
    CIRCLE = "circle"
    GAUSSIAN = "gaussian"


class Missing(StrEnum):
    """What becomes of a stimulus whose trials were lost."""

    LOST = "lost"
    AGAIN = "again"


class Interleave(StrEnum):
    """Where reference images stand among the others."""

    EVENLY = "evenly"
    RANDOMLY = "randomly"


def new(
    directory: DirectoryArgument,
    *,
    space: Annotated[str, typer.Option("--space", metavar="SPACE", help=_SPACES)],
    optimizer: Annotated[list[str], typer.Option("--optimizer", metavar="OPTIMIZER", help=_OPTIMIZERS)] = ["cmaes"],  # noqa: B006 - typer's way to repeat an option; nobody changes it
    population: Annotated[
        int | None, typer.Option(min=2, help="Candidates of a generation. (default: by the code's length; 40 for 4096)")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Trials of each stimulus.")] = 1,
    references: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Pictures that are shown in every generation, against drift.")
    ] = None,
    references_per_block: Annotated[
        int | None, typer.Option(min=1, help="Of these, so many in each generation, taking turns. (default: all)")
    ] = None,
    interleave: Annotated[
        Interleave, typer.Option(help="Pictures stand evenly among the other stimuli, or randomly.")
    ] = Interleave.EVENLY,
    generations: Annotated[
        int | None, typer.Option(min=1, help="Where the session ends when it is run. (default: nowhere)")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the searches and of the order of presentation.")] = 0,
    channels: Annotated[
        str | None, typer.Option(metavar="I,J,…", help="Channels of a response to go by. (default: the mean of all)")
    ] = None,
    missing: Annotated[
        Missing, typer.Option(help="Stimuli whose trials were lost count as lost, or are shown again.")
    ] = Missing.LOST,
    attempts: Annotated[
        int, typer.Option(min=1, help="Where they are shown again: so often at most, the first time included.")
    ] = 3,
    size: Annotated[
        str | None, typer.Option(metavar="HxW", help="Every stimulus in pixels, references too. (default: the space's)")
    ] = None,
    canvas: Annotated[str | None, typer.Option(metavar="HxW", help="Canvas in pixels. (default: the stimulus)")] = None,
    background: Annotated[float, typer.Option(min=0, max=1, help="Grey of the canvas, 0 to 1.")] = 0.5,
    aperture: Annotated[Aperture, typer.Option(help="What the stimulus is seen through.")] = Aperture.NONE,
    softness: Annotated[
        float, typer.Option(min=0, help="Pixels over which a circle fades; the standard deviation of a Gaussian.")
    ] = 0.0,
    position: Annotated[
        str | None, typer.Option(metavar="R,C", help="Row and column of its middle. (default: the canvas' middle)")
    ] = None,
    contrast: Annotated[
        float | None,
        typer.Option(min=0, help="Bring every evolved image to this standard deviation about a mean of 0.5."),
    ] = None,
    grayscale: Annotated[bool, typer.Option("--grayscale", help="Show greys of the colours' luma.")] = False,
) -> None:
    """Begin a session: what is searched, how, and how it is shown. Then: session run, serve or simulate."""
    from phosphene.cli.numbers_text import parse_channels
    from phosphene.cli.session_memory import Run, remember
    from phosphene.cli.session_text import parse_space
    from phosphene.sessions import Plan

    found = parse_space(space) if contrast is None else _fixed(parse_space(space), contrast)
    threads = _threads(optimizer, found, population, seed, parse_channels(channels))
    look = {"background": background, "aperture": aperture.value, "softness": softness, "grayscale": grayscale}
    # Reference images come in any size: what is compared should look alike.
    own = "x".join(map(str, found.image_shape[1:])) if references is not None else None
    shown = _display(size or own, canvas, position, look)
    plan = Plan(
        threads,
        repeats=repeats,
        order_seed=seed,
        display=shown,
        missing=missing.value,
        attempts=attempts,
        interleave=interleave.value,
        references_per_block=references_per_block,
    )
    _check(plan)
    _create(directory, plan, references)
    remember(directory, Run(generations=generations))
    for thread in plan.threads:
        n = thread.optimizer.population_for(thread.space.dim)
        console.say(f"{thread.name}: {n} candidates a generation, codes of {thread.space.dim} numbers")
    console.out().print(str(directory))


def _create(directory: Path, plan: Plan, references: Path | None) -> None:
    from phosphene.cli.session_references import prepared
    from phosphene.sessions import Session

    if references is None:
        Session.create(directory, plan)
        return
    space = plan.threads[0].space
    size = plan.display.size if isinstance(plan.display.size, tuple) else space.image_shape[1:]
    is_grey = plan.display.grayscale or space.image_shape[0] == 1
    with prepared(references, size, is_grey=is_grey) as folder:
        Session.create(directory, plan, folder)


def _threads(
    texts: Sequence[str],
    space: Space,
    population: int | None,
    seed: int,
    channels: int | tuple[int, ...] | None,
) -> tuple[Thread, ...]:
    from phosphene.cli.session_text import parse_optimizer
    from phosphene.sessions import Thread

    named = [parse_optimizer(text, population) for text in texts]
    names = _names([(name, text) for (name, _), text in zip(named, texts, strict=True)])
    return tuple(
        Thread(name, space, optimizer, seed=seed, channels=channels)
        for name, (_, optimizer) in zip(names, named, strict=True)
    )


def _fixed(space: Space, contrast: float) -> Space:
    """The space at a fixed contrast: a unit that answers the more, the stronger the contrast, can only choose the
    pattern.
    """
    from phosphene.projections import FixContrast
    from phosphene.spaces import Projected

    return Projected(space, (FixContrast(0.5, contrast),))


def _names(given: Sequence[tuple[str | None, str]]) -> list[str]:
    """The names of the threads: those given, else letters and digits of the optimizers' texts, numbered if alike."""
    names: list[str] = []
    for name, text in given:
        stem = name or "".join(c for c in Path(text).stem.partition(":")[0] if c.isascii() and c.isalnum())[:24]
        stem = stem if name or stem[:1].isalpha() else f"t{stem}"
        n = 1
        while name is None and (stem if n == 1 else f"{stem}{n}").lower() in map(str.lower, names):
            n += 1
        names.append(stem if n == 1 else f"{stem}{n}")
    return names


def _display(size: str | None, canvas: str | None, position: str | None, look: Mapping[str, Any]) -> Display:
    from phosphene.cli.numbers_text import parse_place, parse_size
    from phosphene.exchange import Display

    height, width = (None, None) if canvas is None else parse_size(canvas, "--canvas")
    place = None if position is None else parse_place(position, "--position")
    return Display(height, width, position=place, size=None if size is None else parse_size(size, "--size"), **look)


def _check(plan: Plan) -> None:
    """That a first stimulus can be made and shown, before there is a directory: weights are read, places fit."""
    import torch

    thread = plan.threads[0]
    image = thread.space.open(torch.device("cpu"))(torch.zeros(1, thread.space.dim))[0]
    plan.display.compose(image)
