"""Markdown tables and verdicts, shared by the reports."""

from __future__ import annotations


def align(rows: list[list[str]]) -> list[str]:
    """A Markdown table, one line per row, whose columns are as wide as their widest cell; the first row is the head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def verdict(text: str, value: float, *, least: float | None = None, most: float | None = None) -> str:
    """One line that says whether a figure keeps its limits."""
    reached = (least is None or value >= least) and (most is None or value <= most)
    return f"- {'reached' if reached else 'NOT REACHED'}: {text}: {value:.3g}"
