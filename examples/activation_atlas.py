"""An activation atlas of the bundled network, and its page.

``python examples/activation_atlas.py PHOTOGRAPHS [--layer blocks.14] [--output out/activation-atlas]``

PHOTOGRAPHS is a folder; a thousand of them take about ten minutes of one core, less when icons are kept. Needs
``pip install 'phosphene[atlas,umap]'``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import phosphene as ph
from phosphene.atlas.activations import Icons, activation_atlas
from phosphene.blocks import Pictures
from phosphene.store.atlas.activation_files import save_activation_atlas
from phosphene.web.activations_page import write_activation_page


def main() -> None:
    """Make it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--layer", default="blocks.14")
    parser.add_argument("--activations", type=int, default=7_000)
    parser.add_argument("--output", type=Path, default=Path("out/activation-atlas"))
    asked = parser.parse_args()
    atlas = activation_atlas(
        ph.load("efficientnet_lite0"),
        asked.layer,
        asked.photographs,
        n_activations=asked.activations,
        grids=(10, 20),
        icons=Icons(steps=96, attempts=1),
        pictures=Pictures(),
    )
    print(save_activation_atlas(asked.output, atlas))
    print(write_activation_page(atlas, asked.output))


if __name__ == "__main__":
    main()
