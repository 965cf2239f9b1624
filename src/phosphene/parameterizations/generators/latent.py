"""A generator's code as what is optimised (Nguyen et al. 2016, "Synthesizing the preferred inputs")."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from phosphene._component import check
from phosphene.errors import ArgumentError, ParameterError
from phosphene.functional.random import Generators
from phosphene.parameterizations.base import Canvas, Parameterization
from phosphene.parameterizations.generators.base import Generator
from phosphene.parameterizations.generators.constraints import LatentConstraint
from phosphene.parameterizations.pixels import disturb

_MAX_SIZE = 2**14  # pixels on a side, as for every other parameterization


@dataclass(frozen=True, init=False)
class Latent(Parameterization):
    """The latent code of a generator: what is drawn stays within what the generator can draw.

    ``forward()`` is ``generator(codes)``, resized bilinearly (antialiased where it shrinks) if the canvas has another
    size than the generator.

    Attributes:
        generator: what draws.
        height: image rows, in pixels; by default the generator's own.
        width: image columns, in pixels; by default the generator's own.
        sd: standard deviation of the initial codes, drawn from N(0, sd).
        constraint: where codes may lie, applied at the start and after every step; None leaves them free.
    """

    cites = ("nguyen2016synthesizing",)
    generator: Generator
    sd: float
    constraint: LatentConstraint | None

    def __init__(
        self,
        generator: Generator,
        height: int | None = None,
        width: int | None = None,
        *,
        sd: float = 1.0,
        constraint: LatentConstraint | None = None,
    ) -> None:
        if not isinstance(generator, Generator):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(
                f"generator is {type(generator).__name__}; expected a Generator such as DCGAN(); wrap a module or "
                "function of your own: CustomGenerator(module, code_shape)"
            )
        own = generator.size
        values = {"generator": generator, "sd": sd, "constraint": constraint}
        values |= {"height": own[0] if height is None else height, "width": own[1] if width is None else width}
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self.__post_init__()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("height", "width"):
            value = getattr(self, name)
            check(0 < value <= _MAX_SIZE, name, value, f"a whole number from 1 to {_MAX_SIZE}")
        check(0 <= self.sd < float("inf"), "sd", self.sd, "a number from 0")
        fits = self.constraint is None or isinstance(self.constraint, LatentConstraint)  # pyright: ignore[reportUnnecessaryIsInstance]
        check(fits, "constraint", self.constraint, "None, UnitNorm, CappedNorm or GaussianPrior")

    @property
    def image_channels(self) -> int:
        return self.generator.n_channels

    def build(self, n: int, noise: Generators, *, device: torch.device, dtype: torch.dtype) -> LatentCanvas:
        """A canvas of ``n`` images; see :meth:`Parameterization.build`.

        Raises:
            WeightsError: the generator's weights cannot be found or do not fit.
            ParameterError: the generator draws images of another shape than it says.
        """
        codes = self.sd * noise.normal(*self.generator.code_shape)
        return LatentCanvas(self, codes.to(device, dtype))


class LatentCanvas(Canvas):
    """The images of :class:`Latent`; ``codes`` is (n, *code_shape)."""

    def __init__(self, spec: Latent, codes: Float[Tensor, "n *code"]) -> None:
        super().__init__()
        self.spec = spec
        # In a partial, so that the generator's weights do not count among the canvas's parameters.
        self._decode = partial(spec.generator.open(codes.device, codes.dtype))
        self.codes = nn.Parameter(self._begun(codes).contiguous())

    def forward(self) -> Float[Tensor, "n c h w"]:
        image, spec = self._decode(self.codes), self.spec
        expected = (len(self.codes), spec.image_channels, *spec.generator.size)
        if tuple(image.shape) != expected:
            raise ParameterError(
                f"the generator gave images of shape {tuple(image.shape)}; expected {expected}, for codes "
                f"{tuple(self.codes.shape)}; it must draw every code on its own, at one size"
            )
        return resized(image, spec.height, spec.width)

    def disturb(self, rows: Tensor, noise: Generators, strength: float) -> None:
        disturb(self.codes, rows, noise, strength * self.spec.sd)
        with torch.no_grad():
            self.codes.copy_(self._begun(self.codes))

    @torch.no_grad()
    def settle(self) -> None:
        if self.spec.constraint is not None:
            self.codes.copy_(self.spec.constraint.settle(self.codes))

    def _begun(self, codes: Tensor) -> Tensor:
        return codes if self.spec.constraint is None else self.spec.constraint.begin(codes)


def resized(image: Float[Tensor, "n c h w"], height: int, width: int) -> Float[Tensor, "n c p q"]:
    """The image at another size, bilinear, averaged where it shrinks; itself at its own size."""
    own = (image.shape[2], image.shape[3])
    if own == (height, width):
        return image
    shrinks = height < own[0] or width < own[1]
    return F.interpolate(image, (height, width), mode="bilinear", align_corners=False, antialias=shrinks)
