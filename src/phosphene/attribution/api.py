"""One door to every method of attribution."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.attribution.asking import asking
from phosphene.attribution.attribution import Attribution
from phosphene.attribution.cams import GradCAM, GuidedGradCAM, LayerCAM, ScoreCAM
from phosphene.attribution.default_layer import default_layer
from phosphene.attribution.gradients import (
    Deconvolution,
    GuidedBackprop,
    InputXGradient,
    IntegratedGradients,
    Saliency,
    SmoothGrad,
)
from phosphene.attribution.lrp import LRP
from phosphene.attribution.method import Method
from phosphene.attribution.occlusion import Occlusion
from phosphene.attribution.targets import as_target
from phosphene.errors import ArgumentError, ImageError, ParameterError, nearest
from phosphene.models.network import Network
from phosphene.recipes.seeing import fitted_photograph
from phosphene.render.run import usable_device

#: The methods by name, with their default parameters.
METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "saliency": Saliency(),
        "guided_backprop": GuidedBackprop(),
        "deconvolution": Deconvolution(),
        "input_x_gradient": InputXGradient(),
        "integrated_gradients": IntegratedGradients(),
        "smooth_grad": SmoothGrad(),
        "lrp": LRP(),
        "occlusion": Occlusion(),
        "grad_cam": GradCAM(),
        "guided_grad_cam": GuidedGradCAM(),
        "score_cam": ScoreCAM(),
        "layer_cam": LayerCAM(),
    }
)


def attribute(  # noqa: PLR0913 - a door: what is positional, how is keyword-only
    net: Network,
    image: object,
    target: object,
    *,
    method: str | Method = "grad_cam",
    layer: str | None = None,
    baseline: object = None,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> Attribution:
    """How much each pixel of an image counts for a target: a class, or any unit or expression of units.

    The score's gradient is taken in the image in [0, 1], through the network's own preprocessing. The network is left
    as it was; libraries work on a copy.

    Args:
        net: the network.
        image: (c, h, w) in [0, 1]; its middle at the network's input size is what is seen.
        target: a class by number or name, or an objective such as ``ph.Channel("blocks.8", 7)``.
        method: a name of :data:`METHODS`, or a method with its parameters, such as
            ``ph.attribution.SmoothGrad(n=20, noise=0.1)``.
        layer: whose maps are weighed, for the methods that read a layer; by default the deepest with positions before
            the target.
        baseline: an image (c, h, w) that shows nothing, a colour (c,) or a number, for the methods that compare with
            one; by default the network's mean colour, which is 0 after its preprocessing.
        seed: of the methods that draw.
        device: where to compute; by default where the network is.

    Raises:
        ImageError: no image, or another number of channels than the network's.
        UnknownClassError, UnknownLayerError, UnitRangeError, LayoutError: the target or layer does not fit the network,
            or the layer has no positions or does not lie before the target.
        ParameterError: no such method or device, a parameter out of range, or a target that is the same for every
            image.
        NetworkError: the method means nothing on this network, such as guided backpropagation without a ReLU.
        MissingExtraError: the method's library is not installed, or cannot be imported.
    """
    how, objective = find_method(method), as_target(net, target)
    check(type(seed) is int and seed >= 0, "seed", seed, "a whole number from 0")
    check(layer is None or how.needs_layer, "layer", layer, f"None for {how.kind()}, which reads pixels alone")
    where = _place(net) if device is None else usable_device(device)
    # Gradients are this function's own business, whatever mode it is called in.
    with torch.inference_mode(False), torch.enable_grad():
        seen, below = fitted_photograph(net, image).tensor(), _baseline(net, baseline)
        if how.needs_layer and layer is None:
            layer = default_layer(net, objective, seen, device=where)
        with asking(net, objective, seen.clone(), baseline=below, layer=layer, device=where) as asked:
            answer, score = how.answer(asked.seeded(seed)), float(asked.score(asked.image).detach())
    found = None if answer.map is None else _first(answer.map)
    return Attribution(_first(answer.values), found, seen, objective, how, layer, score, answer.delta, net.name)


def find_method(method: str | Method) -> Method:
    """A method by name, or as it is.

    Raises:
        ParameterError: no such name; the message has the nearest.
        ArgumentError: neither a name nor a method.
    """
    if isinstance(method, Method):
        return method
    if not isinstance(method, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(f"a method is a name or a value such as ph.attribution.GradCAM(); got {method!r}")
    if method not in METHODS:
        hint = nearest(method, METHODS)
        raise ParameterError(f"there is no method {method!r}; {hint + ' ' if hint else ''}All: {', '.join(METHODS)}")
    return METHODS[method]


def _place(net: Network) -> torch.device:
    """Where the network is."""
    return net.device


def _baseline(net: Network, baseline: object) -> Float[Tensor, "c h w"]:
    """An image that shows nothing, at the network's input size."""
    shape = (net.n_channels, *net.input_size)
    if baseline is None:
        scale, shift = net.normalisation(torch.device("cpu"), torch.float64)
        return net.in_channel_order(-shift / scale)[0].float().expand(shape).contiguous()
    given = FrozenArray.of(baseline).tensor()
    if tuple(given.shape) not in ((1,), shape[:1], shape):  # a number is frozen as an array of one
        raise ImageError(f"the baseline has shape {tuple(given.shape)}; expected a number, {shape[:1]} or {shape}")
    return (given[:, None, None] if given.ndim == 1 else given).expand(shape).contiguous()


def _first(maps: Float[Tensor, "n k h w"]) -> Float[Tensor, "k h w"]:
    """The only map of a batch, float32 on the CPU."""
    return maps.detach().to("cpu", torch.float32)[0].clone()
