"""Responses as a table of text: comma, semicolon or tab between the cells, a point in the numbers."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

import numpy as np

from phosphene.exchange import columns
from phosphene.exchange.responses import MAX_ROWS, Responses, bad_content, checked, checked_trial, frozen

MAX_BYTES = 64 << 20  # a million trials of several channels
_LONGEST_LINE = 1 << 20  # characters; tens of thousands of channels
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?")
_SEPARATOR = re.compile(r"sep=([,;\t])", re.IGNORECASE)  # what Excel writes above a table
_LOST = {"", "nan", "na", "n/a"}


def read_csv(source: str, data: bytes) -> Responses:
    """The responses in a CSV file's bytes.

    Raises:
        ParameterError: naming the row, which is the line of the file.
    """
    if len(data) > MAX_BYTES:
        raise bad_content(source, f"the table has {len(data)} bytes", f"at most {MAX_BYTES}; npz and HDF5 hold more")
    text = _decoded(source, data)
    _check_end(source, text)
    lines = _records(source, text)
    row, header = next(lines, (1, []))
    at = _Columns(source, header, row)
    table = list[tuple[int, list[str]]]()
    for row, cells in lines:
        table.append((row, at.fitted(cells, row)))
        if len(table) > MAX_ROWS:
            raise bad_content(source, "there are too many rows", f"at most {MAX_ROWS}", row=row)
    channels = at.channels([cells for _, cells in table])
    named = tuple(header[i].strip() for i in channels)
    values = [[_number(source, cells[i].strip(), column=header[i], row=row) for i in channels] for row, cells in table]
    trials = [None if at.trial is None else _trial(source, cells[at.trial].strip(), row) for row, cells in table]
    names = tuple(cells[at.stimulus].strip() for _, cells in table)
    rows = tuple(row for row, _ in table)
    numbers = frozen(np.array(values).reshape(len(rows), len(channels)))
    return checked(Responses(source, names, tuple(trials), numbers, rows, named))


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
        self.header, self.row, self.n = header, row, len(header)
        self.stimulus = header.index(stimulus)
        self.trial = None if trial is None else header.index(trial)

    def channels(self, table: Sequence[Sequence[str]]) -> list[int]:
        """The columns that hold responses: those that are called so; otherwise the only other one, or of several the
        only one that holds numbers.
        """
        called, others = columns.channels(self.header)
        if called:
            return called
        if not others:
            raise bad_content(self.source, "no column holds responses", "a column called 'response'", row=self.row)
        numeric = others if len(others) == 1 else [i for i in others if _is_numeric([cells[i] for cells in table])]
        if len(numeric) == 1:
            return numeric
        which = ", ".join(repr(self.header[i].strip()) for i in numeric or others)
        what = f"it does not say which of {which[:200]} is the response"
        raise bad_content(self.source, what, "it to be called response, or response_0, response_1, …", row=self.row)

    def fitted(self, cells: list[str], row: int) -> list[str]:
        """The cells of a line, of which there must be as many as columns; empty ones behind them are left out."""
        while len(cells) > self.n and not cells[-1].strip():
            cells.pop()
        if len(cells) == self.n:
            return cells
        what = f"there are {len(cells)} cells under {self.n} columns"
        hint = " (is it cut off?)" if len(cells) < self.n else " (a decimal comma? write 1.5, not 1,5)"
        raise bad_content(self.source, what + hint, f"{self.n} cells", row=row)


def _is_numeric(cells: Sequence[str]) -> bool:
    plain = [cell.strip() for cell in cells if cell.strip().lower() not in _LOST]
    return bool(plain) and all(map(_NUMBER.fullmatch, plain))


def _check_end(source: str, text: str) -> None:
    """That the last line has its end: without one nobody can tell 12 from the beginning of 128."""
    last = re.split(r"[\r\n]", text[-_LONGEST_LINE:])[-1]
    if last.strip():
        row = 1 + sum(1 for _ in io.StringIO(text[: -len(last)], newline=None))
        what = f"row {row} has no end: is the file still being written?"
        raise bad_content(source, what, "a line break behind the last row")


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
    separator = _SEPARATOR.fullmatch(first.strip(" \r\n"))
    delimiter = separator[1] if separator else max(",;\t", key=first.count)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if separator and delimiter.join(cells).strip() == separator[0].strip():
                continue
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
