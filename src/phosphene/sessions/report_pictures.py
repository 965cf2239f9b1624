"""The pictures of a session's report: film strips, the strongest images, and what was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import MissingExtraError, StorageError, WeightsError
from phosphene.optimizers.candidates import parse_id
from phosphene.sessions.findings import Driven, evolved, last_over, of_thread, references, spread
from phosphene.sessions.history import GenerationRow, History
from phosphene.sessions.plan import Thread
from phosphene.sessions.report_page import Picture, Section, empty, heading, number, plus_minus, sentence, strip
from phosphene.sessions.snapshot import Snapshot
from phosphene.sessions.tables import ratio, sem
from phosphene.sessions.values import Pick

N_FRAMES = 8  # of a film strip: what fits a line
N_TOP = 6  # images of each kind side by side
#: What is told instead of pictures that cannot be made here, such as those of a generator whose weights are elsewhere.
_NO_PICTURES = (MissingExtraError, StorageError, WeightsError)


def film_section(snapshot: Snapshot, history: History) -> Section:
    """How the pictures changed: what each thread recommended after a generation, and what scored best in it."""
    body = "".join(_guarded(lambda t=thread: _film(snapshot, history, t)) for thread in snapshot.plan.threads)
    note = "From the first generation to the newest that is over, evenly spread."
    return Section("film", "Film strip", note, body)


def _film(snapshot: Snapshot, history: History, thread: Thread) -> str:
    over = [row for row in of_thread(history.generations, thread.name) if row.is_over]
    if not over:
        return heading(thread.name) + empty("No generation is over yet.")
    rows = [over[i] for i in spread(range(len(over)), N_FRAMES)]
    means = [picture for row in rows if (picture := _recommended(snapshot, row))]
    shown = [row for row in rows if row.best_stimulus]
    names = [row.best_stimulus for row in shown]
    bests = [
        Picture(image, f"generation {row.generation}", f"score {number(row.best)}")
        for row, image in zip(shown, _images(snapshot, thread, names), strict=True)
    ]
    title = heading(f"{thread.name}: recommended after the generation")
    return title + strip(means) + heading(f"{thread.name}: best of the generation") + strip(bests)


def _recommended(snapshot: Snapshot, row: GenerationRow) -> Picture | None:
    """What was recommended when a generation was over; None where its state is not on the disk (any more)."""
    # The newest state may still be on its way to the disk: the journal knows it already.
    generation = None if row.generation == snapshot.n_finished - 1 else row.generation
    try:
        found = snapshot.recommended(row.thread, generation)
    except StorageError:
        return None
    return Picture(found.image, f"generation {row.generation}")


def top_section(snapshot: Snapshot, history: History) -> Section:
    """The images that drove each thread's unit most, evolved ones against reference images."""
    body = "".join(_guarded(lambda t=thread: _top(snapshot, history, t)) for thread in snapshot.plan.threads)
    note = (
        "Means ± standard errors over trials. The highest of many noisy means are too high by chance, and more so the "
        "fewer trials each has: the ratio compares whole generations instead."
    )
    return Section("top", "Evolved against reference images", note, body)


def _top(snapshot: Snapshot, history: History, thread: Thread) -> str:
    ours, theirs = evolved(history, thread)[:N_TOP], references(history, thread)[:N_TOP]
    if not ours:
        return heading(thread.name) + empty("No candidate has a score yet.")
    images = _images(snapshot, thread, [one.stimulus for one in ours])
    parts = [heading(thread.name), _ratio(last_over(of_thread(history.generations, thread.name)))]
    parts.append(strip(_captioned(one, one.stimulus, image) for one, image in zip(ours, images, strict=True)))
    known = [one for one in theirs if one.candidate in snapshot.references]
    if known:
        parts.append(heading(f"{thread.name}: strongest reference images"))
        parts.append(strip(_captioned(one, one.candidate, snapshot.references[one.candidate]) for one in known))
    return "".join(parts)


def _ratio(row: GenerationRow | None) -> str:
    if row is None or not row.n_references:
        return ""
    ours = plus_minus(row.mean, sem(row.sd, row.n_scored))
    theirs = plus_minus(row.reference_mean, sem(row.reference_sd, row.n_references))
    return sentence(
        f"Generation {row.generation}: evolved {ours}, reference images {theirs}, ratio {number(ratio(row))}."
    )


def _captioned(one: Driven, title: str, image: Float[Tensor, "c h w"]) -> Picture:
    trials = "1 trial" if one.n == 1 else f"{one.n} trials"
    return Picture(image, title, f"{plus_minus(one.mean, one.sem)} ({trials})")


def found_section(snapshot: Snapshot, history: History) -> Section:
    """What was found: the recommended image and the best that was observed, and which of them to trust."""
    body = "".join(_guarded(lambda t=thread: _found(snapshot, history, t)) for thread in snapshot.plan.threads)
    note = (
        "Under noise trust the recommended image. It rests on the scores of whole generations (the mean of the "
        "distribution that the search draws from, where it has one), while the best observed candidate is the luckiest "
        "of many, and its score too high. Without noise the best observed candidate is the better of the two."
    )
    return Section("found", "What was found", note, body)


def _found(snapshot: Snapshot, history: History, thread: Thread) -> str:
    best = snapshot.best(thread.name)
    if best is None:
        return heading(thread.name) + empty("No candidate has a score yet.")
    pictures = [
        Picture(snapshot.recommended(thread.name).image, "recommended", _near(history, thread)),
        Picture(best.image, "best observed", _observed(best)),
    ]
    return heading(thread.name) + strip(pictures, large=True)


def _near(history: History, thread: Thread) -> str:
    """What there is to say of an image that was never shown."""
    row = last_over(of_thread(history.generations, thread.name))
    return "" if row is None else f"mean of generation {row.generation}: {number(row.mean)}"


def _observed(best: Pick) -> str:
    trials = "1 trial" if best.n_reps == 1 else f"{best.n_reps} trials"
    return f"{best.candidate}: {number(best.score)} ({trials})"


def _images(snapshot: Snapshot, thread: Thread, stimuli: Sequence[str]) -> list[Float[Tensor, "c h w"]]:
    """The images of a thread's stimuli, from the codes that were shown."""
    codes: list[Tensor] = []
    for name in stimuli:
        place = parse_id(name.removeprefix(f"{thread.name}_"))
        if place is None:
            raise StorageError(f"{name} names no candidate of thread {thread.name}; expected {thread.name}_g0000c000")
        codes.append(snapshot.codes(place[0])[thread.name][place[1]])
    return list(snapshot.decode(thread.name, torch.stack(codes))) if codes else []


def _guarded(make: Callable[[], str]) -> str:
    """The pictures, or why there are none: numbers are told all the same."""
    try:
        return make()
    except _NO_PICTURES as error:
        return empty(f"These pictures cannot be made here: {error}")
