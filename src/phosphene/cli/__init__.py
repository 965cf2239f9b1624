"""The command ``phosphene``: the only place that parses text and prints."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

_NEEDED = ("typer", "rich")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line with ``arguments`` (default: those of the process); returns the exit code.

    0 done · 1 a replay that is not identical · 2 a mistake in what was asked, or a missing extra · 130 interrupted.
    """
    if any(find_spec(name) is None for name in _NEEDED):
        sys.stderr.write("The command line needs the extra 'cli': pip install 'phosphene[cli]'\n")
        return 2
    # Imported here: without the extra this module must still import.
    from phosphene.cli.app import run

    return run(arguments)
