"""Inverted image representations of the CNN-visualization zoo (Ozbulak 2019, after Mahendran and Vedaldi 2015)."""

from __future__ import annotations

from phosphene._types import FrozenArray
from phosphene.models.network import Network
from phosphene.objectives import InvertedRepresentation
from phosphene.optimizers import SGD, Steps
from phosphene.recipes.method import Method
from phosphene.recipes.normalized import normalized_pixels, statistics
from phosphene.recipes.photograph import photograph
from phosphene.recipes.seeing import activation_of, fitted_photograph
from phosphene.regularizers import AlphaNorm, TotalVariation
from phosphene.render import Recipe, Result, render
from phosphene.render.progress import Progress

#: The rate that the run-function takes: at the published 1e4 the bundled network's blocks.5 went to infinity within six
#: steps in one of two trials, at this blocks.1, 3, 5, 8 and 10 all settled.
_STEADY_LR = 3e3
#: Weights of the zoo: of the distance between features, of the α-norm, of the total variation.
_FEATURES, _ALPHA, _VARIATION = 0.1, 1e-7, 1e-8


def inverted_representation_recipe(image: object, *, lr: float = 1e4) -> Recipe:
    """How an image is found that a layer takes for a given one: from faint noise, under an α-norm and a total
    variation.

    The image's size and channels are what this takes from it; what is to be matched is the objective's business, see
    :func:`inverted_representation`.

    Args:
        image: the photograph, (c, h, w) in [0, 1].
        lr: learning rate of the first step; a tenth of it for the next 40 steps, a hundredth for the 40 after, and so
            on. The published rate is for AlexNet at 224 × 224. The distance between features is relative, so its
            gradient in a pixel falls as the number of pixels grows: smaller images and networks that amplify single
            patterns need a smaller rate.

    Raises:
        ImageError: no image (c, h, w) in [0, 1].
        ArgumentError: no array of numbers.
    """
    channels, height, width = photograph(image).shape
    mean, std = statistics(channels)
    alpha = AlphaNorm(alpha=6.0, center=mean, scale=std)
    variation = TotalVariation(isotropic=True, beta=2.0, scale=std)
    return Recipe(
        name="inverted_representation",
        follows=("mahendran2015understanding", "ozbulak2019visualizations"),
        parameterization=normalized_pixels(height, width, channels, sd=0.1),
        optimizer=SGD(lr=lr, momentum=0.9, schedule=Steps(40, 0.1, ahead=39)),
        steps=201,
        regularizer=-_ALPHA * alpha + -_VARIATION * variation,
    )


def inverted_representation(
    net: Network,
    image: object,
    layer: str,
    *,
    recipe: Recipe | None = None,
    seed: int = 0,
    progress: Progress = True,
) -> Result:
    """What a layer keeps of a photograph: the image, found from noise, whose features there are the photograph's.

    Climbs ``-0.1 ‖f - f₀‖² / ‖f₀‖² - 10⁻⁷ Σ x⁶ - 10⁻⁸ Σ (Δ_row x)² + (Δ_column x)²`` with x the normalised image. The
    published program takes differences over channels and rows, never over columns; here they are over rows and columns.
    It squeezes the photograph to a square; here its middle is cut out at the network's input size.

    Args:
        net: the network.
        image: the photograph, (c, h, w) in [0, 1].
        layer: the layer's name.
        recipe: how; by default :func:`inverted_representation_recipe` with a learning rate of 3000, at which the
            bundled network settles; the published 10,000 is for AlexNet.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`.

    Raises:
        ImageError: no image (c, h, w) in [0, 1], or another number of channels than the network's.
        UnknownLayerError: no such layer.
        ParameterError: the layer answers with zeros only.
    """
    photo = fitted_photograph(net, image)
    wanted = activation_of(net, photo, layer)
    how = inverted_representation_recipe(photo, lr=_STEADY_LR) if recipe is None else recipe
    objective = -InvertedRepresentation(layer, FrozenArray.of(wanted), weight=_FEATURES)
    return render(net, objective, recipe=how, seed=seed, progress=progress)


METHODS = (
    Method(
        "inverted_representation",
        inverted_representation_recipe,
        "Ozbulak, utkuozbulak/pytorch-cnn-visualizations, after Mahendran and Vedaldi",
        2019,
        start="photograph",
    ),
)
