"""What an evolution gives back: the picture, how it came about, and what is needed to make it again."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene import store
from phosphene._component import check
from phosphene._types import JSON
from phosphene.evolution import plots
from phosphene.evolution.document import Origin, write_document
from phosphene.evolution.tuning import TuningMap, tuning_map
from phosphene.render import Result, display
from phosphene.scorers import Scorer
from phosphene.spaces import Space

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The generations of an evolution; g of them, n candidates each, codes of d numbers.

    Attributes:
        ids: names of the candidates, generation by generation.
        codes: all candidates' codes (g, n, d), float32; None where they would not fit into memory.
        scores: their scores (g, n), float64; NaN for lost ones.
        means: what the search recommended after each generation (g, d), float32.
        figures: how the search stood after each generation, such as its step size.
    """

    ids: tuple[tuple[str, ...], ...]
    codes: Float[Tensor, "g n d"] | None
    scores: Float[Tensor, "g n"]
    means: Float[Tensor, "g d"]
    figures: tuple[dict[str, float], ...]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def best_index(self) -> Float[Tensor, " g"]:
        """The highest-scoring candidate of each generation (g,); the first where all were lost."""
        return self.scores.nan_to_num(nan=-math.inf).argmax(1)

    @cached_property
    def best_scores(self) -> Float[Tensor, " g"]:
        """Its score (g,), NaN where all were lost."""
        return self.scores.gather(1, self.best_index[:, None])[:, 0]

    @cached_property
    def mean_scores(self) -> Float[Tensor, " g"]:
        """Mean score of each generation (g,), lost candidates left out."""
        return self.scores.nanmean(1)

    @property
    def best_codes(self) -> Float[Tensor, "g d"] | None:
        """Code of the highest-scoring candidate of each generation."""
        return None if self.codes is None else self.codes[torch.arange(len(self)), self.best_index]


@dataclass(frozen=True, eq=False, repr=False)
class Evolution(Result):
    """The favourite stimulus of a unit without gradients: a :class:`~phosphene.render.Result` of one picture.

    The picture is what the search recommends at the end, the mean of its distribution. :attr:`best_observed` is what
    scored highest on the way. Without noise take whichever scores higher; under noise trust the recommended one: the
    highest of thousands of noisy scores is mostly luck (the winner's curse), so ``best_score`` is too high.

    Attributes:
        code: the picture's code (d,), float32.
        best_code: code of the candidate that scored highest (d,).
        best_score: its score, as it was observed.
        trajectory: all generations.
        references: reference images (r, c, h, w), if any were given.
        reference_scores: their scores at the end (r,).
    """

    code: Float[Tensor, " d"]
    best_code: Float[Tensor, " d"]
    best_score: float
    trajectory: Trajectory
    references: Float[Tensor, "r c h w"] | None
    reference_scores: Float[Tensor, " r"] | None
    _space: Space
    _scorer: Scorer
    _made: Origin

    @property
    def made(self) -> Origin:
        """What it was made of."""
        return self._made

    @cached_property
    def documents(self) -> tuple[dict[str, JSON], ...]:
        return (
            write_document(self._made, name=self.names[0], score=float(self.final_scores[0]), status=self.status[0]),
        )

    @property
    def has_alpha(self) -> bool:
        return False

    @property
    def best_observed(self) -> Evolution:
        """The same evolution with the candidate that scored highest as its picture."""
        return replace(
            self,
            images=self.decode(self.best_code[None]),
            names=(f"{self.names[0].removesuffix(' (best observed)')} (best observed)",),
            final_scores=torch.tensor([self.best_score], dtype=torch.float32),
            code=self.best_code,
            _made=replace(self._made, picture="best_observed"),
        )

    def take(self, rows: list[int]) -> Evolution:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The picture itself: there is only one."""
        check(rows == [0], "rows", rows, "[0]: an evolution is a single picture")
        return self

    def decode(self, codes: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        """The images of codes, such as ``result.trajectory.means``."""
        with torch.no_grad():
            return self._space.open(torch.device("cpu"))(codes.cpu()).float()

    def __str__(self) -> str:
        n = self.trajectory.scores.numel()
        line = (
            f"{self.names[0]}: score {float(self.final_scores[0]):.4g}, best observed {self.best_score:.4g} "
            f"in {len(self.trajectory)} generations ({n} images), {self.status[0]}, {self.seconds:.1f} s"
        )
        if self.reference_scores is None:
            return line
        scores = self.reference_scores[self.reference_scores.isfinite()]
        lost = len(self.reference_scores) - len(scores)
        note = f" ({lost} lost)" if lost else ""
        told = f": mean {scores.mean():.4g}, best {scores.max():.4g}" if len(scores) else ""
        return f"{line}\n{len(self.reference_scores)} reference images{note}{told}"

    def plot(self) -> Figure:
        """Score against generation: all candidates, their mean and best, and the reference images.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        return plots.plot_scores(self.trajectory.scores, self.reference_scores)

    def plot_references(self) -> Figure:
        """Evolved against reference images: the scores of the first and last generation and of the references.

        Raises:
            MissingExtraError: matplotlib is not installed.
            ParameterError: no reference images were given.
        """
        check(self.reference_scores is not None, "references", None, "images, given to evolve(references=…)")
        assert self.reference_scores is not None
        check(len(self.trajectory) > 0, "generations", 0, "one at least")
        return plots.plot_references(self.trajectory.scores, self.reference_scores)

    def plot_trajectory(self) -> Figure:
        """The way of the recommended code in its first two principal components, coloured by generation.

        Raises:
            MissingExtraError: matplotlib is not installed.
            ParameterError: there were fewer than three generations.
        """
        check(len(self.trajectory) > 2, "generations", len(self.trajectory), "three at least for a trajectory")
        return plots.plot_trajectory(self.trajectory.means, self.trajectory.mean_scores)

    def film_strip(self, n: int = 10, *, of: Literal["recommended", "best"] = "recommended") -> Image:
        """The pictures of ``n`` generations, evenly spread from the first to the last, each with its score.

        Args:
            n: number of pictures.
            of: what is shown of each generation: what the search recommended after it, captioned with the generation's
                mean score; or its highest-scoring candidate, with its score.

        Raises:
            ParameterError: an argument is out of range, or the candidates' codes were not kept.
        """
        check(0 < n <= 1000, "n", n, "a whole number from 1 to 1000")
        check(of in ("recommended", "best"), "of", of, "'recommended' or 'best'")
        way = self.trajectory
        codes, scores = (way.means, way.mean_scores) if of == "recommended" else (way.best_codes, way.best_scores)
        check(codes is not None, "of", of, "'recommended': the candidates' codes would not have fit into memory")
        assert codes is not None
        rows = torch.linspace(0, len(way) - 1, min(n, len(way))).round().long()
        pixels = [display.to_uint8(image) for image in self.decode(codes[rows])]
        lines = [f"{int(g)}: {float(scores[g]):.3g}" for g in rows]
        return display.contact_sheet(pixels, lines, len(pixels))

    def tuning_map(self, n: int = 9, **options: object) -> TuningMap:
        """The tuning of the unit around the picture; see :func:`phosphene.evolution.tuning_map`, whose further
        arguments are taken.
        """
        way = self.trajectory.means
        return tuning_map(self._scorer, self._space, self.code, n=n, trajectory=way, **options)  # pyright: ignore[reportArgumentType]

    def save_data(self, path: str | Path) -> Path:
        """Write codes and scores of all generations as a compressed ``.npz`` without pickles: ``ids`` (g, n), ``codes``
        (g, n, d) if they were kept, ``scores`` (g, n), ``means`` (g, d), ``code``, ``best_code``, ``reference_scores``.

        Raises:
            StorageError: the file cannot be written.
        """
        way = self.trajectory
        arrays = {
            "ids": np.array(way.ids),
            "scores": way.scores.numpy(),
            "means": way.means.numpy(),
            "code": self.code.numpy(),
            "best_code": self.best_code.numpy(),
        }
        arrays |= {} if way.codes is None else {"codes": way.codes.numpy()}
        arrays |= {} if self.reference_scores is None else {"reference_scores": self.reference_scores.numpy()}
        return store.write_arrays(path, arrays)
