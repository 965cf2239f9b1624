"""A black box with a readout, and the noise with which it is simulated: one score for each image."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._types import JSON
from phosphene.errors import ArgumentError, ParameterError
from phosphene.scorers.base import (
    MAX_BATCH,
    MAX_REPEATS,
    BlackBox,
    Respond,
    as_responses,
    check_count,
    checked_images,
)
from phosphene.scorers.function import FunctionScorer
from phosphene.scorers.noise import Noise
from phosphene.scorers.readouts import Mean, Readout

_MEAN: Final = Mean()


@dataclass(frozen=True)
class Scorer:
    """What a search climbs.

    With noise, the box answers once and the trials are simulated; without, every image is shown ``repeats`` times, as
    whatever the box stands for may be noisy itself. Trials that were lost do not count in the mean over repeats.

    Attributes:
        box: what responds.
        readout: how the responses to an image become one score.
        noise: noise of single trials, added to the responses before they are read out.
        repeats: trials of each image, averaged; at most 10 000.
        batch_size: images that the box is given at a time, at most, up to 4096; None gives it all at once, and it may
            make batches of its own.
    """

    box: BlackBox
    readout: Readout = _MEAN
    noise: Noise | None = None
    repeats: int = 1
    batch_size: int | None = None

    def __post_init__(self) -> None:
        kinds = (("box", BlackBox), ("readout", Readout), ("noise", Noise | None))
        for name, kind in kinds:
            if not isinstance(getattr(self, name), kind):
                raise ArgumentError(f"{name} is {getattr(self, name)!r:.80}; expected a {name} of phosphene.scorers")
        check_count("repeats", self.repeats, MAX_REPEATS)
        if self.batch_size is not None:
            check_count("batch_size", self.batch_size, MAX_BATCH)

    @property
    def name(self) -> str:
        """What it is called in plots and reports: the box's name."""
        return self.box.name

    @contextmanager
    def open(self, device: torch.device, *, n_scored: int = 0) -> Generator[Scoring, None, None]:
        """While the block lasts, what scores images.

        Args:
            device: where networks of this process compute.
            n_scored: images that were scored before, in a run that is resumed: noise goes on from there.
        """
        with self.box.open(device) as respond:
            yield Scoring(self, respond, n_scored)

    def describe(self) -> dict[str, JSON]:
        """What it is, for the record; :func:`phosphene.scorers.reopen` reads it.

        Raises:
            RecipeError: the box has no JSON form.
        """
        return {
            "kind": "scorer",
            "box": self.box.describe(),
            "readout": self.readout.to_json(),
            "noise": None if self.noise is None else self.noise.to_json(),
            "repeats": self.repeats,
            "batch_size": self.batch_size,
        }


class Scoring:
    """An open scorer: ``score(images)`` gives a score for each image.

    Attributes:
        n_scored: images that were scored so far, which is all that the noise remembers.
    """

    def __init__(self, spec: Scorer, respond: Respond, n_scored: int = 0) -> None:
        self.spec, self.n_scored = spec, n_scored
        self._respond = respond

    def __call__(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """Scores (n,) of images in [0, 1]; float64 on the CPU, NaN where the response was lost.

        Raises:
            ImageError: these are no such images.
            ArgumentError, ParameterError: the box answered with something else than responses.
        """
        return self._read(self.responses(images))

    def responses(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """The responses behind the scores, noise and repeats included."""
        spec = self.spec
        if spec.noise is None:
            found = self._mean_of_trials(images)
        else:
            found = spec.noise.apply(self._asked(images), first=self.n_scored, repeats=spec.repeats)
        self.n_scored += len(found)
        return found

    def clean(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """Scores (n,) without simulated noise and repeats, which do not count as scored: by these runs are compared."""
        return self._read(self._asked(images))

    def _mean_of_trials(self, images: Tensor) -> Float[Tensor, "n k"]:
        """The mean over those trials that were not lost; only one trial is held at a time."""
        total = count = torch.zeros((), dtype=torch.float64)
        for _ in range(self.spec.repeats):
            trial = self._asked(images)
            total, count = total + trial.nan_to_num(0.0), count + trial.isfinite()
        return total / count

    def _read(self, responses: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        # Whoever was shown nothing cannot tell how many responses it has.
        return self.spec.readout(responses) if len(responses) else torch.empty(0, dtype=torch.float64)

    def _asked(self, images: Tensor) -> Float[Tensor, "n k"]:
        seen = checked_images(images)
        parts = seen.split(self.spec.batch_size or max(1, len(seen)))
        found = [as_responses(self._respond(part), len(part), self.spec.name) for part in parts]
        widths = sorted({part.shape[1] for part in found})
        if len(widths) > 1:
            raise ParameterError(
                f"{self.spec.name} gave {widths[0]} responses to some images and {widths[-1]} to others"
            )
        return torch.cat(found)


def as_scorer(value: Scorer | BlackBox | Callable[..., Any]) -> Scorer:
    """A scorer: itself, a black box read out by its mean response, or a function of NumPy images (n, h, w, c).

    Raises:
        ArgumentError: for anything else.
    """
    if isinstance(value, Scorer):
        return value
    if isinstance(value, BlackBox):
        return Scorer(value)
    if callable(value) and not isinstance(value, type):
        return Scorer(FunctionScorer(value))
    raise ArgumentError(
        f"{value!r:.80} is no scorer; expected a Scorer, a black box such as units(net, ph.Channel('blocks.8', 7)), or "
        "a function of NumPy images (n, h, w, c)"
    )
