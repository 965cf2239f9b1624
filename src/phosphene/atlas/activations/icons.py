"""Icons: the pictures of an activation atlas's cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._algebra import Objective
from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.atlas.activations.sampling import Floats
from phosphene.blocks.icons import cell_of_grid
from phosphene.blocks.pictures import Pictures, drawn
from phosphene.collection.plan import whole
from phosphene.models.network import Network
from phosphene.models.prepare import prepare
from phosphene.objectives import Scene, TensorDirection, compile_objectives
from phosphene.render import Recipe, display
from phosphene.render.progress import Progress
from phosphene.store.webp import encode_webp

#: Steps of a direction's components, per unit: the angle that rounding turns it by is below half a degree, and a
#: picture, and what is kept of it, does not depend on the last bits of activations.
_LEVELS = 1024
_BATCH = 32
_MOST = 2**31 - 1


@dataclass(frozen=True)
class Icons:
    """How a cell's picture is made: of the direction of its mean activation, at the middle of a small canvas.

    Attributes:
        size: height and width in pixels.
        steps: number of steps.
        attempts: pictures that start from different noise; the one that fits best is kept.
        cossim_power: p of ``dot · max(0.1, cosine)^p``, from 0: how much other directions are punished.
        whiten: multiply the direction by the inverse of the activations' ``XᵀX / n``, so that what all of them share
            counts for less, and the icons of neighbours differ.
        ridge: how many times the channels' mean square is added to each before that, from 0; of little, people see less
            in the icons, of much, they are as if not whitened (``docs/activation_atlas.md``).
        least: cells of fewer activations are left out.
        quality: of the WebP, 1 to 100; None loses nothing.
    """

    size: int = 96
    steps: int = 128
    attempts: int = 2
    cossim_power: float = 2.0
    whiten: bool = True
    ridge: float = 3.0
    least: int = 5
    quality: int | None = 90

    def __post_init__(self) -> None:
        for name in ("size", "steps", "attempts", "least"):
            whole(name, getattr(self, name), 1, _MOST)
        for name in ("cossim_power", "ridge"):
            check(0 <= getattr(self, name) < np.inf, name, getattr(self, name), "a number from 0")
        check(self.quality is None or 1 <= self.quality <= 100, "quality", self.quality, "1 to 100, or None")

    def __str__(self) -> str:
        tried = "one attempt" if self.attempts == 1 else f"the best of {self.attempts} attempts"
        space = f"whitened, ridge {self.ridge:g}" if self.whiten else "not whitened"
        return (
            f"{self.size} × {self.size} px, {self.steps} steps, {tried}, power {self.cossim_power:g} of the cosine, "
            f"directions {space}"
        )

    def recipe(self, net: Network, layer: str) -> Recipe:
        """How each attempt is rendered."""
        return cell_of_grid(net, layer, size=self.size, steps=self.steps)


@dataclass(frozen=True)
class Icon:
    """A picture as WebP, None where there is none, and "ok" or why there is none."""

    image: bytes | None
    status: str


def made(  # noqa: PLR0913 - what is positional, how is keyword-only
    net: Network,
    layer: str,
    directions: Floats,
    *,
    icons: Icons,
    pictures: Pictures | None = None,
    seed: int = 0,
    progress: Progress = True,
) -> list[Icon]:
    """An icon of each direction (n, channels); one without length has none.

    Args:
        net: the network.
        layer: the layer.
        directions: one row for each icon.
        icons: how.
        pictures: where attempts are kept and looked for; by default nowhere.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`.

    Raises:
        UnknownLayerError, LayoutError: there is no such layer, or it has no channels that are known.
        KeyboardInterrupt: somebody interrupted; what was finished is kept in ``pictures``.
    """
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    lives = (lengths[:, 0] > 0) & np.isfinite(lengths[:, 0])
    found = [Icon(None, "dead: the mean of its activations is zero")] * len(directions)
    if lives.any():
        wanted = _objectives(net, layer, directions[lives] / lengths[lives], power=icons.cossim_power)
        recipe = icons.recipe(net, layer)
        tried = drawn(net, wanted * icons.attempts, recipe, cache=pictures, seed=seed, progress=progress)
        scores = tried.scores if icons.attempts == 1 else _scores(net, wanted, tried.images, known=tried.scores)
        best = _best(scores.view(icons.attempts, len(wanted)))
        for place, attempt, number in zip(np.flatnonzero(lives), best, range(len(wanted)), strict=True):
            row = attempt * len(wanted) + number
            found[place] = _icon(tried.images[row], float(scores[row]), icons.quality)
    return found


def _objectives(net: Network, layer: str, directions: Floats, *, power: float) -> list[TensorDirection]:
    """Each direction as one position of the layer, which is compared with the middle of a layer of any size."""
    shape = tuple(-1 if axis == "C" else 1 for axis in net.layer(layer).layout[1:])
    rounded = (torch.from_numpy(directions) * _LEVELS).round() / _LEVELS
    targets = [FrozenArray.of(row.reshape(shape)) for row in rounded]
    return [TensorDirection(layer, target, cossim_power=power) for target in targets]


def _best(scores: Float[Tensor, "attempts n"]) -> list[int]:
    """The attempt of the highest score for each icon; one without a score is the worst."""
    return scores.nan_to_num(nan=-torch.inf, neginf=-torch.inf).argmax(0).tolist()


@torch.no_grad()
def _scores(
    net: Network, wanted: Sequence[Objective], images: Float[Tensor, "m c h w"], *, known: Float[Tensor, " m"]
) -> Float[Tensor, " m"]:
    """How well each picture fits, as large as it is; for a network that takes one size only, what is known of it at
    that size.
    """
    if not net.any_size:
        return known
    targets = list(wanted) * (len(images) // len(wanted))
    device = net.device
    layers = sorted(compile_objectives(wanted[:1], net).layers)
    with torch.inference_mode(False), prepare(net, layers, device=device) as forward:
        parts = [
            compile_objectives(targets[start : start + _BATCH], net)(Scene(part, forward(part), 1))
            for start, part in zip(range(0, len(images), _BATCH), images.to(device).split(_BATCH), strict=True)
        ]
    return torch.cat(parts).cpu()


def _icon(image: Float[Tensor, "c h w"], score: float, quality: int | None) -> Icon:
    if not np.isfinite(score):
        return Icon(None, "not_finite: the picture has no score that is a number")
    pixels = display.to_uint8(image)
    return Icon(encode_webp(pixels if pixels.ndim == 3 else pixels[:, :, None], quality=quality), "ok")
