"""MaCo (Fel et al. 2023) and feature accentuation (Hamblin et al. 2024)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

import phosphene as ph
from gallery_rows.layout import Picture, Strip, of_result
from gallery_rows.studio import Studio
from phosphene.recipes.spectrum_fit import fitted
from phosphene.render.display import to_uint8

_PHOTOGRAPHS = ("chelsea", "coffee", "astronaut", "rocket")


def strips(studio: Studio) -> list[Strip]:
    """MaCo with two spectra; a photograph before and after."""
    side, units = studio.pixels(320), [ph.Logit("espresso"), ph.Channel("blocks.11", 3)]
    law, measured = studio.render(units, _maco(studio, side)), studio.render(units, _measured(studio, side))
    return [
        Strip(
            "recipes.maco: only phases are optimised (8 windows, 96 steps instead of 32 and 256); magnitudes 1/f",
            [p for n, name in enumerate(("espresso", "blocks.11:3")) for p in _with_opacity(law, n, name)],
            268,
        ),
        Strip(
            "the same with magnitudes measured by ph.recipes.fit_spectrum on four photographs",
            [p for n, name in enumerate(("espresso", "blocks.11:3")) for p in _with_opacity(measured, n, name)],
            268,
        ),
        Strip("recipes.accentuate: more of “tabby” in a photograph, blocks.8 held", _accentuated(studio), 268),
    ]


def _with_opacity(result: ph.Result, number: int, name: str) -> list[Picture]:
    """A picture, and the same with what the gradient never touched left transparent."""
    assert result.transparency is not None
    strength = result.transparency[number]
    opacity = (strength / torch.quantile(strength, 0.95)).clamp(0, 1)
    picture = of_result(result[number], [name])[0]
    return [picture, Picture(torch.cat([result.images[number], opacity]), "by accumulated gradients")]


def _maco(studio: Studio, side: int) -> ph.Recipe:
    return ph.recipes.maco(side, side, crops=8, steps=studio.steps(96))


def _measured(studio: Studio, side: int) -> ph.Recipe:
    """The same with the magnitudes of photographs."""
    with tempfile.TemporaryDirectory() as folder:
        for name in _PHOTOGRAPHS:
            Image.fromarray(to_uint8(studio.photograph(name, 512))).save(Path(folder) / f"{name}.png")
        spectrum = ph.recipes.fit_spectrum(folder, side, side)
    return ph.recipes.maco(side, side, magnitude=spectrum, crops=8, steps=studio.steps(96))


def _accentuated(studio: Studio) -> list[Picture]:
    before = fitted(studio.cat, studio.pixels(224), studio.pixels(336))
    unit = ph.Logit("tabby")
    how = studio.cut(ph.recipes.accentuation(before, crops=8))
    result = ph.recipes.accentuate(studio.net, unit, before, layer="blocks.8", recipe=how, options={"progress": False})
    after = result.images[0]
    return [
        Picture(before, f"before: logit {_logit(studio, before):.2f}"),
        Picture(after, f"after: logit {_logit(studio, after):.2f}"),
        Picture((0.5 + 2 * (after - before)).clamp(0, 1), "what changed, times 2, on grey"),
    ]


def _logit(studio: Studio, image: Tensor) -> float:
    """The class's logit for the middle of an image."""
    seen = fitted(image, *studio.net.input_size)
    kept = ph.render(studio.net, ph.Logit("tabby"), recipe=ph.recipes.zoo_deep_dream(seen), steps=0, progress=False)
    return float(kept.final_scores[0])
