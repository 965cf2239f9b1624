"""Decoders of the TAESD family: tiny autoencoders of the latent spaces of diffusion models (Bohan 2023)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from phosphene._component import check
from phosphene.errors import WeightsError
from phosphene.parameterizations.generators.weighted import FileGenerator

_SHRINK = 8  # pixels per code position and axis
_GROUPS = 4
_WIDENING = 4  # channels within a normalised branch, as a multiple of those outside
_CLAMP = 3.0
#: The one prefix of diffusers' files; its layers are counted without the clamp at the start.
_DIFFUSERS = "decoder.layers."


@dataclass(frozen=True)
class TAESD(FileGenerator):
    """A decoder of the TAESD family: code (latent_channels, height / 8, width / 8) to 3 × height × width.

    taesd and taesdxl have 4 latent channels, taesd3 and taef1 16, taef2 32. Every position draws its own 8 × 8 pixels
    from its neighbourhood, so that this is a prior of textures rather than of objects. Codes pass 3 · tanh(z / 3);
    then a convolution, residual blocks of three convolutions 3 × 3, and three doublings of the size. taef2's first
    blocks also have a branch with group normalisation. Width and blocks are read from the state dict, which may be
    named as the family's own files (``1.weight`` …) or as diffusers' (``decoder.layers.0.weight`` …, its encoder left
    aside).

    Attributes:
        path: the weights; see :class:`FileGenerator`.
        sha256: checksum of the file.
        latent_channels: channels of the code.
        height: image rows, in pixels, a multiple of 8.
        width: image columns, in pixels, a multiple of 8.
    """

    cites = ("bohan2023taesd",)
    latent_channels: int = field(default=4, kw_only=True)
    height: int = field(default=224, kw_only=True)
    width: int = field(default=224, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.latent_channels <= 1024, "latent_channels", self.latent_channels, "a number from 1 to 1024")
        for name, value in (("height", self.height), ("width", self.width)):
            fits = 0 < value <= 2**14 and value % _SHRINK == 0
            check(fits, name, value, f"a multiple of {_SHRINK} from {_SHRINK} to 16384")

    @property
    def code_shape(self) -> tuple[int, ...]:
        return (self.latent_channels, self.height // _SHRINK, self.width // _SHRINK)

    @property
    def size(self) -> tuple[int, int]:
        return (self.height, self.width)

    @property
    def n_channels(self) -> int:
        return 3

    def named(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        if not any(name.startswith(_DIFFUSERS) for name in state):
            return state
        numbered = (
            (name.removeprefix(_DIFFUSERS).partition("."), value)
            for name, value in state.items()
            if name.startswith(_DIFFUSERS)
        )
        return {f"{int(index) + 1}.{rest}": value for (index, _, rest), value in numbered}

    def network(self, state: dict[str, Tensor]) -> nn.Module:
        """See :meth:`FileGenerator.network`.

        Raises:
            WeightsError: the state dict is none of the family, or for another number of latent channels.
        """
        first = state.get("1.weight")
        if first is None or first.ndim != 4 or not all(name.split(".")[0].isdigit() for name in state):
            raise WeightsError(
                f"weights {self.path!r} are not of a TAESD decoder: they hold {sorted(state)[:3]}; expected 1.weight, "
                "3.conv.0.weight … or decoder.layers.0.weight …; give the decoder's file, not the encoder's"
            )
        if first.shape[1] != self.latent_channels:
            raise WeightsError(
                f"weights {self.path!r} are for {first.shape[1]} latent channels, but latent_channels is "
                f"{self.latent_channels}; give latent_channels={first.shape[1]}"
            )
        last = max(int(name.split(".")[0]) for name in state)
        return nn.Sequential(*(_part(i, state) for i in range(last + 1)))

    def to_image(self, output: Tensor) -> Tensor:
        return output


def _part(index: int, state: dict[str, Tensor]) -> nn.Module:
    """The layer of a number: what its tensors say, or one of those that have none."""
    convolution, block = state.get(f"{index}.weight"), state.get(f"{index}.conv.0.weight")
    if block is not None:
        return _Block(block.shape[1], block.shape[0], branch=f"{index}.pool.0.weight" in state)
    if convolution is not None:
        return nn.Conv2d(convolution.shape[1], convolution.shape[0], 3, padding=1, bias=f"{index}.bias" in state)
    return {0: _Clamp(), 2: nn.ReLU()}.get(index) or nn.Upsample(scale_factor=2)


class _Clamp(nn.Module):
    """A soft clamp to (-3, 3)."""

    def forward(self, codes: Tensor) -> Tensor:
        return torch.tanh(codes / _CLAMP) * _CLAMP


class _Block(nn.Module):
    """ReLU of a residual of three convolutions; before it, in taef2's middle, a branch with group normalisation."""

    def __init__(self, n_in: int, n_out: int, *, branch: bool) -> None:
        super().__init__()
        steps = [nn.Conv2d(a, n_out, 3, padding=1) for a in (n_in, n_out, n_out)]
        self.conv = nn.Sequential(steps[0], nn.ReLU(), steps[1], nn.ReLU(), steps[2])
        self.skip = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1, bias=False)
        self.pool = _branch(n_in) if branch else None

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.pool is None else x + self.pool(x)
        return torch.relu(self.conv(x) + self.skip(x))


def _branch(n: int) -> nn.Sequential:
    wide = n * _WIDENING
    narrow, widen = nn.Conv2d(wide, n, 1, bias=False), nn.Conv2d(n, wide, 1, bias=False)
    return nn.Sequential(widen, nn.GroupNorm(_GROUPS, wide), nn.ReLU(), narrow)
