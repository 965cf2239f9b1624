"""CPPN: a small network from a pixel's place to its colour (compositional pattern-producing network)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import ClassVar, Final, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene._component import check
from phosphene.functional.random import Generators
from phosphene.parameterizations.base import Canvas, Parameterization
from phosphene.parameterizations.pixels import disturb

#: Places have unit variance along an axis: a uniform distribution on ±√3.
_REACH = math.sqrt(3)
#: Standard deviation of the hidden biases at the start.
_BIAS_SD = 0.1
#: A standard normal distribution cut at ±2 has this standard deviation; weights are drawn from it, as in Lucid.
_CUT, _CUT_SD = 2.0, 0.87962566103423978
#: Guards the division by the standard deviation over an image's places.
_EPSILON = 1e-6
#: What restarts add to the output weights for strength 1; these begin at 0, so that they have no scale of their own.
_OUTPUT_SD = 0.01


def _composite(x: Tensor) -> Tensor:
    angle = torch.atan(x)
    return torch.cat([angle / 0.67, angle.square() / 0.6], 1)


def _unbiased(x: Tensor) -> Tensor:
    angle = torch.atan(x)
    return torch.cat([angle / 0.67, (angle.square() - 0.45) / 0.396], 1)


def _relu(x: Tensor) -> Tensor:
    return (torch.relu(x) - 0.40) / 0.58


#: Lucid's activations, scaled so that a standard normal input comes out with about unit variance (the first: unit
#: second moment).
ACTIVATIONS: Final[Mapping[str, Callable[[Tensor], Tensor]]] = MappingProxyType(
    {"composite": _composite, "unbiased": _unbiased, "relu": _relu}
)


@dataclass(frozen=True)
class CPPN(Parameterization):
    """A network that paints: hidden layers of 1 × 1 convolutions from a pixel's place (x, y) to its colour (Lucid's
    ``cppn``; Stanley 2007). The weights are what is optimised, and can be drawn at any size: smooth at every
    magnification (:meth:`CPPNCanvas.draw`). Needs a smaller learning rate than pixels: Adam 0.005.

    The image starts grey, as the output's weights and biases are 0. Hidden weights are N(0, 1 / fan-in), cut at two
    standard deviations; hidden biases N(0, 0.1). The defaults have 8 451 weights. Differences from Lucid, on purpose:
    each image has a network of its own, where Lucid's images share one; the longer side runs from −√3 to √3 and the
    shorter less far, so that pixels are square.

    Attributes:
        channels: colour channels of the image.
        hidden: channels of each hidden layer.
        layers: number of hidden layers.
        activation: "composite" (both atan(x) / 0.67 and atan(x)² / 0.6), "unbiased" (the same with mean 0) or "relu".
        normalize: normalise every hidden channel over the image's places, with gain and shift learnt.
    """

    channels: int = 3
    hidden: int = 24
    layers: int = 8
    activation: Literal["composite", "unbiased", "relu"] = "composite"
    normalize: bool = False

    cites: ClassVar[tuple[str, ...]] = ("stanley2007cppn", "mordvintsev2018differentiable")

    def __post_init__(self) -> None:
        super().__post_init__()
        limits = {"height": 2**14, "width": 2**14, "channels": 2**14, "hidden": 2**12, "layers": 64}
        for name, most in limits.items():
            value = getattr(self, name)
            check(1 <= value <= most, name, value, f"a whole number from 1 to {most}")
        check(self.activation in ACTIVATIONS, "activation", self.activation, f"one of {', '.join(ACTIVATIONS)}")

    @property
    def image_channels(self) -> int:
        return self.channels

    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Outputs and inputs of each layer, the output layer last.

        >>> sum(outputs * (inputs + 1) for outputs, inputs in CPPN(8, 8).shapes())
        8451
        """
        spread = ACTIVATIONS[self.activation](torch.zeros(1, self.hidden)).shape[1]
        inputs = (2, *(spread,) * self.layers)
        outputs = (*(self.hidden,) * self.layers, self.channels)
        return tuple(zip(outputs, inputs, strict=True))

    def build(self, n: int, noise: Generators, *, device: torch.device, dtype: torch.dtype) -> CPPNCanvas:
        """A canvas of ``n`` images; see :meth:`Parameterization.build`."""
        *inner, (colors, last) = self.shapes()
        weights = [_cut_normal(noise, outputs, inputs) / math.sqrt(inputs) for outputs, inputs in inner]
        biases = [_BIAS_SD * noise.normal(outputs, 1) for outputs, _ in inner]
        weights.append(torch.zeros(n, colors, last))
        biases.append(torch.zeros(n, colors, 1))
        return CPPNCanvas(self, [w.to(device, dtype) for w in weights], [b.to(device, dtype) for b in biases])


class CPPNCanvas(Canvas):
    """The images of :class:`CPPN`; ``weights[k]`` is (n, outputs, inputs), ``biases[k]`` (n, outputs, 1)."""

    def __init__(
        self, spec: CPPN, weights: Sequence[Float[Tensor, "n _ _"]], biases: Sequence[Float[Tensor, "n _ 1"]]
    ) -> None:
        super().__init__()
        self.spec = spec
        self.activation = ACTIVATIONS[spec.activation]
        self.weights, self.biases = nn.ParameterList(weights), nn.ParameterList(biases)
        normalized = [b for b, _ in pairwise(self.biases)] if spec.normalize else []
        self.gains = nn.ParameterList([torch.ones_like(b) for b in normalized])
        self.shifts = nn.ParameterList([torch.zeros_like(b) for b in normalized])
        self.places = places(spec.height, spec.width).to(weights[0])

    def forward(self) -> Float[Tensor, "n c h w"]:
        return self._paint(self.places)

    @torch.no_grad()
    def draw(self, height: int, width: int) -> Float[Tensor, "n c h w"]:
        """The same pictures at another size, in [0, 1]; the side ratio may differ too."""
        return self._paint(places(height, width).to(self.places))

    def _paint(self, at: Float[Tensor, "2 h w"]) -> Float[Tensor, "n c h w"]:
        n = self.weights[0].shape[0]
        values = at.flatten(1).expand(n, -1, -1)
        for i in range(len(self.weights) - 1):
            values = torch.baddbmm(self.biases[i], self.weights[i], values)
            values = self.activation(self._normalized(values, i) if self.spec.normalize else values)
        colors = torch.baddbmm(self.biases[-1], self.weights[-1], values)
        return torch.sigmoid(colors).unflatten(2, at.shape[1:])

    def _normalized(self, values: Float[Tensor, "n k p"], layer: int) -> Float[Tensor, "n k p"]:
        variance, mean = torch.var_mean(values, 2, correction=0, keepdim=True)
        return (values - mean) * torch.rsqrt(variance + _EPSILON) * self.gains[layer] + self.shifts[layer]

    def disturb(self, rows: Tensor, noise: Generators, strength: float) -> None:
        # The hidden layers are random as it is; a start that drives nothing is grey because these are 0.
        disturb(self.weights[-1], rows, noise, strength * _OUTPUT_SD)


def places(height: int, width: int) -> Float[Tensor, "2 h w"]:
    """Each pixel's place (x, y), 0 in the middle, ±√3 at the ends of the longer side; float64.

    >>> [round(v, 3) for v in places(1, 3)[0, 0].tolist()]
    [-1.732, 0.0, 1.732]
    """
    step = 2 * _REACH / max(height - 1, width - 1, 1)
    y, x = (step * (torch.arange(size, dtype=torch.float64) - (size - 1) / 2) for size in (height, width))
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)])


def _cut_normal(noise: Generators, *shape: int) -> Float[Tensor, "n ..."]:
    """Normal draws of unit variance from a distribution that is cut at both ends, float64."""
    low = torch.special.ndtr(torch.tensor(-_CUT, dtype=torch.float64))
    return torch.special.ndtri(low + (1 - 2 * low) * noise.uniform(*shape).to(torch.float64)) / _CUT_SD
