"""Curves as inline SVG: drawn with the standard library alone, so that a page needs no other file and no extra."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 760, 300  # user units; the page scales them
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 14, 40
_N_TICKS = 5
_DASHES = ' stroke-dasharray="6 4"'
#: Nice steps between ticks, as multiples of a power of ten.
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
#: Colours that colour-blind readers can tell apart (Okabe & Ito 2008), without the yellow that vanishes on white.
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
_GREY = "#8a8478"


@dataclass(frozen=True)
class Curve:
    """A line of a chart.

    Attributes:
        name: what the legend calls it.
        x: places from left to right.
        y: a value for each; NaN leaves a gap.
        spread: half the height of the band around each value, such as a standard error; NaN for none.
        color: which of :data:`COLORS`, curves that belong together share one; None is a grey that belongs to none.
        dashed: whether the line is dashed, as that of reference images.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    spread: tuple[float, ...] = ()
    color: int | None = 0
    dashed: bool = False

    @property
    def paint(self) -> str:
        """The colour itself."""
        return _GREY if self.color is None else COLORS[self.color % len(COLORS)]


@dataclass(frozen=True)
class _Axes:
    """Where values lie on the drawing."""

    left: float
    right: float
    low: float
    high: float

    def x(self, value: float) -> float:
        return _LEFT + (value - self.left) / (self.right - self.left) * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - (value - self.low) / (self.high - self.low) * (HEIGHT - _TOP - _BOTTOM)


def line_chart(curves: Sequence[Curve], *, title: str, x_label: str, y_label: str) -> str:
    """An SVG of the curves with axes and a legend below it; one sentence where no curve has a value yet.

    Every text is escaped.

    >>> line_chart([], title="t", x_label="x", y_label="y")
    '<p class="empty">Nothing to draw yet.</p>'
    """
    drawn = [curve for curve in curves if any(map(math.isfinite, curve.y))]
    if not drawn:
        return '<p class="empty">Nothing to draw yet.</p>'
    axes = _axes(drawn)
    parts = [*_frame(axes, x_label, y_label), *(part for curve in drawn for part in _draw(curve, axes))]
    body = "\n".join(parts)
    return (
        f'<figure class="chart"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">'
        f"\n{body}\n</svg>{_legend(drawn)}</figure>"
    )


def ticks(low: float, high: float, n: int = _N_TICKS) -> list[float]:
    """About ``n`` round numbers from ``low`` to ``high``.

    >>> ticks(0, 10)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    raw = (high - low) / n
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((s * power for s in _STEPS if s * power >= raw * (1 - 1e-9)), 10 * power)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [i * step for i in range(first, last + 1)]


def _axes(curves: Sequence[Curve]) -> _Axes:
    xs = [x for curve in curves for x in curve.x]
    ys = [edge for curve in curves for low, high in _bands(curve) for edge in (low, high)]
    left, right = _padded(min(xs), max(xs), 0.0)
    return _Axes(left, right, *_padded(min(ys), max(ys), 0.06))


def _padded(low: float, high: float, share: float) -> tuple[float, float]:
    """The range with room at both ends; one that is a point, or narrower than floats can tell, is widened."""
    width = high - low
    if width <= 1e-9 * max(abs(low), abs(high), 1e-300):
        room = max(abs(low), 1.0) / 2
        return low - room, high + room
    return low - share * width, high + share * width


def _bands(curve: Curve) -> Iterator[tuple[float, float]]:
    spreads = curve.spread or (math.nan,) * len(curve.y)
    for value, spread in zip(curve.y, spreads, strict=True):
        if math.isfinite(value):
            room = spread if math.isfinite(spread) else 0.0
            yield value - room, value + room


def _frame(axes: _Axes, x_label: str, y_label: str) -> Iterator[str]:
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
    for value in ticks(axes.low, axes.high):
        y = axes.y(value)
        yield f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>'
        yield f'<text x="{_LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>'
    for value in _whole(ticks(axes.left, axes.right, 8)):
        yield f'<text x="{axes.x(value):.1f}" y="{bottom + 17}" text-anchor="middle">{value:.4g}</text>'
    yield f'<line class="axis" x1="{_LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}"/>'
    middle = (_LEFT + right) / 2
    yield f'<text class="name" x="{middle}" y="{HEIGHT - 5}" text-anchor="middle">{html.escape(x_label)}</text>'
    turned = f'transform="rotate(-90 13 {bottom / 2})"'
    yield f'<text class="name" x="13" y="{bottom / 2}" text-anchor="middle" {turned}>{html.escape(y_label)}</text>'


def _whole(values: Iterable[float]) -> Iterator[float]:
    """Generations are counted: no tick stands between two of them."""
    return (value for value in values if abs(value - round(value)) < 1e-9)


def _draw(curve: Curve, axes: _Axes) -> Iterator[str]:
    """The band, then the line over it, then its points; each stretch without a gap on its own."""
    dashes = _DASHES if curve.dashed else ""
    for stretch in _stretches(curve):
        upper = [(axes.x(x), axes.y(y + spread)) for x, y, spread in stretch]
        lower = [(axes.x(x), axes.y(y - spread)) for x, y, spread in reversed(stretch)]
        if any(spread for *_, spread in stretch) and len(stretch) > 1:
            yield f'<polygon points="{_points(upper + lower)}" fill="{curve.paint}" opacity="0.16"/>'
        line = [(axes.x(x), axes.y(y)) for x, y, _ in stretch]
        style = f'fill="none" stroke="{curve.paint}" stroke-width="2"{dashes}'
        yield f'<polyline class="curve" points="{_points(line)}" {style}/>'
        if len(stretch) == 1:
            (x, y), (_, top), (_, end) = line[0], upper[0], lower[0]
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{curve.paint}"/>'
            yield f'<line x1="{x:.1f}" y1="{top:.1f}" x2="{x:.1f}" y2="{end:.1f}" stroke="{curve.paint}"/>'


def _stretches(curve: Curve) -> Iterator[list[tuple[float, float, float]]]:
    """Neighbouring points with values: place, value, spread (0 for none)."""
    spreads = curve.spread or (math.nan,) * len(curve.y)
    stretch: list[tuple[float, float, float]] = []
    for x, y, spread in zip(curve.x, curve.y, spreads, strict=True):
        if math.isfinite(y):
            stretch.append((x, y, spread if math.isfinite(spread) else 0.0))
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def _points(places: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _legend(curves: Sequence[Curve]) -> str:
    return f'<ul class="legend">{"".join(map(_entry, curves))}</ul>'


def _entry(curve: Curve) -> str:
    style = f'stroke="{curve.paint}" stroke-width="3"{_DASHES if curve.dashed else ""}'
    line = f'<line x1="0" y1="4" x2="26" y2="4" {style}/>'
    return f'<li><svg class="key" viewBox="0 0 26 8" aria-hidden="true">{line}</svg>{html.escape(curve.name)}</li>'
