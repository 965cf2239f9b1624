"""Random streams: one per image, so that an image's draws never depend on its company."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

#: Values of a 16-bit word.
_LEVELS = 2**16


def stream_seed(seed: int, *names: str) -> int:
    """A 63-bit seed that depends on ``seed`` and on every name, by BLAKE2b.

    >>> stream_seed(0, "blocks.8:7") == stream_seed(0, "blocks.8:7")
    True
    """
    text = "\x1f".join((str(seed), *names)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def numbered(names: Sequence[str]) -> tuple[str, ...]:
    """The names with a number behind each repetition, so that equal units get different streams.

    >>> numbered(["a", "b", "a"])
    ('a', 'b', 'a#1')
    """
    seen: Counter[str] = Counter()
    result: list[str] = []
    for name in names:
        result.append(f"{name}#{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return tuple(result)


@dataclass(frozen=True)
class Streams:
    """One random stream per image.

    Attributes:
        keys: a distinct name for each image; equal keys and seeds give equal draws.
        seed: the render's seed.
        device: where :meth:`normal_` fills; :meth:`uniform` and :meth:`normal` always draw on the CPU, so that
            starts and transforms are the same on every device.
    """

    keys: tuple[str, ...]
    seed: int
    device: torch.device

    def fork(self, name: str) -> Generators:
        """Fresh generators for one purpose, independent of every other purpose."""
        cpu = [torch.Generator().manual_seed(stream_seed(self.seed, key, name)) for key in self.keys]
        # Seeds of their own, or on a CPU the two kinds of draws would be the same numbers twice.
        seeds = [stream_seed(self.seed, key, name, "device") for key in self.keys]
        return Generators(tuple(cpu), tuple(torch.Generator(self.device).manual_seed(s) for s in seeds))


@dataclass(frozen=True)
class Generators:
    """The generators of one purpose, one per image: on the CPU, and on the render's device."""

    cpu: tuple[torch.Generator, ...]
    device: tuple[torch.Generator, ...]

    def uniform(self, *shape: int) -> Float[Tensor, "n ..."]:
        """Uniform draws in [0, 1), float32 on the CPU, each image's from its own stream."""
        return torch.stack([torch.rand(shape, generator=g, dtype=torch.float32) for g in self.cpu])

    def normal(self, *shape: int) -> Float[Tensor, "n ..."]:
        """Standard normal draws, float32 on the CPU, each image's from its own stream."""
        return torch.stack([torch.randn(shape, generator=g, dtype=torch.float32) for g in self.cpu])

    def normal_(self, out: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Fill ``out`` in place with standard normal draws on the render's device."""
        quick = out.device.type == "cpu" and out.dtype == torch.float32 and out[0].is_contiguous()
        fill = fill_normal if quick else Tensor.normal_
        for row, generator in zip(out, self.device, strict=True):
            fill(row, generator=generator)
        return out


@cache
def _quantiles() -> Float[Tensor, " levels"]:
    """The standard normal distribution's quantiles at the middles of 65536 equal shares; they reach to ±4.3."""
    return torch.special.ndtri((torch.arange(_LEVELS, dtype=torch.float64) + 0.5) / _LEVELS).float()


def fill_normal(out: Float[Tensor, "..."], *, generator: torch.Generator) -> None:
    """Fill a contiguous CPU tensor with standard normal draws of 16 bits: one random word serves four of them.

    Half the time of ``normal_``, which is what an image's noise costs at every step.
    """
    words = torch.empty(-(-out.numel() // 4), dtype=torch.int64).random_(-(2**63), None, generator=generator)
    index = words.view(torch.int16)[: out.numel()].to(torch.int32).add_(_LEVELS // 2)
    torch.index_select(_quantiles(), 0, index, out=out.view(-1))
