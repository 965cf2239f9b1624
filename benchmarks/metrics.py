"""Figures that describe a picture without looking at it: spectrum, contrast, robustness, and what photographs reach.

Definitions, fixed by their medians over the photographs' 160 px centre crops (0.043, -1.27, 0.23):

* luminance is Rec. 601 of the gamma-coded values; its mean is removed, then a symmetric Hann window applied both ways;
* the high-frequency share is the power at radial frequencies above 0.25 cycles/px over the whole power;
* the slope is that of a least-squares line through log amplitude against log frequency: amplitudes averaged over rings
  one cycle per image wide, each ring one point, from 0.02 to 0.4 cycles/px;
* the standard deviation is that of all values of an image, the three channels together;
* a value is clipped where it lies within 1/255 of 0 or 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

LUMINANCE = (0.299, 0.587, 0.114)
"""Rec. 601 weights of red, green and blue."""
HIGH_FREQUENCY = 0.25
"""Cycles per pixel above which power counts as high-frequency."""
SLOPE_RANGE = (0.02, 0.4)
"""Cycles per pixel between which the slope is fitted."""
CLIP_MARGIN = 1 / 255
"""Distance from 0 or 1 below which a value counts as clipped."""
N_HELD_OUT_VIEWS = 16
HELD_OUT_SHIFT_PX = 12.0
HELD_OUT_SCALE = (0.85, 1.15)
HELD_OUT_ROTATION_DEG = 12.0
HELD_OUT_NOISE = 0.03
PHOTO_SIZE = 160
"""Native short side of the photographs in pixels."""
NETWORK_SIZE = 224

Scorer = Callable[[Tensor], Tensor]
"""Images (n c h w) in [0, 1] to one activation per image (n,)."""


@dataclass(frozen=True)
class Appearance:
    """Four figures per image, each a tensor (n,)."""

    high_frequency: Tensor
    slope: Tensor
    std: Tensor
    clipped: Tensor

    def rows(self) -> list[dict[str, float]]:
        """One record per image."""
        columns = {name: getattr(self, name).tolist() for name in ("high_frequency", "slope", "std", "clipped")}
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def appearance(images: Tensor) -> Appearance:
    """Spectrum and contrast of images (n 3 h w) in [0, 1], by the definitions at the top of this file."""
    power, frequency = _power(images)
    flat = images.double().flatten(1)
    return Appearance(
        high_frequency=power[:, frequency > HIGH_FREQUENCY].sum(1) / power.sum((1, 2)),
        slope=_slope(power.sqrt(), frequency),
        std=flat.std(1, unbiased=False),
        clipped=((flat < CLIP_MARGIN) | (flat > 1 - CLIP_MARGIN)).double().mean(1),
    )


def _power(images: Tensor) -> tuple[Tensor, Tensor]:
    """Windowed luminance power (n h w) and its radial frequencies (h w) in cycles/px, both in NumPy's FFT order."""
    height, width = images.shape[-2:]
    luminance = torch.einsum("c,nchw->nhw", torch.tensor(LUMINANCE, dtype=torch.float64), images.double())
    luminance = luminance - luminance.mean((1, 2), keepdim=True)
    windows = [torch.hann_window(size, periodic=False, dtype=torch.float64) for size in (height, width)]
    power = torch.fft.fft2(luminance * windows[0][:, None] * windows[1]).abs().square()
    fy, fx = (torch.fft.fftfreq(size, dtype=torch.float64) for size in (height, width))
    return power, torch.hypot(fy[:, None], fx[None])


def _slope(amplitude: Tensor, frequency: Tensor) -> Tensor:
    """Slope (n,) of log ring-averaged amplitude against log frequency."""
    size = max(frequency.shape)
    ring = torch.round(frequency * size).long().flatten()
    counts = torch.bincount(ring)
    sums = torch.zeros(len(amplitude), len(counts), dtype=torch.float64).index_add_(1, ring, amplitude.flatten(1))
    rings = torch.arange(math.ceil(SLOPE_RANGE[0] * size), math.floor(SLOPE_RANGE[1] * size) + 1)
    x = (rings / size).log().double()
    x = x - x.mean()
    y = (sums[:, rings] / counts[rings]).clamp_min(1e-12).log()
    return (y * x).sum(1) / x.square().sum()


def held_out_views(image: Tensor, seed: int = 99) -> Tensor:
    """Sixteen views (16 c h w) of one image (c h w): shifted, scaled, rotated, noisy; the same for every image."""
    generator = torch.Generator().manual_seed(seed)
    n, size = N_HELD_OUT_VIEWS, torch.tensor([image.shape[-1], image.shape[-2]])
    shift = (2 * torch.rand(n, 2, generator=generator) - 1) * HELD_OUT_SHIFT_PX * 2 / size
    zoom = 1 / (HELD_OUT_SCALE[0] + (HELD_OUT_SCALE[1] - HELD_OUT_SCALE[0]) * torch.rand(n, generator=generator))
    angle = (2 * torch.rand(n, generator=generator) - 1) * math.radians(HELD_OUT_ROTATION_DEG)
    rows = [zoom * angle.cos(), -zoom * angle.sin(), shift[:, 0], zoom * angle.sin(), zoom * angle.cos(), shift[:, 1]]
    grid = F.affine_grid(torch.stack(rows, 1).view(n, 2, 3), [n, *image.shape], align_corners=False)
    views = F.grid_sample(image.expand(n, -1, -1, -1), grid, padding_mode="reflection", align_corners=False)
    return (views + HELD_OUT_NOISE * torch.randn(views.shape, generator=generator)).clamp(0, 1)


@torch.no_grad()
def robustness(image: Tensor, score: Scorer) -> float:
    """Mean score over the held-out views of one image (c h w), divided by its clean score."""
    return (score(held_out_views(image)).mean() / score(image[None])).item()


def photo_paths(folder: Path) -> list[Path]:
    """The photographs in the order of their classes (sorted WNIDs)."""
    return sorted(folder.glob("n*_*.jpg"))


def photo_crop(path: Path, size: int) -> Tensor:
    """Centre crop (3 size size) in [0, 1] of a photograph whose short side is brought to `size` (bicubic)."""
    image = Image.open(path).convert("RGB")
    factor = size / min(image.size)
    if factor != 1:
        image = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BICUBIC)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    pixels = np.array(image.crop((left, top, left + size, top + size)))
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255


def photo_appearance(folder: Path) -> dict[str, float]:
    """Medians over the photographs at their native size: the figures that calibrate this file."""
    paths = photo_paths(folder)
    rows = [row for i in range(0, len(paths), 100) for row in appearance(_crops(paths[i : i + 100], PHOTO_SIZE)).rows()]
    return {name: float(np.median([row[name] for row in rows])) for name in rows[0]}


def _crops(paths: list[Path], size: int) -> Tensor:
    return torch.stack([photo_crop(path, size) for path in paths])


@torch.no_grad()
def best_photo_activations(activations: Callable[[Tensor], dict[str, Tensor]], folder: Path) -> dict[str, Tensor]:
    """Greatest value per channel (c,) over all photographs, by layer; `activations` maps images to {layer: (n c)}."""
    best: dict[str, Tensor] = {}
    paths = photo_paths(folder)
    for i in range(0, len(paths), 25):
        for layer, values in activations(_crops(paths[i : i + 25], NETWORK_SIZE)).items():
            top = values.amax(0)
            best[layer] = torch.maximum(best[layer], top) if layer in best else top
    return best
