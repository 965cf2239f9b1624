"""Responses as a table of text: comma, semicolon or tab between the cells, a point in the numbers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

import numpy as np

from phosphene.exchange import columns
from phosphene.exchange.responses import MAX_ROWS, Responses, bad_content, checked, checked_trial, frozen

MAX_BYTES = 64 << 20  # a million trials of several channels
_LONGEST_LINE = 1 << 20  # characters; tens of thousands of channels
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?")
_LOST = {"", "nan", "na", "n/a"}


def read_csv(source: str, data: bytes) -> Responses:
    """The responses in a CSV file's bytes.

    Raises:
        ParameterError: naming the row, which is the line of the file.
    """
    if len(data) > MAX_BYTES:
        raise bad_content(source, f"the table has {len(data)} bytes", f"at most {MAX_BYTES}; npz and HDF5 hold more")
    text = _decoded(source, data)
    lines = _records(source, text)
    row, header = next(lines, (1, []))
    at = _Columns(source, header, row)
    names, values, trials, rows = list[str](), list[list[float]](), list[int](), list[int]()
    for row, cells in lines:
        cells = at.fitted(cells, row)
        names.append(cells[at.stimulus].strip())
        values.append([_number(source, cells[i].strip(), column=header[i], row=row) for i in at.channels])
        if at.trial is not None:
            trials.append(_trial(source, cells[at.trial].strip(), row))
        rows.append(row)
        if len(rows) > MAX_ROWS:
            raise bad_content(source, "there are too many rows", f"at most {MAX_ROWS}", row=row)
    counts = [None] * len(rows) if at.trial is None else trials
    table = frozen(np.array(values).reshape(len(rows), len(at.channels)))
    return checked(Responses(source, tuple(names), tuple(counts), table, tuple(rows)))


class _Columns:
    """Where in a line the stimulus, the trial and the channels stand."""

    def __init__(self, source: str, header: list[str], row: int) -> None:
        self.source = source
        while header and not header[-1].strip():
            header.pop()
        plain = [columns.plain(name) for name in header]
        twice = next((name for name in header if plain.count(columns.plain(name)) > 1), None)
        if twice is not None:
            raise bad_content(source, f"two columns are called {twice!r}", "a name of its own for each", row=row)
        stimulus, trial = columns.find(header, columns.STIMULUS), columns.find(header, columns.TRIAL)
        if stimulus is None:
            what = f"no column holds the stimuli; the first line is {', '.join(header)[:80]!r}"
            raise bad_content(source, what, "a line of names such as 'stimulus,trial,response'", row=row)
        self.n = len(header)
        self.stimulus = header.index(stimulus)
        self.trial = None if trial is None else header.index(trial)
        self.channels = columns.channels(header)
        if not self.channels:
            raise bad_content(source, "no column holds responses", "a column called 'response'", row=row)

    def fitted(self, cells: list[str], row: int) -> list[str]:
        """The cells of a line, of which there must be as many as columns; empty ones behind them are left out."""
        while len(cells) > self.n and not cells[-1].strip():
            cells.pop()
        if len(cells) == self.n:
            return cells
        what = f"there are {len(cells)} cells under {self.n} columns"
        hint = " (is it cut off?)" if len(cells) < self.n else " (a decimal comma? write 1.5, not 1,5)"
        raise bad_content(self.source, what + hint, f"{self.n} cells", row=row)


def _decoded(source: str, data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise bad_content(source, "the text is UTF-16", "UTF-8: save it as 'CSV UTF-8'", row=1)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data[: error.start].count(b"\n") + 1
        raise bad_content(source, f"the text is not UTF-8 ({error.reason})", "a CSV file in UTF-8", row=row) from error
    if "\0" in text:
        row = text[: text.index("\0")].count("\n") + 1
        raise bad_content(source, "there is a zero byte in the text", "a CSV file in UTF-8", row=row)
    return text


def _records(source: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not blank, cut into cells, each with its number from 1."""
    lines = _lines(source, text)
    first = next((line for line in io.StringIO(text, newline=None) if line.strip()), "")
    reader = csv.reader(lines, delimiter=max(",;\t", key=first.count), strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        expected = "cells with closed quotes (is the file cut off?)"
        raise bad_content(source, f"the line cannot be read: {error}", expected, row=reader.line_num) from error


def _lines(source: str, text: str) -> Iterator[str]:
    for i, line in enumerate(io.StringIO(text, newline=None)):
        if len(line) > _LONGEST_LINE:
            raise bad_content(source, f"the line has {len(line)} characters", f"at most {_LONGEST_LINE}", row=i + 1)
        yield line


def _number(source: str, cell: str, *, column: str, row: int) -> float:
    if cell.lower() in _LOST:
        return float("nan")
    if _NUMBER.fullmatch(cell):
        return float(cell)
    hint = ": a decimal comma" if _DECIMAL_COMMA.fullmatch(cell) else ""
    what = f"{column.strip()} is {cell[:40]!r}{hint}"
    raise bad_content(source, what, "a number such as 1.5, or nothing for a lost trial", row=row)


def _trial(source: str, cell: str, row: int) -> int:
    if not _NUMBER.fullmatch(cell):
        raise bad_content(source, f"the trial is {cell[:40]!r}", "a whole number from 0", row=row)
    return checked_trial(source, float(cell), row)
