"""DeepDream for Caffe, and in TensorFlow (Mordvintsev, Olah and Tyka 2015)."""

from __future__ import annotations

from itertools import islice

import torch

import phosphene as ph
from gallery_rows.layout import Picture, Strip, of_result
from gallery_rows.studio import Studio
from phosphene.recipes.photograph import fitted_to

#: Pixels: four, and three pictures in a row.
_WIDE, _WIDER = 268, 360
#: Frames of the zoom that are shown.
_FRAMES = (0, 5, 10)


def caffe(studio: Studio) -> list[Strip]:
    """A dream at two layers, a guided dream, three frames of the zoom."""
    net, cat, coffee = studio.net, studio.cat, studio.coffee
    how = studio.cut(ph.recipes.deepdream(cat))
    dreams = [ph.recipes.dream(net, cat, layer, recipe=how, progress=False) for layer in ("blocks.5", "blocks.8")]
    both = ph.recipes.dream(net, cat, ["blocks.5", "blocks.10"], recipe=how, progress=False)
    led = ph.recipes.dream(net, coffee, "blocks.8", guide=cat, recipe=how, progress=False)
    return [
        Strip(
            "recipes.dream: the layer's squared activations, drawn into a photograph in 4 octaves of 10 steps",
            [Picture(cat, "the photograph"), *(p for dream in [*dreams, both] for p in of_result(dream))],
            _WIDE,
        ),
        Strip(
            "recipes.dream(…, guide=): led by a second photograph",
            [
                Picture(coffee, "the photograph"),
                Picture(cat, "the guide"),
                Picture(led.images[0], "blocks.8, led by the guide"),
            ],
            _WIDER,
        ),
        Strip("recipes.zoom_frames: dream, enlarge the middle by 10 %, dream again", _zoom(studio), _WIDER),
    ]


def _zoom(studio: Studio) -> list[Picture]:
    small = fitted_to(studio.cat, studio.pixels(320))
    recipe = studio.cut(ph.recipes.deepdream(small, octaves=3))
    zoom = ph.recipes.Zoom(recipe, n_frames=_FRAMES[-1] + 1, share=0.1)
    frames = islice(ph.recipes.zoom_frames(studio.net, ph.Layer("blocks.8"), zoom), _FRAMES[-1] + 1)
    kept = {number: torch.from_numpy(frame.copy()) for number, frame in enumerate(frames) if number in _FRAMES}
    return [Picture(frame.permute(2, 0, 1) / 255, f"blocks.8, frame {number}") for number, frame in kept.items()]


def tensorflow(studio: Studio) -> list[Strip]:
    """The four programs of the notebook: three from grey, one into a photograph."""
    units = [ph.Channel("blocks.8", 7), ph.Channel("blocks.5", 20)]
    side, recipes = studio.pixels(224), ph.recipes
    made = {
        "tf_naive": studio.render(units, recipes.tf_naive(side, side)),
        "tf_multiscale": studio.render(units, recipes.tf_multiscale(side, side)),
        "tf_lapnorm": studio.render(units, recipes.tf_lapnorm(side, side)),
    }
    dream = studio.cut(recipes.tf_deepdream(studio.cat))
    layer = recipes.dream(studio.net, studio.cat, "blocks.8", recipe=dream, progress=False)
    channel = recipes.dream(studio.net, studio.cat, ph.Channel("blocks.8", 7), recipe=dream, progress=False)
    return [
        Strip(
            "tf_naive (20 steps at one size), tf_multiscale and tf_lapnorm (3 octaves of 10 steps), from grey",
            [
                picture
                for number, unit in enumerate(units)
                for name, result in made.items()
                for picture in of_result(result[number], [f"{name} {unit}"])
            ],
            _WIDER,
        ),
        Strip(
            "tf_deepdream: into the photograph",
            [Picture(studio.cat, "the photograph"), *of_result(layer), *of_result(channel)],
            _WIDER,
        ),
    ]
