"""Jobs to rows: the pictures of a batch, or why there are none."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene.atlas.asking import asked, asked_to_differ, balanced, differing_layer, unit_of
from phosphene.atlas.embedding import Embedding
from phosphene.atlas.jobs import Job, PlannedPicture
from phosphene.atlas.rows import Measured, Row, failed_row, reason_of, rendered_row
from phosphene.functional.random import Streams
from phosphene.models.network import Network
from phosphene.objectives import compile_objectives
from phosphene.render.batches import Job as RenderJob
from phosphene.render.course import Setting
from phosphene.render.problem import Forward
from phosphene.render.recipe import Recipe
from phosphene.render.result import Result, gather
from phosphene.render.run import Outcome, Settings, measure, run_batch, scorer_of, usable_device
from phosphene.render.session import OpenPass
from phosphene.store.atlas.manifest import AtlasLayer, Manifest

Group = tuple[PlannedPicture, ...]


@dataclass(frozen=True, eq=False)
class _Open:
    """The prepared network, for one layer and recipe.

    Attributes:
        key: these two, and what else is read.
        forward: the pass.
        embedding: says where pictures lie.
    """

    key: tuple[object, ...]
    forward: Forward
    embedding: Embedding


class Renderer:
    """Renders the jobs of an atlas; the network is prepared once for all jobs of a layer that follow each other.

    Args:
        net: the network.
        manifest: the atlas's.
        device: where it computes.
    """

    def __init__(self, net: Network, manifest: Manifest, device: torch.device) -> None:
        self._net, self._manifest, self._device = net, manifest, device
        self._layers = {layer.name: layer for layer in manifest.layers}
        self._recipes = {digest: Recipe.from_json(document) for digest, document in manifest.recipes.items()}
        self._stack = ExitStack()
        self._open: _Open | None = None

    def close(self) -> None:
        """Let go of the network."""
        self._open = None
        self._stack.close()

    def rows(self, job: Job) -> list[Row]:
        """A row for each of the job's pictures, in its order, but not encoded.

        What raises is done again in halves, until whatever cannot be rendered stands alone; its row says why.

        Raises:
            KeyboardInterrupt: somebody interrupted.
            Exception: what the device raised when it broke.
        """
        found: dict[str, Row] = {}
        waiting = [job.groups]
        # A caller may be under no_grad or inference_mode; climbing needs gradients.
        with torch.inference_mode(False), torch.enable_grad():
            while waiting:
                groups = waiting.pop(0)
                try:
                    rows = self._rendered(job, groups)
                except Exception as error:
                    self._check_device(error)
                    half = len(groups) // 2
                    if half:
                        waiting[:0] = [groups[:half], groups[half:]]
                        continue
                    size = self._recipe(job).sizes[-1]
                    rows = [failed_row(job, one, size, reason_of(error)) for one in groups[0]]
                found |= {row.picture.id: row for row in rows}
        return [found[one.id] for one in job.pictures]

    def result(self, job: Job, picture: PlannedPicture) -> Result:
        """One of a job's pictures as :meth:`rows` renders it, with all that are rendered together with it.

        Raises:
            KeyboardInterrupt: somebody interrupted.
            Exception: what the network raises.
        """
        with torch.inference_mode(False), torch.enable_grad():
            ready, together = self._ready(job), _together(job.groups, job)
            batches = self._asked(job, together, ready)
            group, batch = next((g, b) for g, b in zip(together, batches, strict=True) if picture in g)
            settings = self._settings(job, held_out=True)
            outcome = run_batch(batch, self._net, settings, forward=ready.forward, progress=_silent)
        if outcome.interrupted:
            raise KeyboardInterrupt
        return gather([outcome], self._net, settings)[group.index(picture)]

    def _check_device(self, error: Exception) -> None:
        """Raise what came where the device itself is broken: its units are not to blame."""
        try:
            usable_device(self._device)
        except Exception:
            raise error from None

    def _layer(self, job: Job) -> AtlasLayer:
        return self._layers[job.layer]

    def _recipe(self, job: Job) -> Recipe:
        return self._recipes[job.recipe]

    def _rendered(self, job: Job, groups: Sequence[Group]) -> list[Row]:
        """The rows of pictures of a job, rendered together so far as they are no company that must be alone."""
        ready = self._ready(job)
        together = _together(groups, job)
        batches = self._asked(job, together, ready)
        return [row for group, batch in zip(together, batches, strict=True) for row in self._rows(job, group, batch)]

    def _rows(self, job: Job, group: Group, batch: tuple[RenderJob, ...]) -> list[Row]:
        ready = self._ready(job)
        outcome = self._ran(batch, job, ready.forward)
        measured = self._measured(job, group, outcome.images)
        return [rendered_row(job, row, group=group, outcome=outcome, measured=measured) for row in range(len(group))]

    def _asked(self, job: Job, groups: Sequence[Group], ready: _Open) -> list[tuple[RenderJob, ...]]:
        """The batches of the engine for groups of pictures that are rendered together."""
        layer, recipe = self._layer(job), self._recipe(job)
        if job.variant != "diverse":
            return [asked(layer, group, recipe) for group in groups]
        where = differing_layer(self._net, layer)
        alone = self._ran(asked(layer, [group[0] for group in groups], recipe), job, ready.forward)
        weights = balanced(alone.final_scores, self._manifest.diversity_weight)
        pairs = zip(groups, weights, strict=True)
        return [asked_to_differ(layer, group, recipe, where=where, weight=weight) for group, weight in pairs]

    def _ran(self, batch: tuple[RenderJob, ...], job: Job, forward: Forward) -> Outcome:
        outcome = run_batch(batch, self._net, self._settings(job), forward=forward, progress=_silent)
        if outcome.interrupted:
            raise KeyboardInterrupt
        return outcome

    def _measured(self, job: Job, group: Group, images: Tensor) -> Measured:
        """What the units answer to the pictures: regularizers, signs and company are left out."""
        ready, shown = self._ready(job), images.to(self._device)
        units = [unit_of(self._layer(job), one.unit) for one in group]
        streams = Streams(tuple(one.id for one in group), job.seed, self._device)
        setting = Setting(self._net, ready.forward, compile_objectives(units, self._net), streams, torch.float32)
        clean, robust = measure(shown, setting, self._recipe(job))
        has_alpha = images.shape[1] in (2, 4) and self._net.n_channels == images.shape[1] - 1
        return Measured(clean, robust, ready.embedding.of(shown), has_alpha)

    def _ready(self, job: Job) -> _Open:
        """The network prepared for a job, as it was left by the one before where that fits."""
        layer, recipe = self._layer(job), self._recipe(job)
        also = differing_layer(self._net, layer) if job.variant == "diverse" else layer.name
        key = (layer.name, also, job.recipe)
        if self._open is None or self._open.key != key:
            self._open = self._opened(key, layer, recipe, job)
        return self._open

    def _opened(self, key: tuple[object, ...], layer: AtlasLayer, recipe: Recipe, job: Job) -> _Open:
        self.close()
        opened = self._stack.enter_context(OpenPass(self._net, self._settings(job)))
        units = asked(layer, job.pictures[:1], recipe)
        forward = opened.to(scorer_of(units, self._net).layers | {str(key[1])})
        return _Open(key, forward, Embedding(self._net, layer.name, forward, recipe=recipe, device=self._device))

    def _settings(self, job: Job, *, held_out: bool = False) -> Settings:
        return Settings(
            seed=job.seed,
            device=self._device,
            dtype=torch.float32,
            snapshots=frozenset(),
            weights_digest=self._manifest.network.digest,
            held_out=held_out,
        )


def _together(groups: Sequence[Group], job: Job) -> Sequence[Group]:
    """What is rendered in one batch: the diverse pictures of a unit, or all pictures that do not influence others."""
    return groups if job.variant == "diverse" else [tuple(one for group in groups for one in group)]


def _silent(n: int) -> None:
    """Progress is told job by job."""
