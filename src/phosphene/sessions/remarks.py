"""What is to be said of a generation whose candidates do not all have a score."""

from __future__ import annotations

import math

from phosphene.sessions.blocks import Block, Shown
from phosphene.sessions.history import scored
from phosphene.sessions.plan import Plan, Thread

_SHOWN = 5  # channels in a sentence


def remarks(block: Block, plan: Plan) -> tuple[str, ...]:
    """A sentence for each thread of which candidates have no score; with the channels that were lost in all trials."""
    return tuple(sentence for thread in plan.threads if (sentence := _remark(block, thread)))


def _remark(block: Block, thread: Thread) -> str:
    shown = block.of_thread(thread.name)
    n_scored = len(scored(shown, thread.channels))
    if n_scored == len(shown):
        return ""
    learned = "" if n_scored else ", so that nothing was learned"
    said = f"generation {block.number}: {n_scored} of {len(shown)} candidates of {thread.name} have a score{learned}"
    dead = _dead_channels(shown)
    if not dead:
        return said
    names = ", ".join(map(str, dead[:_SHOWN])) + (", …" if len(dead) > _SHOWN else "")
    word = "channel" if len(dead) == 1 else "channels"
    advice = "the channels that a thread goes by are chosen when a session is begun (--channels)"
    return f"{said}: {word} {names} came in no trial; {advice}"


def _dead_channels(shown: list[Shown]) -> list[int]:
    """Channels that are NaN in all trials, if others are not."""
    trials = [response for s in shown for response in s.trials.values() if len(response) > 1]
    dead = [i for i in range(max(map(len, trials), default=0)) if all(math.isnan(response[i]) for response in trials)]
    return dead if any(not math.isnan(value) for response in trials for value in response) else []
