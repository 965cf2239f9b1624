"""Multi-scale blurring: "How to visualize convolutional features in 40 lines of code" (Graetz 2019)."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

import phosphene as ph
from gallery_rows.layout import Picture, Pixels, Strip, of_result
from gallery_rows.studio import Studio


def strips(studio: Studio) -> list[Strip]:
    """A channel; and what a photograph excites, with the curve."""
    start = studio.pixels(56)
    how = studio.cut(ph.recipes.forty_lines(start, start))
    alone = studio.render([ph.Channel("blocks.5", 20), ph.Channel("blocks.8", 7)], how)
    maps = ph.recipes.activations_and_reconstructions(
        studio.net, studio.cat, "blocks.5", top=3, recipe=how, progress=False
    )
    return [
        Strip("recipes.forty_lines: 12 sizes from 56 to 408 px, 20 steps at each", of_result(alone), 360),
        Strip(
            "activations_and_reconstructions: the mean activation of every map of blocks.5 for a photograph",
            [Picture(studio.cat, "the photograph"), Picture(_curve(maps), "the curve, the three highest marked")],
            500,
        ),
        Strip("… and what the three most active maps look for", of_result(maps.result), 360),
    ]


def _curve(maps: ph.recipes.FeatureMaps) -> Pixels:
    written = BytesIO()
    maps.plot().savefig(written, format="png", dpi=100)
    return np.asarray(Image.open(written).convert("RGB").resize((500, 250), Image.Resampling.LANCZOS))
