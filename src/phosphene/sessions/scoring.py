"""From responses to scores."""

from __future__ import annotations

import math
from collections.abc import Sequence


def score(response: Sequence[float], channels: int | tuple[int, ...] | None) -> float:
    """The mean response of the selected channels; NaN if one of them was lost. Of all channels it is the mean of those
    that were not: a dead electrode must not cost every score.

    Args:
        response: a number for each channel; a single NaN for a trial that was lost wholly.
        channels: one, several, or (None) all.

    >>> score((1.0, 2.0, 6.0), (0, 2))
    3.5
    >>> score((1.0, math.nan, 6.0), None)
    3.5
    """
    if is_lost(response):
        return math.nan
    if channels is None:
        return mean([value for value in response if not math.isnan(value)])
    return response[channels] if isinstance(channels, int) else mean([response[channel] for channel in channels])


def is_lost(response: Sequence[float]) -> bool:
    """Whether no channel has a response."""
    return all(map(math.isnan, response))


def mean(values: Sequence[float]) -> float:
    """The mean, whatever the order of the values; NaN of none, or where one is NaN.

    Small against overflow: the values are divided before they are summed.
    """
    if not values or any(map(math.isnan, values)):
        return math.nan
    try:
        return math.fsum(values) / len(values)
    except OverflowError:
        return math.fsum(value / len(values) for value in values)


def deviation(values: Sequence[float]) -> float:
    """The sample's standard deviation, of n - 1; NaN of fewer than two values."""
    if len(values) < 2:
        return math.nan
    middle = mean(values)
    return math.hypot(*(value - middle for value in values)) / math.sqrt(len(values) - 1)


def highest_channel(channels: int | tuple[int, ...] | None) -> int:
    """The highest channel that is selected; 0 where all are."""
    return max(channels) if isinstance(channels, tuple) else (channels or 0)
