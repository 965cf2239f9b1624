"""Tiny networks whose activations can be worked out by hand, and short ways to score and to look."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

import phosphene as ph
from phosphene.functional.random import Streams, numbered
from phosphene.models.prepare import prepare
from phosphene.objectives import Scene, compile_objectives
from phosphene.transforms import ViewPipeline, ViewPlan

CPU = torch.device("cpu")
SIZE = (12, 10)


def seeded(module: nn.Module, seed: int = 0) -> nn.Module:
    """The module with weights N(0, 1/fan_in) and small biases, without touching any global random state."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            fan_in = max(1, parameter[0].numel()) if parameter.ndim > 1 else 100
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / math.sqrt(fan_in))
    return module


def wrapped(
    module: nn.Module, *, size: tuple[int, int] = SIZE, channels: int = 3, labels: Sequence[str] = ()
) -> ph.Network:
    return ph.wrap(module, mean=0, std=1, input_size=size, n_channels=channels, labels=labels)


def conv_module(channels: int = 3) -> nn.Sequential:
    layers = OrderedDict(
        conv1=nn.Conv2d(channels, 4, 3, padding=1),
        act1=nn.SiLU(),
        conv2=nn.Conv2d(4, 6, 3, stride=2, padding=1),
        act2=nn.SiLU(),
        pool=nn.AdaptiveAvgPool2d(1),
        flat=nn.Flatten(),
        classifier=nn.Linear(6, 5),
    )
    return nn.Sequential(layers)


def conv_net(channels: int = 3, size: tuple[int, int] = SIZE) -> ph.Network:
    """conv1 (4, h, w), conv2 (6, h/2, w/2), classifier 5; any size."""
    return wrapped(
        seeded(conv_module(channels)), size=size, channels=channels, labels=("cat", "dog", "cup", "fish", "tree")
    )


class Tokens(nn.Module):
    """Patches of 4 × 4 as tokens: ``mix`` is NLC with 8 channels."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.patches = nn.Conv2d(channels, 8, 4, stride=4)
        self.mix = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.mix(self.patches(x).flatten(2).transpose(1, 2))).mean(1))


def token_net(channels: int = 3) -> ph.Network:
    return wrapped(seeded(Tokens(channels)), size=(12, 8), channels=channels)


class ChannelsLast(nn.Module):
    """``norm`` is NHWC with 6 channels."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 6, 3, stride=2, padding=1)
        self.norm = nn.Linear(6, 6)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.norm(self.conv(x).permute(0, 2, 3, 1))).mean((1, 2)))


def nhwc_net(channels: int = 3) -> ph.Network:
    return wrapped(seeded(ChannelsLast(channels)), channels=channels)


def linear_net(channels: int = 3, size: tuple[int, int] = (6, 5)) -> ph.Network:
    """One matrix of all pixels; takes its own size only."""
    module = nn.Sequential(OrderedDict(flat=nn.Flatten(), out=nn.Linear(channels * math.prod(size), 4)))
    return wrapped(seeded(module), size=size, channels=channels)


def gabor(size: int = 16) -> Tensor:
    """A Gabor patch of unit norm and no mean, (h, w)."""
    ticks = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    y, x = torch.meshgrid(ticks, ticks, indexing="ij")
    along = x * math.cos(0.6) + y * math.sin(0.6)
    patch = torch.exp(-(x**2 + y**2) / (2 * (size / 6) ** 2)) * torch.cos(2 * math.pi * along / (size / 3))
    patch = patch - patch.mean()
    return patch / patch.norm()


class GaborNeuron(nn.Module):
    """Answers with the cosine between the picture's contrast and a Gabor patch: the optimum is the patch itself, where it says 1."""

    def __init__(self, size: int = 16) -> None:
        super().__init__()
        self.patch = nn.Parameter(gabor(size).float().flatten()[:, None], requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        contrast = (x - 0.5).flatten(1)
        return contrast @ self.patch / (contrast.square().sum(1, keepdim=True) + 1e-8).sqrt()


def gabor_net() -> ph.Network:
    return wrapped(GaborNeuron(), size=(16, 16), channels=1)


class DeadUntilStrong(nn.Module):
    """A ReLU behind a threshold on contrast: its gradient is exactly zero until noise is strong enough to pass it."""

    def __init__(self, threshold: float = 0.2) -> None:
        super().__init__()
        self.threshold = threshold
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu((x - 0.5).abs().flatten(1).amax(1, keepdim=True) - self.threshold) * self.gain


def dead_net(threshold: float = 0.2) -> ph.Network:
    return wrapped(DeadUntilStrong(threshold), size=(8, 6))


def random_images(
    n: int, channels: int, size: tuple[int, int], seed: int = 0, dtype: torch.dtype = torch.float64
) -> Tensor:
    return torch.rand(n, channels, *size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def streams(n: int, seed: int = 0) -> Streams:
    return Streams(tuple(f"image {i}" for i in range(n)), seed, CPU)


def stream_names(names: Sequence[str], seed: int = 0) -> Streams:
    return Streams(numbered(names), seed, CPU)


def pipeline(
    transforms: Sequence[object], images: Tensor, *, views: int = 1, seed: int = 0, given: Streams | None = None
) -> ViewPipeline:
    canvas = (images.shape[2], images.shape[3])
    return ViewPipeline(transforms, ViewPlan(canvas, given or streams(len(images), seed), views, SIZE))


def look(transforms: Sequence[object], images: Tensor, *, views: int = 1, seed: int = 0, step: int = 0) -> Tensor:
    """The views of a step (n · views, c, h, w)."""
    made = pipeline(transforms, images, views=views, seed=seed)
    function: Callable[[Tensor], Tensor] = made.look(0)
    for i in range(1, step + 1):
        function = made.look(i)
    return function(images)


def scores(net: ph.Network, objectives: Sequence[ph.objectives.Objective], images: Tensor, *, views: int = 1) -> Tensor:
    """Score of image i by objective i; with several views, ``images`` are the views and the images are every first of them."""
    scorer = compile_objectives(objectives, net)
    with prepare(net, sorted(scorer.layers), dtype=images.dtype) as forward:
        return scorer(Scene(images[::views], forward(images), views))


def activations(net: ph.Network, layer: str, images: Tensor) -> Tensor:
    """What a layer answers, by running the module's parts in float64, without phosphene's capture."""
    import copy

    module, kept = copy.deepcopy(net.module).double().eval(), {}
    handle = module.get_submodule(layer).register_forward_hook(
        lambda _m, _i, out: kept.update(out=out.detach().clone())
    )
    with torch.no_grad():
        module(net.preprocess(images.double()))
    handle.remove()
    return kept["out"]


def quick(net: ph.Network, objective: object, **options: object) -> ph.Result:
    """A render of few steps, without a progress bar, on pixels, in float64 unless said otherwise."""
    settings: dict[str, object] = {
        "parameterization": ph.Pixels(*net.input_size, channels=net.n_channels),
        "transforms": (),
        "views": 1,
        "steps": 3,
        "progress": False,
    }
    return ph.render(net, objective, **{**settings, **options})  # type: ignore[arg-type]
