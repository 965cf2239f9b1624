"""The row of a picture: how it came out, in the words and numbers that an atlas keeps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from torch import Tensor

from phosphene.atlas.jobs import Job, PlannedPicture
from phosphene.render import display
from phosphene.render.run import Outcome
from phosphene.store.atlas.records import Picture, Status

#: Scores of a curve that are kept at most.
MOST_SCORES = 128
#: Characters of a reason at most; an error may quote anything.
_LONGEST = 400
_NO_SCORE = "the unit's answer to the clean picture is no finite number"


@dataclass(frozen=True, eq=False)
class Measured:
    """What units answer to their pictures.

    Attributes:
        clean: answer to each picture at the network's input size (n,).
        robust: mean answer over held-out views (n,).
        embeddings: where each picture lies.
        has_alpha: whether the pictures' last channel is opacity.
    """

    clean: Float[Tensor, " n"]
    robust: Float[Tensor, " n"]
    embeddings: Sequence[tuple[float, ...]]
    has_alpha: bool


@dataclass(frozen=True, eq=False)
class Row:
    """A row whose image is not encoded yet, and whose time is not known.

    Attributes:
        picture: the row.
        pixels: the image (h, w, c) of 8 bits; None where there is none.
    """

    picture: Picture
    pixels: display.Pixels | None


def rendered_row(job: Job, row: int, *, group: Sequence[PlannedPicture], outcome: Outcome, measured: Measured) -> Row:
    """The row of a picture that was rendered, the ``row``-th of its batch."""
    picture, image = group[row], outcome.images[row]
    score = _finite(float(measured.clean[row]))
    status, reason = status_of(outcome.status[row])
    if status == "ok" and score is None:
        status, reason = "not_finite", _NO_SCORE
    sign = -1.0 if picture.variant == "negative" else 1.0
    made = replace(
        _empty_row(job, picture),
        status=status,
        reason=reason,
        score=score,
        robust_score=_finite(float(measured.robust[row])),
        curve=curve_of([sign * value for value in outcome.scores[row].tolist()]),
        height=image.shape[1],
        width=image.shape[2],
        embedding=measured.embeddings[row],
    )
    if status == "dead":
        return Row(made, None)  # it is nothing but the noise that it started from
    pixels = display.to_uint8(image, alpha=measured.has_alpha)
    return Row(made, pixels if pixels.ndim == 3 else pixels[:, :, None])


def failed_row(job: Job, picture: PlannedPicture, size: tuple[int, int], reason: str) -> Row:
    """The row of a picture that there is none of."""
    height, width = size
    return Row(replace(_empty_row(job, picture), reason=reason, height=height, width=width), None)


def reason_of(error: BaseException) -> str:
    """What an error says, as far as a row has room for it."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}"[:_LONGEST] if said else type(error).__name__


def status_of(sentence: str) -> tuple[Status, str]:
    """How the engine says that an image fared, as an atlas says it: status and reason.

    >>> status_of("ok")
    ('ok', '')
    >>> status_of("dead: the gradient is exactly zero")
    ('dead', 'the gradient is exactly zero')
    """
    if sentence == "ok":
        return "ok", ""
    word, _, rest = sentence.partition(" ")
    if word in ("ok,", "dead:"):
        return ("ok" if word == "ok," else "dead"), rest
    return "not_finite", sentence


def curve_of(scores: Sequence[float]) -> tuple[float, ...]:
    """At most 128 of the scores, evenly chosen, the first and the last among them; up to the first that is no finite
    number.
    """
    wrong = next((place for place, value in enumerate(scores) if not math.isfinite(value)), len(scores))
    places = np.linspace(0, wrong - 1, min(wrong, MOST_SCORES)).round().astype(int)
    return tuple(scores[place] for place in places)


def _empty_row(job: Job, picture: PlannedPicture) -> Picture:
    return Picture(
        id=picture.id,
        job=job.id,
        layer=job.layer,
        unit=picture.unit,
        variant=picture.variant,
        member=picture.member,
        seed=picture.seed,
        status="failed",
        reason="",
        score=None,
        robust_score=None,
        curve=(),
        seconds=0.0,
        recipe=job.recipe,
        height=0,
        width=0,
        embedding=(),
        image=None,
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
