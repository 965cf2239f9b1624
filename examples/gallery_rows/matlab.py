"""MATLAB's ``deepDreamImage`` (MathWorks 2016), after its documentation."""

from __future__ import annotations

import phosphene as ph
from gallery_rows.layout import Strip, of_result
from gallery_rows.studio import Studio


def strips(studio: Studio) -> list[Strip]:
    """Four channels, two classes."""
    steps, net = studio.steps(10), studio.net
    channels = ph.recipes.deep_dream_image(net, "blocks.8", [0, 7, 20, 41], num_iterations=steps, verbose=False)
    classes = ph.recipes.deep_dream_image(
        net, "classifier", ["goldfish", "fountain"], num_iterations=steps, verbose=False
    )
    return [
        Strip("deep_dream_image(net, 'blocks.8', [0, 7, 20, 41])", of_result(channels), 268),
        Strip(
            "deep_dream_image(net, 'classifier', ['goldfish', 'fountain'])",
            of_result(classes, ["goldfish", "fountain"]),
            438,
        ),
    ]
