"""Beyond the one most exciting input: the least exciting one, and several that differ (Walker et al. 2019; Cadena et
al. 2018; featurevis). For several that differ above a floor see :mod:`phosphene.recipes.dei`.
"""

from __future__ import annotations

from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.errors import ArgumentError, ParameterError
from phosphene.models.network import Network
from phosphene.objectives import Objective, Similarity
from phosphene.recipes.mei import mei
from phosphene.recipes.method import Method
from phosphene.render import Recipe, Result, render
from phosphene.render.progress import Progress


def least_exciting(
    net: Network, unit: Objective, *, recipe: Recipe | None = None, seed: int = 0, progress: Progress = True
) -> Result:
    """The image that drives a unit least, which shows what inhibits it (featurevis' negated objective; ``inhibitory``).

    A unit behind a ReLU cannot fall below 0 and has no slope there; choose the layer before it.

    Args:
        net: the network, or an ensemble.
        unit: the unit.
        recipe: how; by default :func:`phosphene.recipes.mei` at the network's input size.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`.

    Raises:
        ArgumentError: something that is no unit.
    """
    check_unit(unit)
    return render(net, -unit, recipe=_recipe(net, recipe), seed=seed, progress=progress)


def diverse_exciting(  # noqa: PLR0913 - an entry point, keyword-only
    net: Network,
    unit: Objective,
    *,
    n: int = 5,
    weight: float = 10.0,
    mask: object | None = None,
    layer: str | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
    progress: Progress = True,
) -> Result:
    """Several exciting inputs that differ: each climbs the unit less ``weight`` times its correlation with the one most
    like it (featurevis' diverse inputs).

    The weight of 10 sets a correlation against a response in spikes; for units of other sizes take about the response
    that the most exciting input brings, or :func:`dei`, which measures it.

    Args:
        net: the network, or an ensemble.
        unit: what all images excite.
        n: number of images.
        weight: how much they must differ, from 0.
        mask: (h, w) in [0, 1]: where they must differ; by default everywhere.
        layer: the layer whose answers must differ, such as one of VGG-19 in an ensemble; by default the pixels.
        recipe: how; by default :func:`phosphene.recipes.mei` at the network's input size.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`.

    Raises:
        ParameterError: fewer than two images, a weight below 0, or a mask beside a layer.
        UnknownLayerError: there is no such layer.
        ImageError: a mask of another size than the images.
        ArgumentError: something that is no unit.
    """
    check_request(unit, n)
    check(0 <= weight < float("inf"), "weight", weight, "a number from 0")
    alike = Similarity(mask=None if mask is None else FrozenArray.of(mask), layer=layer)
    return render(net, [unit - weight * alike] * n, recipe=_recipe(net, recipe), seed=seed, progress=progress)


def _recipe(net: Network, recipe: Recipe | None) -> Recipe:
    return mei(*net.input_size, net.n_channels) if recipe is None else recipe


def check_request(unit: object, n: object) -> None:
    """Refuse what cannot be spread over several images.

    Raises:
        ArgumentError: something that is no unit, such as a list of several.
        ParameterError: fewer than two images, or a number that is not whole.
    """
    check_unit(unit)
    if not isinstance(n, int) or isinstance(n, bool) or n < 2:
        raise ParameterError(f"n is {n!r}; expected a whole number, at least 2 images, which can differ")


def check_unit(unit: object) -> None:
    """Refuse what is no unit.

    Raises:
        ArgumentError: such as a list of several.
    """
    if not isinstance(unit, Objective):
        raise ArgumentError(f"unit is {unit!r:.80}; expected one, such as ph.Neuron('blocks.8', 7), or a sum")


METHODS = (
    Method(
        "least_exciting",
        least_exciting,
        "Walker, Sinz, Cobos and others, Nature Neuroscience; cajal/featurevis",
        2019,
        start="network",
        follows=("walker2019inception", "cobos2019featurevis"),
    ),
    Method(
        "diverse_exciting",
        diverse_exciting,
        "Cadena, Weis, Gatys, Bethge and Ecker, ECCV; cajal/featurevis",
        2018,
        start="network",
        follows=("cadena2018diverse", "cobos2019featurevis"),
    ),
)
