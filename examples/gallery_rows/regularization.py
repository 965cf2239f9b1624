"""Distill's regularizers, learning rates and gradients (Olah, Mordvintsev and Schubert 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import phosphene as ph
from gallery_rows.layout import Picture, Strip, of_result, of_sheet
from gallery_rows.studio import Studio

_UNIT = ph.Channel("blocks.5", 20)


def strips(studio: Studio) -> list[Strip]:
    """The notebook's settings, learning rate by steps, the comparison of gradients."""
    side, net = studio.pixels(96), studio.net
    rates = ph.recipes.learning_rate_sheet(
        net,
        _UNIT,
        rates=(0.01, 0.05, 0.25),
        steps=_steps(studio, (1, 8, 16, 32, 64, 96, 128, 256)),
        recipe=ph.recipes.preconditioned(side, side),
        progress=False,
    )
    gradients = ph.recipes.preconditioning_sheet(
        net, _UNIT, steps=_steps(studio, (1, 2, 4, 8, 16, 24, 32, 64)), size=(side, side), progress=False
    )
    return [
        Strip("the regularization notebook: one unit, 256 steps, one thing added at a time", _settings(studio, side)),
        Strip("learning_rate_sheet: learning rate and steps", of_sheet(rates), 128),
        Strip("preconditioning_sheet: steepest ascent by four notions of distance", of_sheet(gradients), 128),
    ]


def _settings(studio: Studio, side: int) -> list[Picture]:
    recipes = ph.recipes
    made = {
        "unregularized": recipes.unregularized(side, side),
        "penalized: L1, total variation, blur": recipes.penalized(side, side, l1=0.0005, tv=0.0025, blur=0.01),
        "bilateral": recipes.bilateral(side, side, weight=0.02),
        "robust: jitter, turns, scales": recipes.robust(side, side),
        "preconditioned": recipes.preconditioned(side, side),
        "preconditioned_robust": recipes.preconditioned_robust(side, side),
    }
    return [
        picture
        for name, recipe in made.items()
        for picture in of_result(studio.render(_UNIT, studio.cut(recipe, 256)), [name])
    ]


def _steps(studio: Studio, wanted: Sequence[int]) -> list[int]:
    return sorted({studio.steps(n) for n in wanted})
