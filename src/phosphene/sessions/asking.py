"""What a block shows: which stimuli, under which names, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from torch import Tensor

from phosphene._types import JSON
from phosphene.exchange.presentation import Stimulus, presentation_order
from phosphene.functional.random import stream_seed
from phosphene.sessions.blocks import Block
from phosphene.sessions.plan import REFERENCE, Plan


def ask_event(
    plan: Plan, block: int, asked: Mapping[str, tuple[Sequence[str], Tensor]], *, references: Sequence[str]
) -> dict[str, JSON]:
    """The line of the journal that begins a block: all candidates of all threads, and reference images.

    Args:
        plan: the session's.
        block: the number of the generation.
        asked: candidates and codes by thread.
        references: names of all reference images, of which the block may show some.
    """
    rows = [(f"{thread}_{candidate}", thread, candidate, 1) for thread, (ids, _) in asked.items() for candidate in ids]
    shown = references_of(plan, block, references)
    rows += [(f"{REFERENCE}_g{block:04d}_{name}", "", name, 1) for name in shown]
    return _event(plan, (block, 0), rows, repeats=plan.repeats)


def again_event(block: Block, plan: Plan) -> dict[str, JSON]:
    """The line of the journal by which the stimuli of a block that lack trials are shown again."""
    missing = {name: shown.n_missing(plan) for name, shown in block.stimuli.items() if shown.n_missing(plan)}
    stimuli = [block.stimuli[name] for name in missing]
    rows = [(shown.name, shown.thread, shown.candidate, block.next_trial(shown.name)) for shown in stimuli]
    return _event(plan, (block.number, len(block.rounds)), rows, repeats=max(missing.values()))


def references_of(plan: Plan, block: int, names: Sequence[str]) -> list[str]:
    """The reference images of a block: all, or some of them, taking turns."""
    n = len(names) if plan.references_per_block is None else min(plan.references_per_block, len(names))
    return sorted(names[(block * n + i) % len(names)] for i in range(n))


def block_stimuli(
    block: Block, images: Mapping[str, Float[Tensor, "n c h w"]], references: Mapping[str, Float[Tensor, "3 h w"]]
) -> dict[str, Float[Tensor, "c h w"]]:
    """The image of each stimulus of a block.

    Args:
        block: whose.
        images: those of the candidates by thread, in their order.
        references: all reference images by name.
    """
    shown = {thread: iter(batch) for thread, batch in images.items()}
    return {
        s.name: references[s.candidate] if s.is_reference else next(shown[s.thread]) for s in block.stimuli.values()
    }


def _event(
    plan: Plan, place: tuple[int, int], rows: Sequence[tuple[str, str, str, int]], *, repeats: int
) -> dict[str, JSON]:
    block, round_ = place
    seed = stream_seed(plan.order_seed, "block", str(block), str(round_))
    # Only names and kinds matter to an order; the image is none.
    stimuli = [Stimulus(name, "", candidate, is_reference=not thread) for name, thread, candidate, _ in rows]
    order = presentation_order(stimuli, seed=seed, repeats=repeats, interleave=plan.interleave)
    index = {name: i for i, (name, *_) in enumerate(rows)}
    return {
        "event": "ask",
        "block": block,
        "round": round_,
        "seed": seed,
        "repeats": repeats,
        "stimuli": [list(row) for row in rows],
        "order": [index[shown.stimulus] for shown in order],
    }
