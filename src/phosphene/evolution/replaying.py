"""Make a saved picture again, rendered or evolved, from the document that it carries, and compare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from phosphene import scorers, store
from phosphene.evolution.api import evolve
from phosphene.evolution.document import is_evolution, read_document
from phosphene.models.network import Network
from phosphene.render import Replay
from phosphene.render import replay as replay_rendered
from phosphene.render.progress import Progress
from phosphene.render.replaying import compare
from phosphene.scorers import BlackBox, Scorer, as_scorer


def replay(
    path: str | Path,
    *,
    net: Network | None = None,
    scorer: Scorer | BlackBox | Callable[..., object] | None = None,
    trust: bool = False,
    progress: Progress = True,
) -> Replay:
    """Make a saved picture again from the recipe that it carries, rendered or evolved, and compare.

    Args:
        path: a PNG that phosphene saved.
        net: the network, for pictures of a module that was wrapped by hand.
        scorer: what scored, for evolved pictures of a function or model that cannot be found by its name.
        trust: allow the recipe to import modules, run functions, ask servers and download weights.
        progress: as in :func:`phosphene.render`.

    Raises:
        TrustError: the recipe would do one of these, and ``trust`` is false.
        RecipeError: the picture's recipe is damaged, or its network has other weights.
        StorageError: the file cannot be read.
    """
    document = store.read_png_document(path)
    if not is_evolution(document):
        return replay_rendered(path, net=net, trust=trust, progress=progress)
    made = read_document(document, trust=trust)
    scores = scorers.reopen(made.scorer_document or {}, net=net, trust=trust) if scorer is None else as_scorer(scorer)
    threads = torch.get_num_threads()
    torch.set_num_threads(made.threads)
    try:
        result = evolve(
            scores,
            made.space,
            optimizer=made.optimizer,
            generations=made.generations,
            origin=None if made.origin is None else made.origin.tensor(dtype=torch.float64),
            seed=made.seed,
            device=made.device,
            progress=progress,
        )
    finally:
        torch.set_num_threads(threads)
    picture = result if made.picture == "recommended" else result.best_observed
    return compare(picture, store.read_png_pixels(path))
