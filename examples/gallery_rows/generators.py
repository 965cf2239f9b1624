"""Generators as parameterization (Nguyen et al. 2016): a DCGAN of faces (Radford et al. 2016) drives units."""

from __future__ import annotations

import phosphene as ph
from gallery_rows.layout import Picture, Strip, of_result
from gallery_rows.studio import Studio
from phosphene.errors import WeightsError
from phosphene.optimizers import Adam
from phosphene.parameterizations import DCGAN, CappedNorm, Latent, UnitNorm
from phosphene.parameterizations.generators import LatentConstraint

#: Codes of 100 normal numbers lie near the radius 10.
_CONSTRAINTS: dict[str, LatentConstraint | None] = {
    "UnitNorm(10)": UnitNorm(10.0),
    "CappedNorm(7)": CappedNorm(7.0),
    "no constraint": None,
}


def strips(studio: Studio) -> list[Strip]:
    """Faces for two classes, the code on a sphere, in a ball, or free; nothing where the faces are not installed."""
    units = {name: ph.Logit(name) for name in ("shower cap", "sombrero")}
    found: dict[str, list[Picture]] = {name: [] for name in units}
    side = studio.pixels(160)
    for told, constraint in _CONSTRAINTS.items():
        try:
            canvas = Latent(DCGAN(), side, side, constraint=constraint)
        except WeightsError:
            return []
        recipe = studio.cut(ph.Recipe(name="faces", parameterization=canvas, optimizer=Adam(lr=0.1), steps=60))
        result = ph.render(studio.net, list(units.values()), recipe=recipe, snapshots=[0], progress=False)
        for number, pictures in enumerate(found.values()):
            if not pictures:
                pictures.append(
                    Picture(result.snapshots[0][number], f"the start\nscore {result.scores[number][0]:.3g}")
                )
            pictures += of_result(result[number], [told])
    return [
        Strip(f"a DCGAN's code for the class “{name}”, 60 steps", pictures, 224) for name, pictures in found.items()
    ]
