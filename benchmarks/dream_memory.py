"""Memory that a large photograph takes while it dreams, beyond what the network takes on one tile.

``python benchmarks/dream_memory.py [--height 3000 --width 4000 --layer blocks.5 --steps 2]``

A child process loads the bundled network, renders an image of one tile (512 × 512 pixels) and notes the memory that it
has then; it dreams the photograph, ``ph.recipes.tf_deepdream`` with all octaves, and notes the most that it has had.
The photograph is scikit-image's "coffee", enlarged. Linux only: the figures are those of ``/proc/self/status``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

LIMIT_GIB = 2.0
TILE = 512


def main() -> int:
    options = _options()
    if options.child:
        print(json.dumps(measure(options)))
        return 0
    done = subprocess.run(
        [sys.executable, __file__, "--child", *sys.argv[1:]], stdout=subprocess.PIPE, check=True, text=True
    )
    figures = json.loads(done.stdout)
    for name, value in figures.items():
        print(f"{name:<44} {value}")
    above = figures["above the network's own, GiB"]
    print("within" if above <= LIMIT_GIB else "ABOVE", f"the limit of {LIMIT_GIB} GiB")
    return 0 if above <= LIMIT_GIB else 1


def measure(options: argparse.Namespace) -> dict[str, object]:
    """Render a tile, then the photograph; the most memory at each, in GiB."""
    import phosphene as ph
    from phosphene.recipes.deepdream_tensorflow import tf_deepdream

    torch.set_num_threads(options.threads)
    net = ph.load("efficientnet_lite0")
    objective = ph.Layer(options.layer)
    _dream(net, objective, tf_deepdream(photograph(TILE, TILE), steps=2, octaves=1))
    tile, most_of_tile = _gib("VmRSS"), _gib("VmHWM")
    _reset_peak()
    image = photograph(options.height, options.width)
    recipe = tf_deepdream(image, steps=options.steps)
    del image
    started = time.perf_counter()
    result = _dream(net, objective, recipe)
    seconds = time.perf_counter() - started
    most = _gib("VmHWM")
    figures: dict[str, object] = {
        "photograph, pixels": f"{options.width} x {options.height}",
        "octaves x steps": f"{len(recipe.sizes)} x {options.steps}",
        "status": result.status[0],
        "seconds": round(seconds, 1),
        "most memory with the network on one tile, GiB": round(most_of_tile, 2),
        "memory after the network's tile, GiB": round(tile, 2),
        "most memory while dreaming, GiB": round(most, 2),
        "above the network's own, GiB": round(most - tile, 2),
    }
    if options.save:
        _reset_peak()
        (path,) = result.save(options.save)
        figures["most memory while saving, GiB"] = round(_gib("VmHWM"), 2)
        figures["file, MB"] = round(path.stat().st_size / 1e6, 1)
    return figures


def photograph(height: int, width: int) -> torch.Tensor:
    """ "Coffee" of that size, (3, h, w) in [0, 1], in eight bits."""
    from PIL import Image
    from skimage import data

    enlarged = Image.fromarray(data.coffee()).resize((width, height), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.asarray(enlarged).copy()).permute(2, 0, 1).to(torch.float32).div_(255)


def _dream(net: object, objective: object, recipe: object):
    import phosphene as ph

    return ph.render(net, objective, recipe=recipe, progress=False)


def _gib(name: str) -> float:
    """``VmRSS`` is the memory that the process has, ``VmHWM`` the most that it has had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) / 2**20


def _reset_peak() -> None:
    """Let the kernel count the most memory from here on."""
    Path("/proc/self/clear_refs").write_text("5")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--height", type=int, default=3000)
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--layer", default="blocks.5")
    parser.add_argument("--steps", type=int, default=2, help="steps of each octave")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save", default="", help="save the dream to this PNG as well")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
