"""What an atlas holds: a row for each picture, and a row of facts for each unit."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Variant = Literal["positive", "negative", "diverse"]
Status = Literal["ok", "dead", "not_finite", "failed"]
ExampleKind = Literal["top", "bottom", "zero"]

VARIANTS: tuple[Variant, ...] = ("positive", "negative", "diverse")
STATUSES: tuple[Status, ...] = ("ok", "dead", "not_finite", "failed")


@dataclass(frozen=True)
class Picture:
    """A picture of a unit, or why there is none.

    Attributes:
        id: digest of what makes the picture: recipe, network's weights, objective, random stream and seed.
        job: id of the job that it was made in.
        layer: the unit's layer.
        unit: the unit's number in its layer.
        variant: what was asked of the unit: the most ("positive"), the least ("negative"), or the most in several ways.
        member: number among the diverse pictures of the unit; 0 for the others.
        seed: seed of the random streams.
        status: "ok"; "dead", no gradient; "not_finite", score or gradient were no numbers; "failed", it raised.
        reason: a sentence for what is not "ok", and for what is but has a story; else empty.
        score: the unit's answer to the clean picture at the network's input size; None where it is no number.
        robust_score: its mean over held-out views; None where it is no number.
        curve: scores at the start of at most 128 steps, evenly chosen, the first and the last among them.
        seconds: time of the job, divided by its pictures.
        recipe: digest of the recipe, which the manifest has in full.
        height: in pixels.
        width: in pixels.
        embedding: where the picture lies among those of its layer, so that pictures alike can be found: a vector, empty
            where it is unknown.
        image: the encoded picture, WebP; None where there is none.
    """

    id: str
    job: str
    layer: str
    unit: int
    variant: Variant
    member: int
    seed: int
    status: Status
    reason: str
    score: float | None
    robust_score: float | None
    curve: tuple[float, ...]
    seconds: float
    recipe: str
    height: int
    width: int
    embedding: tuple[float, ...]
    image: bytes | None


@dataclass(frozen=True)
class Link:
    """Another unit, and how strongly it belongs to this one: a weight, a correlation or a cosine."""

    layer: str
    unit: int
    strength: float


@dataclass(frozen=True)
class FactExample:
    """A photograph that stands out for a unit.

    Attributes:
        kind: it drives the unit most, least, or hardly at all.
        rank: from 0 within its kind.
        value: the unit's answer.
        key: the photograph's name.
        box: top, left, bottom, right of what the unit sees, in pixels of the network's input.
        image: the crop, encoded as JPEG; None where it could not be read again.
    """

    kind: ExampleKind
    rank: int
    value: float
    key: str
    box: tuple[int, int, int, int]
    image: bytes | None


@dataclass(frozen=True)
class Answers:
    """How a unit answers photographs (its channel's mean over positions, as its pictures are scored).

    Attributes:
        n: number of photographs.
        mean, std, min, max: of the answers.
        above_zero: share of the answers above 0.
        fractions, quantiles: the answer that each share of the photographs stays below; both rise.
        edges, shares: a histogram: bounds of equal bins (n + 1), and the share of the answers in each (n).
    """

    n: int
    mean: float
    std: float
    min: float
    max: float
    above_zero: float
    fractions: tuple[float, ...]
    quantiles: tuple[float, ...]
    edges: tuple[float, ...]
    shares: tuple[float, ...]

    def percentile(self, value: float) -> float:
        """How many of 100 photographs drive the unit less than ``value``, 0 to 100, interpolated between quantiles."""
        if value > self.max:
            return 100.0
        if value <= self.min:
            return 0.0
        pairs = list(zip((self.min, *self.quantiles, self.max), (0.0, *self.fractions, 1.0), strict=True))
        for (low, below), (high, above) in pairwise(pairs):
            if low < value <= high:
                return 100 * (below + (above - below) * (value - low) / (high - low))
        return 100.0

    def multiple(self, value: float) -> float | None:
        """``value`` over the answer to the best photograph; None where that is not above 0."""
        return value / self.max if self.max > 0 else None


@dataclass(frozen=True)
class UnitFacts:
    """What is known of a unit beside its pictures; each part is empty where it was not collected or does not apply.

    Attributes:
        layer, unit: which.
        label: the class that the unit stands for, at the network's last layer.
        answers: how it answers photographs.
        examples: photographs that stand out, by their maximum over positions.
        correlated: units of the layer that answer photographs most alike; strength is Pearson's r.
        similar: units of the layer whose pictures are most alike; strength is a cosine.
        inputs: units of an earlier layer that reach it by the largest weights.
        outputs: units of a later layer that it reaches by the largest weights.
    """

    layer: str
    unit: int
    label: str = ""
    answers: Answers | None = None
    examples: tuple[FactExample, ...] = ()
    correlated: tuple[Link, ...] = ()
    similar: tuple[Link, ...] = ()
    inputs: tuple[Link, ...] = ()
    outputs: tuple[Link, ...] = ()
