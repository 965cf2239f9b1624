"""Phase: only the phase of each frequency is optimised; its magnitude is that of photographs (MaCo)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.errors import ParameterError
from phosphene.functional.random import Generators
from phosphene.functional.spectrum import mirrored
from phosphene.parameterizations.base import ColoredCanvas, ColoredParameterization
from phosphene.parameterizations.pixels import disturb
from phosphene.parameterizations.spectra import PowerLaw, Spectrum, magnitude_of

#: Guards the divisions by a standard deviation.
_EPSILON = 1e-5
_NATURAL: Final = PowerLaw()


@dataclass(frozen=True)
class Phase(ColoredParameterization):
    """Magnitude-constrained images: ``irfft2(magnitude · exp(i · phase))``, where only the phase is free (Fel and
    others, "Unlocking Feature Visualization for Deep Networks with MAgnitude Constrained Optimization", 2023).

    The phase starts from N(0, sd). At every look it is standardised over the channels and frequencies of each image,
    and so is the decorrelated image, before colours are mixed and squashed. Differences from the published code, on
    purpose: it renders batches, each image standardised by itself; and frequencies that are each other's mirror image
    (those without a horizontal part) are made each other's conjugate, so that their magnitudes are the given ones too.
    Only the at most four that mirror themselves are real, and give ``magnitude · cos(phase)``. MaCo climbs with NAdam
    at rate 1 through :class:`phosphene.transforms.ScheduledCrop` and :class:`phosphene.transforms.ScheduledNoise`.

    Attributes:
        sd: standard deviation of the phase, in radians, at the start and, where it is standardised, at every look. The
            published 1 leaves the phases gathered around 0, which is a bright point at the image's corners; at 3
            nothing of it is left.
        magnitude: a rule for images of any size, an array (c, rows, columns) such as :func:`phosphene.fit_spectrum`
            gives, or "image": those of the image that is started from.
        standardize: whether phase and image are standardised; without it an image can be started from.
        gate: start value of a learnt gate: every magnitude is multiplied by the sigmoid of a parameter of its own; 5
            in Feature Accentuation (Hamblin and others 2024), which shuts frequencies that do not help. None: fixed.
    """

    sd: float = 1.0
    magnitude: Spectrum | FrozenArray | Literal["image"] = _NATURAL
    standardize: bool = True
    gate: float | None = None

    cites: ClassVar[tuple[str, ...]] = ("fel2023maco",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.magnitude, Spectrum | str):
            object.__setattr__(self, "magnitude", FrozenArray.of(self.magnitude))
        elif isinstance(self.magnitude, str):
            check(self.magnitude == "image", "magnitude", self.magnitude, "a Spectrum, an array or 'image'")
        free = not self.standardize or (self.start is None and self.magnitude != "image")
        check(free, "standardize", self.standardize, "False where an image is started from")
        check(self.gate is None or abs(self.gate) <= 50, "gate", self.gate, "None or a number from -50 to 50")
        if self.magnitude != "image":
            self.magnitudes()

    def magnitudes(self) -> Float[Tensor, "c h f"]:
        """What each frequency's magnitude is, float64; that of :class:`PowerLaw` until an image gives its own."""
        source = _NATURAL if isinstance(self.magnitude, str) else self.magnitude
        return magnitude_of(source, self.channels, self.height, self.width)

    def build(self, n: int, noise: Generators, *, device: torch.device, dtype: torch.dtype) -> PhaseCanvas:
        """A canvas of ``n`` images; see :meth:`Parameterization.build`."""
        start = self.latent_start(n, noise)
        phase = self.sd * noise.normal(self.channels, self.height, self.width // 2 + 1)
        canvas = PhaseCanvas(self, phase.to(device, dtype))
        if start is not None:
            canvas.fit(start.to(device, dtype))
        return canvas


class PhaseCanvas(ColoredCanvas):
    """The images of :class:`Phase`; ``phase`` is (n, c, h, w // 2 + 1), in radians, and so is ``gate`` if there is
    one.
    """

    def __init__(self, spec: Phase, phase: Float[Tensor, "n c h f"]) -> None:
        super().__init__(spec, latent_gain=1.0, device=phase.device, dtype=phase.dtype)
        self.rule = spec
        self.phase = nn.Parameter(phase.contiguous())
        self.gate = None if spec.gate is None else nn.Parameter(torch.full_like(phase, spec.gate))
        self.magnitude = spec.magnitudes().to(phase).expand_as(phase)

    def latent(self) -> Float[Tensor, "n c h w"]:
        """The decorrelated images."""
        phase = self.rule.sd * _standard(self.phase) if self.rule.standardize else self.phase
        magnitude = self.magnitude if self.gate is None else self.magnitude * torch.sigmoid(self.gate)
        size = (self.rule.height, self.rule.width)
        spectrum = mirrored(torch.polar(magnitude.contiguous(), phase), self.rule.width)
        image = torch.fft.irfft2(spectrum, s=size, norm="ortho")
        return _standard(image) if self.rule.standardize else image

    def forward(self) -> Float[Tensor, "n c h w"]:
        return self.colorize(self.latent())

    def disturb(self, rows: Tensor, noise: Generators, strength: float) -> None:
        disturb(self.phase, rows, noise, strength * self.rule.sd)

    @torch.no_grad()
    def fit(self, latent: Float[Tensor, "n c h w"]) -> None:
        """Take the phases of decorrelated images, and their magnitudes where these are the image's."""
        spectrum = torch.fft.rfft2(latent, norm="ortho")
        self.phase.copy_(spectrum.angle())
        if self.rule.magnitude == "image":
            self.magnitude = spectrum.abs()
            if self.gate is not None and self.rule.gate is not None:
                self.gate.fill_(self.rule.gate)
                self.magnitude = self.magnitude * (1 + math.exp(-self.rule.gate))

    def assign(self, image: Float[Tensor, "n c h w"]) -> None:
        if self.rule.standardize:
            raise ParameterError(
                "an image's phases cannot be taken where phases are standardised; use ph.Phase(…, standardize=False)"
            )
        self.fit(self.rule.latent(image))


def _standard(values: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
    """Each image's values with mean 0 and standard deviation 1."""
    axes = tuple(range(1, values.ndim))
    variance, mean = torch.var_mean(values, axes, correction=0, keepdim=True)
    return (values - mean) / (variance.sqrt() + _EPSILON)
