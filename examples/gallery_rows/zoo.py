"""The CNN-visualization zoo (Ozbulak 2019), its synthesis."""

from __future__ import annotations

import phosphene as ph
from gallery_rows.layout import Picture, Strip, of_result
from gallery_rows.studio import Studio
from phosphene.recipes.spectrum_fit import fitted

#: Rate of an inversion's first step for each layer: the published 1e4, which is for AlexNet, lets deeper ones diverge.
_RATES = {"blocks.1": 1e4, "blocks.5": 3e3, "blocks.10": 3e3}


def strips(studio: Studio) -> list[Strip]:
    """Layers, classes plain and regularised, inversions at three depths, a dream."""
    side, recipes = studio.pixels(224), ph.recipes
    fish = ph.Logit("goldfish")
    filters = studio.render(
        [ph.Channel("blocks.5", 20), ph.Channel("blocks.8", 7)], recipes.layer_visualization(side, side)
    )
    plain = studio.render(fish, recipes.class_specific_image(side, side))
    held = studio.render(fish, recipes.regularized_class_image(side, side))
    seen = fitted(studio.cat, side, side)
    dreams = studio.render([ph.Channel("blocks.8", 7), ph.Channel("blocks.5", 50)], recipes.zoo_deep_dream(seen))
    return [
        Strip(
            "layer_visualization (Adam on pixels); class_specific_image; regularized_class_image (blur, weight decay)",
            [
                *of_result(filters),
                *of_result(plain, ["goldfish, plain"]),
                *of_result(held, ["goldfish, regularised"]),
            ],
            268,
        ),
        Strip(
            "recipes.inverted_representation: an image whose features are the photograph's, from shallow to deep",
            [Picture(seen, "the photograph"), *_inversions(studio, seen)],
            268,
        ),
        Strip(
            "zoo_deep_dream: a filter drawn into the photograph by plain ascent, for 250 steps",
            [Picture(seen, "the photograph"), *of_result(dreams)],
            268,
        ),
    ]


def _inversions(studio: Studio, seen: object) -> list[Picture]:
    recipes = ph.recipes
    found: list[Picture] = []
    for layer, rate in _RATES.items():
        how = studio.cut(recipes.inverted_representation_recipe(seen, lr=rate))
        result = recipes.inverted_representation(studio.net, seen, layer, recipe=how, progress=False)
        found.append(Picture(result.images[0], f"{layer}, rate {rate:g}"))
    return found
