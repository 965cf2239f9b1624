"""Diverse exciting inputs: images that differ as much as a floor under a unit's response allows (Ding et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.errors import ImageError, ParameterError
from phosphene.functional.filters import gaussian_blur, gaussian_radius
from phosphene.functional.norms import sd
from phosphene.models.network import Network
from phosphene.objectives import AtLeast, Objective, Similarity
from phosphene.recipes.mei import mei
from phosphene.recipes.mei_diverse import check_request
from phosphene.recipes.method import Method
from phosphene.recipes.photograph import pixels_of, started_from
from phosphene.render import Recipe, Result, render
from phosphene.render.progress import Progress
from phosphene.transforms import ToInput

#: Noise that tells the images apart at their start, the most exciting input with a share of its own contrast on top; as
#: coarse as what a blurred gradient can take away again, in pixels.
_NOISE, _COARSE = 0.25, 2.0
#: A drawn region's blur, as a share of the image's shorter side, and the contrast inside it over the largest.
_REGION_BLUR, _REGION_SHARE = 1 / 32, 0.2
#: How much a response counts, in units of the most exciting input's, beside a correlation: a hundredth below the floor
#: costs as much as half a correlation.
_STRENGTH = 50.0


@dataclass(frozen=True, eq=False)
class DiverseInputs:
    """Diverse exciting inputs, and what they are measured against.

    Attributes:
        mei: the most exciting input.
        images: the diverse ones; their scores are of what they climbed, responses and differences together.
        responses: the unit's responses to the diverse ones (n,).
        level: the response that each of them should reach: the floor's share of the most exciting input's.
    """

    mei: Result
    images: Result
    responses: Float[Tensor, " n"]
    level: float

    @property
    def shares(self) -> tuple[float, ...]:
        """The diverse inputs' responses over the most exciting input's."""
        return tuple((self.responses / self.mei.final_scores).tolist())

    @property
    def reached(self) -> Bool[Tensor, " n"]:
        """Which of the diverse inputs reach the level, give or take a hundredth of the most exciting response."""
        slack = 0.01 * float(self.mei.final_scores[0])
        return self.responses >= self.level - slack


def dei(  # noqa: PLR0913 - an entry point, keyword-only
    net: Network,
    unit: Objective,
    *,
    n: int = 5,
    floor: float = 0.85,
    mask: object | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
    progress: Progress = True,
) -> DiverseInputs:
    """Diverse exciting inputs: images that differ as much as they can while each still drives the unit well (Ding et
    al. 2023).

    First the most exciting input is made, then ``n`` images together, which start from it with noise of their own:
    below ``floor`` times its response an image climbs the unit, above it moves away from the one most like it, by the
    correlation of pixels. The floor of 0.85 is quoted from memory and not checked against the paper; say it when you
    report. What an invariance leaves free, the images spread over; of a unit without any, they stay alike.

    Args:
        net: the network, or an ensemble.
        unit: what all images excite; its response to the most exciting input must be above 0.
        n: number of images.
        floor: share of the most exciting input's response, above 0, at most 1.
        mask: (h, w) in [0, 1]: where they must differ; by default where the most exciting input is drawn, as elsewhere
            anything differs at no cost.
        recipe: how, at a bounded contrast, so that responses compare; by default :func:`phosphene.recipes.mei` without
            shifts, through which the floor would not be held.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`.

    Raises:
        ParameterError: fewer than two images, a floor out of range, or a unit that nothing excites.
        ImageError: a mask of another size than the images.
        ArgumentError: the recipe's parameterization does not start from images, or something that is no unit.
    """
    check_request(unit, n)
    check(0 < floor <= 1, "floor", floor, "a share of the most exciting input's response, above 0, at most 1")
    how = mei(*net.input_size, net.n_channels, jitter=0) if recipe is None else recipe
    # The floor is a share of the final score, which is taken at the network's input size.
    how = replace(how, transforms=(*how.transforms, ToInput()))
    best_one = render(net, unit, recipe=how, seed=seed, progress=progress)
    best = float(best_one.final_scores[0])
    if not best > 0:
        raise ParameterError(
            f"{unit} answers {best:.3g} to its most exciting input, of which no share can be a floor; "
            "choose a unit that it excites, or add a constant to it"
        )
    region = FrozenArray.of(drawn_region(best_one.images[0]) if mask is None else mask)
    if region.shape != tuple(best_one.images.shape[2:]):
        raise ImageError(f"the mask is {region.shape}, the images are {tuple(best_one.images.shape[2:])}; give (h, w)")
    alike = Similarity(mask=region)
    wanted = _STRENGTH / best * AtLeast(unit, floor * best) - alike
    begun = started_from(how, best_one.images[0])
    start = FrozenArray.of(_around(best_one.images, region.tensor(), n, seed=seed))
    begun = replace(begun, parameterization=replace(begun.parameterization, start=start))
    spread = render(net, [wanted] * n, recipe=begun, seed=seed, progress=progress)
    responses = torch.cat([_response(net, unit, picture.images[0]) for picture in spread])
    return DiverseInputs(best_one, spread, responses, floor * best)


def _response(net: Network, unit: Objective, image: Float[Tensor, "c h w"]) -> Float[Tensor, " 1"]:
    """The unit's response to one finished picture, taken as a render takes its final scores."""
    still = Recipe(parameterization=pixels_of(image), steps=0)
    return render(net, unit, recipe=still, progress=False).final_scores


def drawn_region(image: Float[Tensor, "c h w"]) -> Float[Tensor, "h w"]:
    """Where an exciting input departs from its grey, which is its median: weights in [0, 1] that fade at the edges.

    Args:
        image: the input.
    """
    contrast = (image - image.flatten(1).median(1).values[:, None, None]).abs().mean(0)[None, None]
    sigma = torch.full((1,), max(1.0, min(image.shape[1:]) * _REGION_BLUR))
    coarse = gaussian_blur(contrast, sigma, gaussian_radius(float(sigma)))
    inside = (coarse >= _REGION_SHARE * coarse.max()).to(coarse)
    return gaussian_blur(inside, sigma, gaussian_radius(float(sigma)))[0, 0]


def _around(image: Float[Tensor, "1 c h w"], mask: Tensor, n: int, *, seed: int) -> Float[Tensor, "n c h w"]:
    """An image ``n`` times, each with coarse noise of its own under a mask, in [0, 1]."""
    drawn = torch.randn(n, *image.shape[1:], generator=torch.Generator().manual_seed(seed))
    coarse = gaussian_blur(drawn, torch.full((n,), _COARSE), gaussian_radius(_COARSE))
    strength = _NOISE * sd(image) / sd(coarse)
    return (image + strength[:, None, None, None] * coarse * mask).clamp(0, 1)


METHODS = (
    Method(
        "dei",
        dei,
        "Ding, Tran, Ponder and others, bioRxiv",
        2023,
        start="network",
        follows=("ding2023bipartite", "cadena2018diverse"),
    ),
)
