"""Linear subspaces of a space of codes, such as the principal components of codes or of pictures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.errors import ArgumentError
from phosphene.spaces.base import Decoder, Space
from phosphene.spaces.image_space import checked_codes

#: Components whose standard deviation is a smaller share of the first one's are rounding errors.
_RANK_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Subspace(Space):
    """The codes ``origin + z · basis`` of another space, for z ~ N(0, I) of ``k`` numbers.

    Attributes:
        space: the space of the codes.
        basis: k directions (k, dim) with k at most dim; their lengths are what one unit of z moves.
        origin: the code (dim,) of z = 0; by default zeros.
    """

    space: Space
    basis: FrozenArray
    origin: FrozenArray | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.space, Space):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(f"space is {type(self.space).__name__}; expected a Space, such as as_space(generator)")
        dim = self.space.dim
        object.__setattr__(self, "basis", FrozenArray.of(self.basis))
        object.__setattr__(self, "origin", FrozenArray.of([0.0] * dim if self.origin is None else self.origin))
        super().__post_init__()
        shape, given = self.basis.shape, self._origin.shape
        fits = len(shape) == 2 and shape[1] == dim and 1 <= shape[0] <= dim
        check(fits, "basis", shape, f"(k, {dim}), k from 1 to {dim}")
        check(given == (dim,), "origin", given, f"a code of {dim} numbers")

    @property
    def dim(self) -> int:
        return self.basis.shape[0]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return self.space.image_shape

    @property
    def _origin(self) -> FrozenArray:
        """``origin``, which is never None once built."""
        return self.origin or FrozenArray.of([0.0] * self.space.dim)

    def open(self, device: torch.device) -> Decoder:
        """What decodes codes (n, k) into images (n, c, h, w); see :class:`Space`."""
        decode, lift = self.space.open(device), self._lifting()
        return lambda codes: decode(lift(codes))

    def lift(self, codes: Float[Tensor, "n k"]) -> Float[Tensor, "n dim"]:
        """The codes of the space around for codes of this one; float64 on the CPU."""
        return self._lifting()(codes)

    def project(self, codes: Float[Tensor, "n dim"]) -> Float[Tensor, "n k"]:
        """The codes of this subspace nearest to codes of the space around (least squares); float64 on the CPU."""
        rows = checked_codes(codes, self.space.dim).to("cpu", torch.float64)
        return (rows - self._origin.tensor(dtype=torch.float64)) @ torch.linalg.pinv(self._matrix())

    def _matrix(self) -> Float[Tensor, "k dim"]:
        return self.basis.tensor(dtype=torch.float64)

    def _lifting(self) -> Decoder:
        matrix, origin = self._matrix(), self._origin.tensor(dtype=torch.float64)

        def lift(codes: Tensor) -> Tensor:
            rows = checked_codes(codes, self.dim).to("cpu", torch.float64)
            # One by one: the last bits of a product of matrices depend on how many rows there are.
            return (
                torch.stack([origin + row @ matrix for row in rows]) if len(rows) else origin.new_empty(0, len(origin))
            )

        return lift


def pca_subspace(space: Space, codes: Float[Tensor, "m dim"], n_components: int, *, whiten: bool = True) -> Subspace:
    """The subspace of the first principal components of codes, about their mean.

    For a subspace of pictures take the codes from them: ``pca_subspace(space, space.encode(images), 50)``.

    Args:
        space: the space of the codes.
        codes: (m, dim), at least one more than there are components.
        n_components: how many components are kept.
        whiten: scale every component by its standard deviation, so that z ~ N(0, I) has the covariance of the codes;
            otherwise the rows of the basis have length 1.

    Raises:
        ParameterError: the codes do not vary in so many directions.
        ArgumentError: they have another length.
    """
    rows = checked_codes(codes, space.dim).to("cpu", torch.float64)
    check(len(rows) > 1, "codes", f"{len(rows)} codes", "at least 2")
    mean = rows.mean(0)
    _, singular, directions = torch.linalg.svd(rows - mean, full_matrices=False)
    rank = int((singular > _RANK_TOLERANCE * singular[0].clamp(min=1e-300)).sum())
    expected = f"a whole number from 1 to {rank}, in which the {len(rows)} codes vary"
    check(1 <= n_components <= rank, "n_components", n_components, expected)
    basis = directions[:n_components]
    # A component and its opposite are the same; the largest entry is made positive.
    largest = basis.gather(1, basis.abs().argmax(1, keepdim=True))
    basis = basis * largest.sign()
    sd = singular[:n_components, None] / (len(rows) - 1) ** 0.5
    return Subspace(space, FrozenArray.of(sd * basis if whiten else basis), FrozenArray.of(mean))
