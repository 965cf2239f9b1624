"""Lucid beyond Distill's article: other canvases, inversion, caricature, style (2017, 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

import phosphene as ph
from gallery_rows.layout import Picture, Strip, of_result
from gallery_rows.studio import Studio
from phosphene.recipes.inversion import inversion_recipe
from phosphene.recipes.spectrum_fit import fitted

_UNIT = ph.Channel("blocks.8", 7)
_DEPTHS = ("blocks.3", "blocks.8", "blocks.14")


def strips(studio: Studio) -> list[Strip]:
    """Canvases and overrides, inversions, caricatures, a texture and a style."""
    side = studio.net.input_size
    cat, coffee = fitted(studio.cat, *side), fitted(studio.coffee, *side)
    how = studio.cut(inversion_recipe(cat), 128)
    return [
        Strip("one unit on other canvases: blocks.8:7", _canvases(studio)),
        Strip(
            "feature_inversion: images with the greatest dot product with the photograph's activations",
            [
                Picture(cat, "the photograph"),
                *_plain(ph.recipes.feature_inversion(studio.net, cat, _DEPTHS, recipe=how, progress=False), _DEPTHS),
            ],
            224,
        ),
        Strip(
            "caricature (cossim_power 1): what layers see in the photograph, exaggerated",
            [
                Picture(coffee, "the photograph"),
                *_plain(ph.recipes.caricature(studio.net, coffee, _DEPTHS, recipe=how, progress=False), _DEPTHS),
            ],
            224,
        ),
        Strip("texture and style_transfer", _styles(studio, cat, coffee), 224),
    ]


def _canvases(studio: Studio) -> list[Picture]:
    side, small, recipes = studio.pixels(160), studio.pixels(128), ph.recipes
    made = {
        "lucid_redirected": studio.cut(recipes.lucid_redirected(side, side), 128),
        "laplacian_pyramid": studio.cut(recipes.laplacian_pyramid(side, side), 128),
        "grayscale": studio.cut(recipes.grayscale(side, side), 128),
    }
    painted = studio.render(ph.Channel("blocks.11", 7), studio.cut(recipes.cppn(small, small), 200))
    clear = recipes.transparent(studio.net, _UNIT, recipe=studio.cut(recipes.alpha(side, side), 192), progress=False)
    found = [picture for name, how in made.items() for picture in of_result(studio.render(_UNIT, how), [name])]
    return [
        *found,
        *of_result(painted, ["cppn, 200 steps: blocks.11:7"]),
        Picture(clear.images[0], "transparent, 192 steps, on the sheet's paper"),
    ]


def _styles(studio: Studio, cat: Tensor, coffee: Tensor) -> list[Picture]:
    net, tissue = studio.net, fitted(studio.photograph("immunohistochemistry", 512), *studio.net.input_size)
    layers = ("blocks.1", "blocks.3", "blocks.5")
    how = studio.cut(inversion_recipe(cat), 128)
    woven = ph.recipes.texture(net, coffee, layers, recipe=how, progress=False)
    plain = replace(how, steps=studio.steps(96), transforms=())
    painted = [
        ph.recipes.style_transfer(
            net,
            cat,
            style,
            style_layers=("blocks.0", *layers),
            content_layers="blocks.5",
            content_weight=8.0,
            recipe=plain,
            progress=False,
        )
        for style in (coffee, tissue)
    ]
    return [
        Picture(woven.images[0], "texture of the coffee: blocks.1, 3 and 5"),
        Picture(painted[0].images[0], "the cat in the coffee's style"),
        Picture(tissue, "stained tissue"),
        Picture(painted[1].images[0], "the cat in the tissue's style"),
    ]


def _plain(result: ph.Result, names: Sequence[str]) -> list[Picture]:
    return [Picture(image, name) for image, name in zip(result.images, names, strict=True)]
