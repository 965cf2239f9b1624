"""Files of responses under a wrong name, or in a wrong place: they are spoken of, as nobody would look at them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from phosphene.errors import StorageError
from phosphene.exchange.waiting import RIGHT_NAMES, misnamed_responses, response_files

#: Seconds after which a wrong name is spoken of; a rig may write under another name and then rename.
MISNAMED_S = 2.0
_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods")


@dataclass
class NameWatch:
    """Complains once of each file with a wrong name, or in a wrong place, that has been there for some time.

    Attributes:
        folder: the block's.
        elsewhere: folders in which responses may lie by mistake.
        complain: is told a sentence.
    """

    folder: Path
    elsewhere: tuple[Path, ...]
    complain: Callable[[str], None]
    _since: dict[Path, float] = field(default_factory=dict[Path, float])
    _told: set[Path] = field(default_factory=set[Path])

    def look(self) -> None:
        """Look, and complain of what has been there for some time."""
        now = time.monotonic()
        found = dict(self._found())
        self._since = {path: self._since.get(path, now) for path in found}
        for path, sentence in found.items():
            if now - self._since[path] >= MISNAMED_S and path not in self._told:
                self._told.add(path)
                self.complain(f"{path} {sentence}")

    def _found(self) -> Iterator[tuple[Path, str]]:
        for name in misnamed_responses(self.folder):
            if Path(name).suffix.lower() in _WORKBOOKS:
                yield self.folder / name, "is a workbook, which is not read; save it as 'CSV UTF-8': responses.csv"
            else:
                advice = f"is not looked at; if it holds the responses, call it {RIGHT_NAMES}"
                yield self.folder / name, advice
        for folder in self.elsewhere:
            try:
                files = response_files(folder)
            except StorageError:  # it is not there, or nobody may look: then no rig wrote there
                continue
            for file in files:
                yield file.path, f"lies beside the block and is not looked at; move it into {self.folder}"
