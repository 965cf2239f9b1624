"""The generations of an evolution, for the engine's loop: a step asks, decodes, scores and tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.optimizers import Candidates, Search
from phosphene.spaces import Decoder

#: Values of all codes together that are kept: 512 MiB of float32.
_MAX_KEPT = 2**27


@dataclass
class History:
    """What the generations left behind, one entry for each.

    Attributes:
        keeps_codes: whether codes are kept; those of very long runs in very large spaces are not.
        ids: names of the candidates.
        codes: their codes (n, dim), float32.
        scores: their scores (n,), NaN for lost ones.
        means: what the search recommended after the generation (dim,), float32.
        figures: how the search stood after it, such as its step size.
    """

    keeps_codes: bool
    ids: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    codes: list[Float[Tensor, "n dim"]] = field(default_factory=list[Tensor])
    scores: list[Float[Tensor, " n"]] = field(default_factory=list[Tensor])
    means: list[Float[Tensor, " dim"]] = field(default_factory=list[Tensor])
    figures: list[dict[str, float]] = field(default_factory=list[dict[str, float]])

    def note(self, candidates: Candidates, scores: Tensor, search: Search) -> None:
        """Keep a generation."""
        self.ids.append(candidates.ids)
        if self.keeps_codes:
            self.codes.append(candidates.codes.float())
        self.scores.append(scores)
        self.means.append(search.recommend().float())
        self.figures.append(search.figures())


class Generations:
    """A search's generations as a way that the engine climbs; it is its own only part and takes its steps itself.

    Attributes:
        search: what asks and is told.
        history: what the generations left behind.
    """

    def __init__(
        self, search: Search, decode: Decoder, score: Callable[[Tensor], Tensor], *, n_generations: int
    ) -> None:
        self.search, self.decode, self.score, self.n_generations = search, decode, score, n_generations
        kept = n_generations * search.population * search.dim <= _MAX_KEPT
        self.history = History(keeps_codes=kept)

    @property
    def n_images(self) -> int:
        """Images that a step scores."""
        return self.search.population

    @property
    def is_begun(self) -> bool:
        """There is something to keep from the start: what the search recommends."""
        return True

    @property
    def guard(self) -> Generations:
        """Who takes the steps."""
        return self

    def __iter__(self) -> Iterator[Generations]:
        yield self

    def looks(self) -> Iterator[int]:
        """The numbers of the generations that are still to come."""
        yield from range(len(self.history.ids), self.n_generations)

    def recall(self, ids: Sequence[tuple[str, ...]], scores: Float[Tensor, "g n"]) -> None:
        """Take over generations that were scored before: the search learns from them as it did then.

        Raises:
            ParameterError: they are of another search.
        """
        for names, told in zip(ids, scores, strict=True):
            candidates = self.search.ask()
            check(candidates.ids == names, "resume", "an evolution of other candidates", "one of this very search")
            self.search.tell(candidates.ids, told)
            self.history.note(candidates, told, self.search)

    @torch.no_grad()
    def step(self, number: int, look: int) -> Float[Tensor, " n"]:
        """Score a generation, and learn from it; the scores of its candidates."""
        candidates = self.search.ask()
        # What is kept, in float32, is what is shown.
        scores = self.score(self.decode(candidates.codes.float())).to("cpu", torch.float64)
        # What is not finite is no score: the candidate is lost, and the others go on.
        scores = torch.where(scores.isfinite(), scores, torch.nan)
        self.search.tell(candidates.ids, scores)
        self.history.note(candidates, scores, self.search)
        return scores

    @torch.no_grad()
    def image(self) -> Float[Tensor, "1 c h w"]:
        """What the search recommends now."""
        return self.decode(self.search.recommend()[None].float())

    def undo(self, step: int) -> None:
        """Forget generations after ``step``: a generation that was told counts, though its step was cut short."""
        for kept in (self.history.ids, self.history.codes, self.history.scores, self.history.means):
            del kept[step:]
        del self.history.figures[step:]
