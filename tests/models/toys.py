"""Small modules that misbehave in the ways that real ones do."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn


def small(n_channels: int = 3) -> nn.Sequential:
    """Convolutions, norms with statistics of their own, ReLU in place, pooling, a classifier."""
    torch.manual_seed(0)
    module = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(n_channels, 4, 3, padding=1),
            bn1=nn.BatchNorm2d(4),
            relu1=nn.ReLU(inplace=True),
            conv2=nn.Conv2d(4, 6, 3, stride=2, bias=False),
            bn2=nn.BatchNorm2d(6),
            relu2=nn.ReLU(inplace=True),
            pool=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            fc=nn.Linear(6, 5),
        )
    )
    randomise(module)
    return module


def randomise(module: nn.Module) -> None:
    """Norm statistics and scales away from 0 and 1, so that forgetting them shows."""
    generator = torch.Generator().manual_seed(1)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d):
            for values, low in (
                (part.running_mean, -0.5),
                (part.running_var, 0.5),
                (part.weight.data, 0.5),
                (part.bias.data, -0.5),
            ):
                if values is not None:
                    values.copy_(low + torch.rand(values.shape, generator=generator))


class Twice(nn.Module):
    """One module called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.layer(x) + 1)


class Tuples(nn.Module):
    """Outputs that are tuples and dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair()
        self.table = Table()
        self.nothing = Nothing()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        first, _ = self.pair(x)
        self.nothing(x)
        return self.table(first)


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x + 1, x + 2


class Table(nn.Module):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"logits": x * 2, "features": x * 3}


class Nothing(nn.Module):
    def forward(self, x: Tensor) -> None:
        return None


class Listed(nn.Module):
    """Modules in a ModuleList; one of them never runs; a counter of passes."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList([nn.Conv2d(3, 3, 1) for _ in range(3)])
        self.unused = nn.Linear(2, 2)
        self.n_calls: list[int] = [0, 0, 0]

    def forward(self, x: Tensor) -> Tensor:
        for i, part in enumerate(self.parts):
            self.n_calls[i] += 1
            x = part(x)
        return x


class Uncopyable(nn.Module):
    """A module that refuses to be copied, and counts its passes in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.body = small()
        self.register_buffer("n_passes", torch.zeros(()))

    def __deepcopy__(self, memo: Any) -> Uncopyable:
        raise RuntimeError("this one cannot be copied")

    def forward(self, x: Tensor) -> Tensor:
        self.n_passes += 1
        return self.body(x)


class Both(nn.Module):
    """A convolution whose output is read by its norm and by another path: it must not be folded."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        randomise(self)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return self.norm(y) + y


def make_small() -> nn.Module:
    """A factory."""
    return small()


def make_number() -> int:
    """A factory of something else."""
    return 3


def make_failing() -> nn.Module:
    """A factory that fails."""
    raise OSError("the dog ate it")
