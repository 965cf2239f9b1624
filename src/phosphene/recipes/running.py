"""Methods that are more than a recipe: functions of a network and its units that render."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from phosphene.recipes.company import diversity, joint, negative_and_positive, random_directions
from phosphene.recipes.deepdream import dream
from phosphene.recipes.distill import SOURCE, YEAR
from phosphene.recipes.feature_maps import activations_and_reconstructions
from phosphene.recipes.generated import generated
from phosphene.recipes.grids import frequency_sheets, learning_rate_sheet, robustness_sheets
from phosphene.recipes.interpolation import interpolation
from phosphene.recipes.method import Method
from phosphene.recipes.parameter_sheets import parameter_sheet
from phosphene.recipes.preconditioning import preconditioning_sheet
from phosphene.recipes.style import style_transfer, texture
from phosphene.recipes.zooming import zoom_frames

_STYLE: Final = "Mordvintsev, Pezzotti, Schubert and Olah, Distill; Gatys, Ecker and Bethge"
_STYLE_KEYS: Final = ("mordvintsev2018differentiable", "gatys2016style")
_DREAM: Final = "Mordvintsev, Olah and Tyka; google/deepdream, dream.ipynb"


def _distill(run: Callable[..., Any]) -> Method:
    return Method(run.__name__, run, SOURCE, YEAR, start="network", follows=("olah2017feature",))


METHODS: Final = (
    Method("guided_dream", dream, _DREAM, 2015, start="network", follows=("mordvintsev2015inceptionism",)),
    Method("zoom", zoom_frames, _DREAM, 2015, start="network", follows=("mordvintsev2015inceptionism",)),
    *map(
        _distill,
        (
            negative_and_positive,
            diversity,
            joint,
            random_directions,
            parameter_sheet,
            learning_rate_sheet,
            frequency_sheets,
            robustness_sheets,
            preconditioning_sheet,
        ),
    ),
    Method("aligned_interpolation", interpolation, SOURCE, YEAR, start="network", follows=("olah2017feature",)),
    Method(
        "generator",
        generated,
        "Nguyen, Dosovitskiy, Yosinski, Brox and Clune, NeurIPS; Lucent's param/gan.py",
        2016,
        start="network",
        follows=("nguyen2016synthesizing", "dosovitskiy2016generating", "kiat2020lucent"),
    ),
    Method("texture", texture, _STYLE, 2018, start="network", follows=_STYLE_KEYS),
    Method("style_transfer", style_transfer, _STYLE, 2018, start="network", follows=_STYLE_KEYS),
    Method(
        "activations_and_reconstructions",
        activations_and_reconstructions,
        "Graetz, fg91/visualizing-cnn-feature-maps",
        2019,
        start="network",
        follows=("graetz2019forty",),
    ),
)
