"""How alike responses and a target population vector are, as a readout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.scorers.readouts import Readout, check_number, freeze_vector

Measure = Literal["cosine", "correlation", "mse", "l1", "dot"]


@dataclass(frozen=True)
class Similarity(Readout):
    """How alike the responses are to a target, such as the population vector that another picture evoked.

    With ``mean`` and ``sd``, such as those of the responses to reference images, target and responses are z-scored
    first. Units whose sd is 0 do not count, nor do those that the mask leaves out; these may be lost. Measures: the
    "cosine" of the angle between the vectors, Pearson's "correlation", minus the mean squared ("mse") or absolute
    ("l1") difference, and the "dot" product. The cosine or correlation with what has no length or no variance is 0.

    Attributes:
        target: the wanted responses, one number for each unit.
        measure: how likeness is measured.
        mask: 1 for each unit that counts, 0 for the others; None for all.
        mean: of each unit's responses; None for zeros.
        sd: standard deviation of each unit's responses; None for ones.
    """

    target: FrozenArray
    measure: Measure = "cosine"
    mask: FrozenArray | None = None
    mean: FrozenArray | None = None
    sd: FrozenArray | None = None

    def __post_init__(self) -> None:
        for name in ("target", "mask", "mean", "sd"):
            freeze_vector(self, name)
        super().__post_init__()
        check(self.measure in _MEASURES, "measure", self.measure, f"one of {', '.join(_MEASURES)}")
        for name in ("mask", "mean", "sd"):
            value = getattr(self, name)
            check(value is None or value.shape == self.target.shape, name, value and value.shape, "the target's shape")
        check(
            self.mask is None or bool(((m := self.mask.numpy()) * (m - 1) == 0).all()), "mask", self.mask, "0s and 1s"
        )
        check(self.sd is None or bool((self.sd.numpy() >= 0).all()), "sd", self.sd, "numbers from 0")
        check(bool(self._counts().any()), "mask", "a mask and an sd that leave out every unit", "at least one unit")

    def read(self, responses: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        check_number(responses, len(self._vector(self.target)), "target")
        counts = self._counts()
        target, found = (self._scored(v)[..., counts] for v in (self._vector(self.target), responses))
        return _MEASURES[self.measure](found, target)

    def _counts(self) -> Tensor:
        """Which units count (k,)."""
        counts = torch.ones(self.target.shape, dtype=torch.bool)
        for given in (self.mask, self.sd):
            counts = counts if given is None else counts & (self._vector(given) > 0)
        return counts

    def _scored(self, values: Tensor) -> Tensor:
        """z-scores; those of constant units mean nothing, and do not count."""
        values = values if self.mean is None else values - self._vector(self.mean)
        return values if self.sd is None else values / self._vector(self.sd)

    @staticmethod
    def _vector(array: FrozenArray) -> Float[Tensor, " k"]:
        return array.tensor(dtype=torch.float64)


def _cosine(found: Float[Tensor, "n k"], target: Float[Tensor, " k"]) -> Float[Tensor, " n"]:
    # Each divided by its largest entry first, or the squares of very large or small responses are lost.
    found, target = (v / v.abs().amax(-1, keepdim=True).clamp(min=torch.finfo(v.dtype).tiny) for v in (found, target))
    lengths = torch.linalg.vector_norm(found, dim=1) * torch.linalg.vector_norm(target)
    return torch.where(lengths == 0, 0.0, (found @ target) / lengths)


def _correlation(found: Float[Tensor, "n k"], target: Float[Tensor, " k"]) -> Float[Tensor, " n"]:
    return _cosine(_centred(found), _centred(target))


def _centred(values: Tensor) -> Tensor:
    """Without the mean; exactly zero where all are equal, whatever rounding makes of their mean."""
    constant = (values == values[..., :1]).all(-1, keepdim=True)
    return torch.where(constant & values.isfinite(), 0.0, values - values.mean(-1, keepdim=True))


_MEASURES: Final[Mapping[str, Callable[[Tensor, Tensor], Tensor]]] = MappingProxyType(
    {
        "cosine": _cosine,
        "correlation": _correlation,
        "mse": lambda found, target: -(found - target).square().mean(1),
        "l1": lambda found, target: -(found - target).abs().mean(1),
        "dot": lambda found, target: found @ target,
    }
)
