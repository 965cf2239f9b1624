"""How a canvas's parameters lie in a code: where they start, and how far one unit of the code moves them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.errors import ParameterError
from phosphene.functional.random import Generators
from phosphene.parameterizations import Alpha, Canvas, CPPNCanvas, Grayscale, Latent, Parameterization
from phosphene.parameterizations.generators.latent import LatentCanvas

#: Biases of a CPPN start from N(0, 0.1); gains and shifts, which start fixed, are given the same.
_CPPN_SD = 0.1


@dataclass(frozen=True)
class _Flat(Generators):
    """Streams that give the middle of every distribution plus so many standard deviations, instead of noise."""

    deviation: float = 0.0

    def uniform(self, *shape: int) -> Float[Tensor, "n ..."]:
        return torch.full((len(self.cpu), *shape), 0.5)

    def normal(self, *shape: int) -> Float[Tensor, "n ..."]:
        return torch.full((len(self.cpu), *shape), self.deviation)


class Layout:
    """A canvas of ``n`` images, and what its parameters are for a code.

    A parameter is ``origin + scale · code``, with one origin and one scale for all images; parameters that no start
    varies stay at their origin and have no place in the code.

    Attributes:
        canvas: the canvas, on the device, float32.
        n: number of its images.
        dim: length of a code.
    """

    def __init__(self, parameterization: Parameterization, n: int, device: torch.device) -> None:
        self.canvas = parameterization.build(n, _flat(n), device=device, dtype=torch.float32).requires_grad_(False)
        self.n = n
        self.origins = {name: p.detach().clone() for name, p in self.canvas.named_parameters()}
        scales = _scales(self.canvas, n)
        self.scales = {name: scale for name, scale in scales.items() if bool(scale.any())}
        self.dim = sum(scale.numel() for scale in self.scales.values())
        self.reset()

    def reset(self) -> None:
        """Bring all parameters back to their origins."""
        for name, parameter in self.canvas.named_parameters():
            parameter.copy_(self.origins[name])

    def set(self, codes: Float[Tensor, "n dim"]) -> None:
        """Set the parameters to what the codes say; a generator's codes keep to their constraint from the start."""
        at = 0
        for name, scale in self.scales.items():
            part = codes[:, at : at + scale.numel()].view(self.n, *scale.shape)
            self.canvas.get_parameter(name).copy_(self.origins[name] + scale * part)
            at += scale.numel()
        for part in self.canvas.modules():
            if isinstance(part, LatentCanvas) and part.spec.constraint is not None:
                part.codes.copy_(part.spec.constraint.begin(part.codes))

    def get(self) -> Float[Tensor, "n dim"]:
        """The codes of what the parameters are now; what no start varies is left out."""
        rows: list[Tensor] = []
        for name, scale in self.scales.items():
            moved = self.canvas.get_parameter(name) - self.origins[name]
            rows.append(torch.where(scale > 0, moved / scale, 0.0).flatten(1))
        return torch.cat(rows, 1)


def n_numbers(parameterization: Parameterization) -> int:
    """Length of a code, without opening any generator.

    Raises:
        ParameterError: no start varies any parameter.
    """
    if isinstance(parameterization, Grayscale):
        return n_numbers(parameterization.inner)
    if isinstance(parameterization, Alpha):
        return n_numbers(parameterization.inner) + n_numbers(parameterization.opacity)
    if isinstance(parameterization, Latent):
        found = math.prod(parameterization.generator.code_shape) if parameterization.sd > 0 else 0
    else:
        with torch.inference_mode(False), torch.no_grad():
            found = Layout(parameterization, 1, torch.device("cpu")).dim
    if found == 0:
        raise ParameterError(
            f"every image of {parameterization.kind()} starts alike, so that codes have no unit; give it an sd above 0"
        )
    return found


def _flat(n: int, deviation: float = 0.0) -> _Flat:
    """Streams for ``n`` images."""
    generators = tuple(torch.Generator() for _ in range(n))
    return _Flat(generators, generators, deviation)


def _scales(canvas: Canvas, n: int) -> dict[str, Tensor]:
    """The initial standard deviation of every parameter of an image; the parameters are changed.

    Restarts disturb the parameters by that much, which tells it for starts that are given, too.
    """
    for parameter in canvas.parameters():
        parameter.zero_()
    canvas.disturb(torch.ones(n, dtype=torch.bool), _flat(n, 1.0), 1.0)
    scales = {name: p.detach()[0].clone() for name, p in canvas.named_parameters()}
    for path, part in canvas.named_modules():
        for name, scale in _own_scales(part).items():
            whole = f"{path}.{name}" if path else name
            scales[whole] = torch.full_like(scales[whole], scale)
    return scales


def _own_scales(part: nn.Module) -> dict[str, float]:
    """Scales of what a disturbance does not tell: where a constraint moves codes, and of a CPPN's hidden layers."""
    if isinstance(part, LatentCanvas):
        return {"codes": part.spec.sd}
    if not isinstance(part, CPPNCanvas):
        return {}
    scales = {f"weights.{i}": 1 / math.sqrt(w.shape[2]) for i, w in enumerate(part.weights)}
    names = [name for name, _ in part.named_parameters() if not name.startswith("weights.")]
    return scales | dict.fromkeys(names, _CPPN_SD)
