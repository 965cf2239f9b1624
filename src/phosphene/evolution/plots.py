"""Plots of an evolution; matplotlib is imported when one is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_EVOLVED, _REFERENCE = "#b5460f", "#3b6ea5"


def new_figure(feature: str, *, size: tuple[float, float] = (6, 4)) -> Figure:
    """An empty figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError(feature, "plot") from None
    return Figure(figsize=size, layout="constrained")


def plot_scores(scores: Float[Tensor, "g n"], references: Float[Tensor, " r"] | None) -> Figure:
    """Score against generation: every candidate, the mean and the best of each generation, and the references."""
    figure = new_figure("plot()")
    axes: Axes = figure.add_subplot(xlabel="generation", ylabel="score")
    numbers = torch.arange(len(scores))
    every = numbers[:, None].expand_as(scores)
    axes.scatter(every.flatten(), scores.flatten(), s=4, color=_EVOLVED, alpha=0.25, linewidths=0, label="candidates")
    axes.plot(numbers, scores.nanmean(1), color=_EVOLVED, label="mean of the generation")
    best = scores.nan_to_num(nan=-torch.inf).amax(1)
    axes.plot(numbers, best.where(best > -torch.inf, torch.nan), color=_EVOLVED, linestyle=":", label="best")
    references = None if references is None else references[references.isfinite()]
    if references is not None and len(references):
        axes.axhspan(float(references.min()), float(references.max()), color=_REFERENCE, alpha=0.15, linewidth=0)
        axes.axhline(float(references.mean()), color=_REFERENCE, label="reference images: mean and range")
    axes.legend(fontsize="small")
    return figure


def plot_references(scores: Float[Tensor, "g n"], references: Float[Tensor, " r"]) -> Figure:
    """The scores of reference images beside those of the first and the last generation."""
    figure = new_figure("plot_references()", size=(5, 4))
    axes: Axes = figure.add_subplot(ylabel="score")
    groups = {"reference images": references.double(), "first generation": scores[0], "last generation": scores[-1]}
    spread = torch.Generator().manual_seed(0)
    for place, (name, values) in enumerate(groups.items()):
        shown = values[values.isfinite()]
        color = _REFERENCE if place == 0 else _EVOLVED
        beside = 0.3 * torch.rand(len(shown), generator=spread) - 0.15
        axes.scatter(place + beside, shown, s=8, color=color, alpha=0.5, linewidths=0, label=name)
        if len(shown):
            axes.hlines(float(shown.mean()), place - 0.3, place + 0.3, color=color)
    axes.set_xticks(range(len(groups)), list(groups))
    return figure


def principal_components(points: Float[Tensor, "g d"], n: int) -> tuple[Float[Tensor, "g n"], Float[Tensor, " n"]]:
    """Points in their first ``n`` principal components, and the share of the variance of each."""
    centered = points.double() - points.double().mean(0)
    # g × g products: there are far fewer generations than numbers in a code.
    values, vectors = torch.linalg.eigh(centered @ centered.T)
    values, vectors = values.flip(0)[:n].clamp(min=0), vectors.flip(1)[:, :n]
    total = centered.square().sum().clamp(min=torch.finfo(torch.float64).tiny)
    return vectors * values.sqrt(), values / total


def plot_trajectory(means: Float[Tensor, "g d"], scores: Float[Tensor, " g"]) -> Figure:
    """The way of the recommended code in its first two principal components; the size of a point is its mean score."""
    figure = new_figure("plot_trajectory()", size=(5.5, 4.5))
    points, shares = principal_components(means, 2)
    labels = [f"principal component {i + 1} ({share:.0%} of the variance)" for i, share in enumerate(shares.tolist())]
    axes: Axes = figure.add_subplot(xlabel=labels[0], ylabel=labels[1])
    axes.plot(points[:, 0], points[:, 1], color="0.8", linewidth=1, zorder=1)
    known = scores.nan_to_num(nan=float(scores.nan_to_num(nan=0.0).min()))
    span = float(known.max() - known.min()) or 1.0
    sizes = 10 + 60 * (known - known.min()) / span
    shown = axes.scatter(points[:, 0], points[:, 1], c=range(len(points)), s=sizes, cmap="viridis", zorder=2)
    figure.colorbar(shown, label="generation")
    return figure


def plot_tuning(scores: Float[Tensor, "n n"], angles_deg: Float[Tensor, " n"]) -> Figure:
    """A tuning map: score by the two angles."""
    figure = new_figure("plot()", size=(5, 4.2))
    axes: Axes = figure.add_subplot(xlabel="azimuth (degrees)", ylabel="elevation (degrees)")
    low, high = float(angles_deg[0]), float(angles_deg[-1])
    half = (high - low) / max(1, len(angles_deg) - 1) / 2
    extent = (low - half, high + half, low - half, high + half)
    shown = axes.imshow(scores.numpy(), origin="lower", extent=extent, cmap="viridis")
    axes.set_xticks(angles_deg.tolist()[:: max(1, len(angles_deg) // 4)])
    axes.set_yticks(angles_deg.tolist()[:: max(1, len(angles_deg) // 4)])
    figure.colorbar(shown, label="score")
    return figure
