"""A script for Lucent (Kiat 2020), of which only the imports were changed."""

from __future__ import annotations

import torch

from gallery_rows.layout import Picture, Strip
from gallery_rows.studio import Studio
from phosphene.compat.lucent.optvis import objectives, param, render, transform
from phosphene.compat.lucent.util import set_seed

_THRESHOLDS = (4, 16, 128)


def strips(studio: Studio) -> list[Strip]:
    """``render_vis`` at several thresholds, an objective of two channels, diversity of a batch."""
    marks = tuple(sorted({studio.steps(n) for n in _THRESHOLDS}))
    grown = _vis(studio, "blocks_8:7", 1, marks)
    both = objectives.channel("blocks_8", 7) + objectives.channel("blocks_5", 20)
    added = _vis(studio, both, 1, marks[-1:])
    apart = objectives.channel("blocks_8", 7) - 10 * objectives.diversity("blocks_8")
    batch = _vis(studio, apart, 3, marks[-1:])
    return [
        Strip(
            "render.render_vis(model, 'blocks_8:7', thresholds=(4, 16, 128)), and a sum of two channels",
            [
                *(Picture(p, f"after {n} steps") for n, p in zip(marks, grown, strict=True)),
                Picture(added[0], "channel('blocks_8', 7) + channel('blocks_5', 20)"),
            ],
            224,
        ),
        Strip(
            "channel('blocks_8', 7) - 10 * diversity('blocks_8') on param.image(…, batch=3)",
            [Picture(picture, f"picture {n}") for n, picture in enumerate(batch)],
            224,
        ),
    ]


def _vis(studio: Studio, objective: object, n: int, thresholds: tuple[int, ...]) -> list[torch.Tensor]:
    """All pictures (c, h, w) of all thresholds, of a batch of ``n``."""
    side = studio.pixels(160)
    set_seed(0)
    shown = render.render_vis(
        studio.net.module,
        objective,
        lambda: param.image(side, batch=n),
        transforms=[*transform.standard_transforms, studio.net.preprocess],
        preprocess=False,
        thresholds=thresholds,
        fixed_image_size=studio.pixels(224),
        show_image=False,
        progress=False,
    )
    return [torch.from_numpy(picture).permute(2, 0, 1) for batch in shown for picture in batch]
