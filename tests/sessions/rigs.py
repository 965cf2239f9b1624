"""Small sessions, and rigs that answer them: a neuron whose noise depends on stimulus and trial alone."""

from __future__ import annotations

import json
import random
from pathlib import Path

import torch

from phosphene.functional.random import stream_seed
from phosphene.optimizers import CMAES, RandomSearch
from phosphene.parameterizations import Pixels
from phosphene.sessions import Plan, Session, Showing, Snapshot, Thread, Trial
from phosphene.spaces import ImageSpace
from phosphene.store.states import state_digest

SPACE = ImageSpace(Pixels(4, 4, sd=0.5))


def plan(*threads: Thread, population: int = 4, **how) -> Plan:
    """Two threads, one of them by channel 1, unless others are given."""
    default = (
        Thread("a", SPACE, CMAES(population=population), seed=3),
        Thread("b", SPACE, RandomSearch(population=population), seed=3, channels=1),
    )
    return Plan(threads=threads or default, **how)


def references(n: int = 1) -> list[torch.Tensor]:
    return [torch.full((3, 4, 4), (i + 1) / (n + 1)) for i in range(n)]


def response(showing: Showing, trial: int | None = None, *, lost: float = 0.0) -> tuple[float, float]:
    """Two channels: brightness and contrast, with noise; a share of trials is lost."""
    seed = stream_seed(7, showing.stimulus, str(showing.trial if trial is None else trial))
    draw = random.Random(seed)
    if draw.random() < lost:
        return (float("nan"), float("nan"))
    image = showing.image.double()
    return (image.mean().item() + 0.1 * draw.gauss(0, 1), image.std().item() + 0.1 * draw.gauss(0, 1))


def answered(showings, *, lost: float = 0.0) -> list[Trial]:
    return [Trial(s.stimulus, response(s, lost=lost), s.trial) for s in showings]


def finish(session: Session, generations: int, *, lost: float = 0.0) -> None:
    """Answer everything until so many generations are over."""
    while session.n_finished < generations:
        session.tell(answered(session.ask(), lost=lost))


def bits(session: Snapshot) -> dict[str, str]:
    """Every bit of the searches' states."""
    return {name: state_digest(search.state_dict()) for name, search in session._searches.by_thread.items()}


def told(directory: Path) -> list[tuple[str, int, tuple[float | None, ...]]]:
    """The trials of a journal, read without the code under test."""
    lines = (directory / "journal.jsonl").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["n"] for event in events] == list(range(len(events)))
    return [(e["stimulus"], e["trial"], tuple(e["response"])) for e in events if e["event"] == "trial"]
