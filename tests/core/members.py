"""Every public member of each kind with telling parameters; ``laws/test_members.py`` fails when one is missing."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

import phosphene as ph
from phosphene import objectives as objectives_room
from phosphene import optimizers as o
from phosphene import parameterizations as p
from phosphene import transforms as t
from phosphene import units as u
from phosphene.optimizers.gradient import GradientOptimizer
from phosphene.transforms.base import Geometric, Photometric


def invert(views: Tensor) -> Tensor:
    """A caller's own transform, found by name."""
    return 1 - views


def first_channel(activations: Tensor) -> Tensor:
    """A caller's own objective, found by name: mean of the first channel's square."""
    return activations[:, 0].flatten(1).square().mean(1)


TRANSFORMS: tuple[t.Transform, ...] = (
    t.Jitter(2),
    t.Jitter(2, mode="crop"),
    t.Jitter(3, mode="roll"),
    t.Pad(3),
    t.Pad(2, mode="constant", value=0.25),
    t.Pad(2, mode="random"),
    t.Scale(0.8, 1.25),
    t.Scale(options=(0.5, 1.0, 1.5)),
    t.Rotate(-15.0, 15.0),
    t.Rotate(options_deg=(0.0, 90.0)),
    t.Flip(0.5, 0.5),
    t.RandomCrop(0.5, 0.9),
    t.CropOrPad(9, 7),
    t.CropOrPad(15, 13),
    t.Resize(7, 13),
    t.ToInput(),
    t.GaussianNoise(0.1),
    t.GaussianBlur(0.5, 1.5),
    t.ColorJitter(0.1, 0.2, 0.3),
    t.Custom(invert),
)
RANDOM_TRANSFORMS = tuple(
    x
    for x in TRANSFORMS
    if not isinstance(x, t.CropOrPad | t.Resize | t.ToInput | t.Custom | t.Pad) or x == t.Pad(2, mode="random")
)
GEOMETRIC = tuple(x for x in TRANSFORMS if isinstance(x, Geometric))
PHOTOMETRIC = tuple(x for x in TRANSFORMS if isinstance(x, Photometric))
IDENTITIES: tuple[t.Transform, ...] = (
    t.Jitter(0),
    t.Jitter(0, mode="crop"),
    t.Jitter(0, mode="roll"),
    t.Pad(0),
    t.Pad(0, mode="constant"),
    t.Pad(0, mode="random"),
    t.Scale(),
    t.Scale(1.0, 1.0),
    t.Scale(options=(1.0,)),
    t.Rotate(),
    t.Rotate(options_deg=(0.0,)),
    t.Flip(0.0, 0.0),
    t.RandomCrop(1.0),
    t.CropOrPad(12, 10),
    t.Resize(12, 10),
    t.ToInput(),
    t.GaussianNoise(0.0),
    t.GaussianBlur(0.0, 0.0),
    t.ColorJitter(),
)

OPTIMIZERS: tuple[o.Optimizer, ...] = (
    o.SGD(lr=0.1),
    o.SGD(lr=0.5, weight_decay=0.01, schedule=o.Linear(steps=4, initial=0.1, final=1.0)),
    o.momentum(0.1),
    o.nesterov(0.1),
    o.Adam(),
    o.Adam(lr=0.1, clip_norm=0.5, schedule=o.Cosine(steps=5)),
    o.AdamW(),
    o.NAdam(),
    o.AdaGrad(),
    o.AdaDelta(),
    o.RMSprop(lr=0.01),
    o.RMSprop(lr=0.01, momentum=0.5),
    *(o.NormalizedAscent(lr=0.01, norm=norm) for norm in ("mean_abs", "sd", "rms", "l2", "sign")),
    o.LBFGS(),
)
SCHEDULES: tuple[o.Schedule, ...] = (
    o.Constant(),
    o.Cosine(10, 0.1),
    o.Linear(4, 0.5, 2.0),
    o.Exponential(0.5),
    o.Steps(3, 0.1),
)
REGULARIZERS = (
    ph.TotalVariation(),
    ph.TotalVariation(isotropic=True),
    ph.TotalVariation(isotropic=True, beta=2.0),
    ph.L1(),
    ph.L1(constant=0.0),
    ph.L2(),
    ph.L2(constant=0.2),
    ph.BlurPenalty(),
)
MATRIX = ((0.9, 0.2, 0.1), (0.1, 0.8, -0.1), (0.2, 0.0, 0.5))


def parameterizations(height: int = 11, width: int = 8, channels: int = 3) -> tuple[p.Parameterization, ...]:
    """Both kinds in every colour space and range."""
    given = np.array(MATRIX) if channels == 3 else np.eye(channels) + 0.1
    return tuple(
        kind(height, width, channels=channels, decorrelate=matrix, range=span)
        for kind in (ph.Pixels, ph.Fourier)
        for matrix in ("imagenet", "none", given)
        for span in ("sigmoid", "clip")
    )


#: Objectives on ``networks.conv_net()``, whose conv2 has 6 channels at 6 × 5 positions, and 5 classes.
UNITS: tuple[u.Unit, ...] = (
    ph.Channel("conv1", 2),
    ph.Channel("conv2", 5),
    ph.Channel("classifier", 1),
    ph.Neuron("conv2", 3),
    ph.Neuron("conv2", 3, (1, 4)),
    ph.Layer("conv2"),
    ph.Layer("classifier"),
    ph.Direction("conv2", [1, -1, 0.5, 0, 2, 0]),
    ph.Direction("conv2", [1, -1, 0.5, 0, 2, 0], position=(2, 2)),
    ph.Direction("conv2", [0, 1, 1, 0, 0, 1], cossim_power=2.0),
    u.WeightedChannels("conv2", ((0, 1.5), (4, -0.5))),
    ph.Logit(3),
    ph.Logit("cup"),
    ph.Probability("dog"),
    ph.LogProbability(0),
)
CUSTOM = objectives_room.Custom(first_channel, ("conv2",))
ALGEBRA = (
    ph.Channel("conv2", 0) + ph.Channel("conv1", 1),
    ph.Channel("conv2", 0) - ph.Neuron("conv2", 1),
    -ph.Channel("conv2", 0),
    0.5 * ph.Channel("conv2", 0),
    ph.Channel("conv2", 0) * ph.Channel("conv2", 1),
    ph.Channel("conv2", 0) / 4 + 2,
    objectives_room.mean([ph.Channel("conv1", 0), ph.Channel("conv2", 0)]),
    ph.Channel("conv2", 0) - 0.1 * ph.TotalVariation(),
    ph.Logit(0) - ph.L2() * ph.Channel("conv2", 2),
    objectives_room.Constant(2.0),
)
OBJECTIVES = (*UNITS, CUSTOM, *ALGEBRA, *REGULARIZERS)
RECIPES = tuple(ph.recipes.names())


def concrete(room: ModuleType, base: type, names: Iterable[str] | None = None) -> set[type]:
    """The concrete public classes of a room that are of a kind."""
    found = (getattr(room, name) for name in (names or room.__all__))
    return {
        c for c in found if inspect.isclass(c) and issubclass(c, base) and not inspect.isabstract(c) and c is not base
    }


def name_of(value: object) -> str:
    """A short test id."""
    if isinstance(value, GradientOptimizer | o.LBFGS):
        return type(value).__name__ + str(getattr(value, "norm", ""))
    text = str(value)
    return text if len(text) < 60 else text[:59]


def same(a: Tensor, b: Tensor, tolerance: float = 1e-9) -> bool:
    return a.shape == b.shape and bool(torch.allclose(a, b, rtol=0, atol=tolerance))
