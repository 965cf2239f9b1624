"""The receptive field of a unit, mapped by its gradients: where it looks, how strongly, and stimuli placed there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.errors import ArgumentError, ImageError, ParameterError
from phosphene.models.network import Network
from phosphene.models.prepare import ForwardPass, prepare
from phosphene.objectives import Objective, Scene, Scorer, compile_objectives
from phosphene.recipes.field_map import FieldMap


def receptive_field(  # noqa: PLR0913 - an entry point, keyword-only
    net: Network,
    unit: Objective | Sequence[Objective],
    *,
    weights: Sequence[float] | None = None,
    images: Float[Tensor, "n c h w"] | None = None,
    n_images: int = 200,
    seed: int = 0,
    batch_size: int = 20,
    device: torch.device | str | None = None,
) -> FieldMap:
    """Where a unit looks: the mean absolute slope of its response in every pixel, over uniform noise or given images.

    Of several units, a population, it is the weighted mean of their maps, which do not cancel as the slopes of a sum of
    the units would. Any objective has a field, but only one at a place, such as ``ph.Neuron(layer, 7, (3, 4))``, has a
    small one. Tokens of a transformer have one as well, ``ph.Neuron(layer, 7, (token,))``: a patch before the first
    attention, and after it the whole image, as every token sees every other; its Gaussian then tells where the token
    looks most. A unit of a layer without positions sees the whole image.

    The slope is taken in the image in [0, 1], through the network's own normalisation. A unit behind a ReLU has none
    on images that leave it silent.

    Args:
        net: the network, or an ensemble.
        unit: the unit, or several.
        weights: one for each unit; by default all are alike. Their sum is divided by, so they are shares.
        images: what the network is shown, in [0, 1], at its input size; by default noise.
        n_images: number of noise images, each value uniform in [0, 1].
        seed: of the noise.
        batch_size: images at once.
        device: where to compute; by default where the network is.

    Raises:
        UnknownLayerError, UnitRangeError, LayoutError: a unit does not fit the network; a position in a layer without
            positions is one.
        ImageError: images of another shape, or with values that are not finite or not in [0, 1].
        ParameterError: a number out of range, weights that do not fit the units, or a unit that scores images by their
            company.
        ArgumentError: something that is no unit.
    """
    units = _units(unit)
    shares = _shares(weights, len(units))
    check(type(batch_size) is int and batch_size >= 1, "batch_size", batch_size, "a whole number from 1")
    shown = _noise(net, n_images, seed) if images is None else _given(net, images)
    # The slopes are this function's own business, whatever mode it is called in.
    with torch.inference_mode(False), torch.enable_grad():
        total = _summed(net, units, shares, images=shown.split(batch_size), device=device)
    return FieldMap(total / len(shown))


def _summed(
    net: Network,
    units: Sequence[Objective],
    shares: Sequence[float],
    *,
    images: Iterable[Tensor],
    device: torch.device | str | None,
) -> Float[Tensor, "h w"]:
    """Weighted absolute slopes of all units, summed over batches of images."""
    layers = sorted(frozenset[str]().union(*(compile_objectives([one], net).layers for one in units)))
    own = net.device
    where = torch.device(own if device is None else device)
    total = torch.zeros(net.input_size, dtype=torch.float64)
    with prepare(net, layers, device=where) as forward:
        for batch in images:
            scorers = [compile_objectives([one] * len(batch), net) for one in units]
            total += _slopes(forward, batch.to(where, torch.float32), zip(scorers, shares, strict=True))
    return total


def _slopes(
    forward: ForwardPass, images: Float[Tensor, "n c h w"], scorers: Iterable[tuple[Scorer, float]]
) -> Float[Tensor, "h w"]:
    """Weighted absolute slopes, summed over images and averaged over colours, float64 on the CPU."""
    leaf = images.detach().clone().requires_grad_()
    activations = forward(leaf)
    total = torch.zeros(leaf.shape[2:], dtype=torch.float64)
    for scorer, share in scorers:
        # An image's response does not depend on the others', so the slope of their sum is each one's own.
        response = scorer(Scene(leaf, activations, 1)).sum()
        if not response.requires_grad:
            continue
        (slope,) = torch.autograd.grad(response, leaf, retain_graph=True, allow_unused=True, materialize_grads=True)
        total += share * slope.abs().double().sum(0).mean(0).cpu()
    return total


def _units(unit: object) -> list[Objective]:
    units = list(unit) if isinstance(unit, Iterable) and not isinstance(unit, str) else [unit]
    found = [one for one in units if isinstance(one, Objective)]
    if not found or len(found) < len(units):
        raise ArgumentError(f"expected a unit such as ph.Neuron('blocks.8', 7), or several; got {unit!r}")
    for one in found:
        if one.coupled:
            raise ParameterError(f"{one} scores images by their company; a field is of what scores each on its own")
    return found


def _shares(weights: Sequence[float] | None, n: int) -> list[float]:
    """Weights of ``n`` units that sum to 1."""
    given = [1.0] * n if weights is None else [float(weight) for weight in weights]
    fits = len(given) == n and all(0 <= weight < float("inf") for weight in given) and sum(given) > 0
    check(fits, "weights", given, f"one from 0 for each of {n} units, not all of them 0")
    return [weight / sum(given) for weight in given]


def _noise(net: Network, n: int, seed: int) -> Float[Tensor, "n c h w"]:
    check(type(n) is int and 1 <= n <= 10**6, "n_images", n, "a whole number from 1 to 1000000")
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, net.n_channels, *net.input_size, generator=generator)


def _given(net: Network, images: object) -> Float[Tensor, "n c h w"]:
    shape = (net.n_channels, *net.input_size)
    if not isinstance(images, Tensor) or not images.is_floating_point():
        found = str(images.dtype) if isinstance(images, Tensor) else type(images).__name__
        raise ImageError(f"images are {found}; expected a tensor of floating point numbers in [0, 1]")
    if images.ndim != 4 or images.shape[0] == 0 or tuple(images.shape[1:]) != shape:
        raise ImageError(f"images have shape {tuple(images.shape)}; expected (n, {', '.join(map(str, shape))})")
    if not bool(torch.isfinite(images).all()):
        raise ImageError("images hold values that are not finite; expected values in [0, 1]")
    low, high = float(images.min()), float(images.max())
    if low < 0 or high > 1:
        raise ImageError(f"images have values from {low:.3g} to {high:.3g}; expected numbers in [0, 1]")
    return images
