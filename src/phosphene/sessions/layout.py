"""What lies where in a session's directory.

::

    session.json            the plan, versions and reference images; never changed
    journal.jsonl           every ask and every single trial
    references/NAME.png     the reference images
    codes/gen_0003.safetensors      the codes of a generation, float32, a tensor (n, dim) for each thread
    state/a-0003.safetensors        what thread "a" had learned when generation 3 began
    blocks/gen_0003/        the folder protocol's, see :mod:`phosphene.exchange`
    lock                    held while the session is open
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from jaxtyping import Float
from torch import Tensor

from phosphene._component import check_size
from phosphene._types import JSON
from phosphene.errors import PhospheneError, RecipeError, StorageError, TrustError
from phosphene.sessions.plan import Plan
from phosphene.store import file_stem, read_image, write_text
from phosphene.store.atomic import read_bytes
from phosphene.store.documents import parse_json

FORMAT = "phosphene session 1"
PLAN = "session.json"
JOURNAL = "journal.jsonl"
_STATE = re.compile(r".+-([0-9]{4,9})\.safetensors")
_BLOCK = re.compile(r"gen_([0-9]{4,9})(_again[0-9]+)?")
_LARGEST = 256 << 20  # bytes of session.json


@dataclass(frozen=True)
class Layout:
    """A session's directory.

    Attributes:
        directory: the session's own.
    """

    directory: Path

    @property
    def plan(self) -> Path:
        """Where the plan lies."""
        return self.directory / PLAN

    @property
    def journal(self) -> Path:
        """Where the journal lies."""
        return self.directory / JOURNAL

    @property
    def blocks(self) -> Path:
        """Where the folder protocol's folders lie."""
        return self.directory / "blocks"

    def codes(self, block: int) -> Path:
        """Where the codes of a generation lie."""
        return self.directory / "codes" / f"gen_{block:04d}.safetensors"

    def state(self, thread: str, generation: int) -> Path:
        """Where a thread's state at the beginning of a generation lies."""
        return self.directory / "state" / f"{thread}-{generation:04d}.safetensors"

    def reference(self, name: str) -> Path:
        """Where a reference image lies."""
        return self.directory / "references" / f"{name}.png"

    def furthest(self) -> tuple[int, int]:
        """Generations that are over by the states that lie here, and that have begun by the blocks."""
        states = (_STATE.fullmatch(path.name) for path in self.directory.glob("state/*"))
        blocks = (_BLOCK.fullmatch(path.name) for path in self.blocks.glob("gen_*"))
        over = max((int(found[1]) for found in states if found), default=0)
        return over, max((1 + int(found[1]) for found in blocks if found), default=0)

    def behind(self, furthest: tuple[int, int], *, n_over: int, n_begun: int) -> str:
        """A sentence if the journal knows less than :meth:`furthest` said; otherwise empty.

        Args:
            furthest: what lies here.
            n_over: generations that are over by the journal.
            n_begun: generations that began by the journal.
        """
        over, begun = furthest
        if over <= n_over and begun <= n_begun:
            return ""
        return (
            f"{self.journal} ends in generation {n_over}, but the session was in generation {max(over, begun - 1)} "
            "before: it was cut off, or is an older one; put back a copy of it before the session goes on"
        )

    def remove_leftovers(self) -> None:
        """Remove what writes that were killed have left; only who holds the lock may do that."""
        for folder in (self.directory, self.directory / "codes", self.directory / "state"):
            for path in folder.glob(".phosphene-*.tmp"):
                with contextlib.suppress(OSError):
                    path.unlink()


def write_plan(layout: Layout, plan: Plan, references: Sequence[str], *, versions: Mapping[str, str]) -> None:
    """Write session.json.

    Raises:
        RecipeError: a part of the plan has no JSON form.
        StorageError: it cannot be written.
    """
    document: dict[str, JSON] = {
        "format": FORMAT,
        "versions": dict(versions),
        "references": list(references),
        "plan": plan.to_json(),
    }
    write_text(layout.plan, json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n")


def read_plan(layout: Layout, *, trust: bool) -> tuple[Plan, tuple[str, ...]]:
    """The plan of session.json, and the reference images' names.

    Raises:
        StorageError: there is no session, or its file is damaged.
        TrustError: the plan would import, run or download something, and ``trust`` is false.
    """
    if not layout.plan.exists():
        raise StorageError(
            f"{layout.directory} holds no session: it has no {PLAN}; begin one with: phosphene session new DIR"
        )
    data = read_bytes(layout.plan, limit=_LARGEST)
    try:
        document = parse_json(data, layout.plan)
        found = document.get("format")
        if found != FORMAT:
            raise RecipeError(f"its format is {found!r:.60}; expected {FORMAT!r}")
        check_size(document)
        plan = Plan.from_json(document.get("plan"), path="plan", trust=trust)
        return plan, _names(document.get("references"))
    except TrustError:
        raise
    except PhospheneError as error:
        raise StorageError(f"{layout.plan} is no plan of a session, or is damaged: {error}") from error


class ReferenceImages(Mapping[str, Float[Tensor, "3 h w"]]):
    """The reference images (3, h, w) by name, each read when it is first asked for.

    Raises:
        StorageError: one is not there; later also: it cannot be read.
    """

    def __init__(self, layout: Layout, names: Sequence[str]) -> None:
        self._layout, self._names = layout, tuple(names)
        self._read: dict[str, Float[Tensor, "3 h w"]] = {}
        for name in self._names:
            if not layout.reference(name).is_file():
                self._read[name] = read_image(layout.reference(name))  # says what is wrong

    def __getitem__(self, name: str) -> Float[Tensor, "3 h w"]:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._read:
            self._read[name] = read_image(self._layout.reference(name))
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise RecipeError(f"its references are {value!r:.60}; expected a list of names")
    for name in cast("list[Any]", value):
        # They become paths: nothing but what distinct_stems makes.
        if not isinstance(name, str) or not name or file_stem(name) != name:
            raise RecipeError(f"a reference image is called {name!r:.60}; expected a file's name without suffix")
    return tuple(cast("list[str]", value))
