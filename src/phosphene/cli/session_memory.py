"""How a session was run last, so that ``session resume`` goes on the same way: a file beside the session's own."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from phosphene import store
from phosphene.errors import PhospheneError
from phosphene.store.atomic import read_bytes
from phosphene.store.documents import parse_json

FILE = "last-run.json"
_LARGEST = 1 << 20  # bytes

#: Ways to run a session: through the folder, over HTTP, answered by a simulated neuron.
WAYS = ("folder", "http", "neuron")


@dataclass(frozen=True)
class Neuron:
    """A simulated neuron, as the command line names it.

    Attributes:
        net: the network; None for a Gabor filter.
        unit: the unit of the network.
        noise: such as "poisson:10"; None for none.
        seed: seed of the noise, and of the Gabor filter.
        through_folder: whether it answers through the folder, as a rig does.
    """

    net: str | None = None
    unit: str | None = None
    noise: str | None = None
    seed: int = 0
    through_folder: bool = False


@dataclass(frozen=True)
class Run:
    """How a session is run.

    Attributes:
        by: one of :data:`WAYS`.
        generations: how many, from the session's beginning; None for no end.
        timeout_s: seconds to wait for a file; None waits for ever.
        settle_s: seconds for which a file must not have changed before it is read.
        patience_s: seconds to wait, after a file's last change, for presentations that it lacks.
        strict: whether files must name stimuli to the letter.
        host: the address that is bound to.
        port: 0 for any.
        neuron: what is simulated.
    """

    by: str = "folder"
    generations: int | None = None
    timeout_s: float | None = None
    settle_s: float = 0.5
    patience_s: float = 60.0
    strict: bool = False
    host: str = "127.0.0.1"
    port: int = 0
    neuron: Neuron | None = None


def remember(directory: Path, run: Run) -> None:
    """Write down how the session is run.

    Raises:
        StorageError: it cannot be written.
    """
    store.write_text(directory / FILE, json.dumps(dataclasses.asdict(run), indent=1) + "\n")


def recall(directory: Path) -> Run:
    """How the session was run last; through the folder where that is not known."""
    try:
        found = parse_json(read_bytes(directory / FILE, limit=_LARGEST), directory / FILE)
        neuron = found.get("neuron")
        run = Run(**_fields(Run, {**found, "neuron": None if neuron is None else Neuron(**_fields(Neuron, neuron))}))
    except (PhospheneError, TypeError, AttributeError):
        return Run()  # the file is a convenience: without it the options say how
    return run if run.by in WAYS and (run.by != "neuron" or run.neuron is not None) else Run()


def _fields(kind: type[Any], found: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    values = {name: found[name] for name in hints if name in found}
    for name, value in values.items():
        if not isinstance(value, hints[name]):
            raise TypeError(name)
    return values
