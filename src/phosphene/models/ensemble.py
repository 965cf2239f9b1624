"""Several networks as one: a unit is then a mean over models, or a difference between them (featurevis' ``Ensemble``;
``EnsembleModel`` and ``ContrastiveOutputModel`` of sinzlab/mei).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, Final, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from phosphene._algebra import Objective, mean
from phosphene._types import JSON
from phosphene.errors import ArgumentError, NetworkError
from phosphene.models.capture import first_tensor
from phosphene.models.network import Network

#: Fields by which objectives name the layers that they read.
_LAYER_FIELDS: Final = ("layer", "layers")


def ensemble(networks: Sequence[Network], *, input_size: tuple[int, int] | None = None) -> Network:
    """One network of several, each of which sees the same image in its own way: its size, its normalisation, its order
    of colours.

    Layers carry the number of their network: ``"0.blocks.8"`` is ``"blocks.8"`` of the first. The output, layer ``""``,
    is the mean of the networks' outputs where these have one shape; else there is none. Images are in [0, 1], so
    ``net.mean`` is 0 and ``net.std`` 1.

    A mean over models, which is less likely to please one model's faults: :func:`in_every`, or
    ``ph.Logit("cup")``, which reads the mean output. A contrast between them:
    ``ph.Channel("0.blocks.8", 7) - 0.5 * ph.Channel("1.layer3", 2)``.

    Args:
        networks: the networks, each with a module of its own and as many input channels.
        input_size: height and width in pixels; by default the first network's. The others see the image enlarged or
            shrunk so that all see the same field.

    Raises:
        ArgumentError: ``networks`` holds something that is no network.
        NetworkError: none is given, one is given twice, or their input channels differ.
    """
    members = tuple(networks)
    for member in members:
        if not isinstance(member, Network):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(f"an ensemble is made of networks from ph.load or ph.wrap; got {type(member).__name__}")
    if not members:
        raise NetworkError("an ensemble of no networks is not defined; give at least one")
    if len({id(member.module) for member in members}) < len(members):
        raise NetworkError("a network is in the ensemble twice; give each module once, and weigh the objective instead")
    channels = [member.n_channels for member in members]
    if len(set(channels)) > 1:
        raise NetworkError(f"the networks take images of {channels} channels; an ensemble's must agree")
    size = members[0].input_size if input_size is None else (int(input_size[0]), int(input_size[1]))
    labels = {member.labels for member in members}
    sources: list[JSON] = [dict(member.source) for member in members]
    return Network(
        module=Ensemble(members, size),
        name=f"ensemble of {', '.join(member.name for member in members)}",
        input_size=size,
        n_channels=channels[0],
        mean=(0.0,) * channels[0],
        std=(1.0,) * channels[0],
        value_range=(0.0, 1.0),
        channel_order="RGB",
        labels=labels.pop() if len(labels) == 1 else (),
        source={"kind": "ensemble", "members": sources, "input_size": list(size)},
    )


class Ensemble(nn.Module):
    """The module of an :func:`ensemble`; its children are the networks' own modules, called "0", "1" and so on.

    Args:
        members: the networks.
        input_size: height and width of the images that it is made for.
    """

    _scale: Tensor
    _shift: Tensor

    def __init__(self, members: Sequence[Network], input_size: tuple[int, int]) -> None:
        super().__init__()
        for number, member in enumerate(members):
            self.add_module(str(number), member.module)
        self._input_size = input_size
        self._sizes = tuple(member.input_size for member in members)
        self._reversed = tuple(member.channel_order == "BGR" for member in members)
        # Where the weights are: a network of its own may lie on another device than the first.
        weight = next(self.parameters(), torch.empty(0))
        pairs = [member.normalisation(weight.device, torch.float64) for member in members]
        for name, values in zip(("_scale", "_shift"), zip(*pairs, strict=True), strict=True):
            # A row each: whoever makes a network channels last would stumble over five axes.
            rows = torch.stack(values).flatten(1)
            self.register_buffer(name, rows.to(weight.dtype), persistent=False)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Tensor | None:
        """The mean output for images in [0, 1], differentiable; None where the outputs' shapes differ."""
        outputs = [
            first_tensor(self.get_submodule(str(number))(self._seen(number, images)))
            for number in range(len(self._sizes))
        ]
        found = [output for output in outputs if output is not None]
        if len(found) < len(outputs) or len({tuple(output.shape) for output in found}) > 1:
            return None
        return torch.stack(found).mean(0)

    def _seen(self, number: int, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c p q"]:
        """The images as one of the networks expects them."""
        size = tuple(
            round(n * own / whole)
            for n, own, whole in zip(images.shape[2:], self._sizes[number], self._input_size, strict=True)
        )
        if size != tuple(images.shape[2:]):
            images = F.interpolate(images, size, mode="bilinear", align_corners=False, antialias=True)
        images = images.flip(1) if self._reversed[number] else images
        shift, scale = (rows[number].to(images).view(1, -1, 1, 1) for rows in (self._shift, self._scale))
        return torch.addcmul(shift, images, scale)


def in_every(net: Network, objective: Objective) -> Objective:
    """The mean of an objective over the networks of an ensemble, such as one channel of a layer that all of them have.

    >>> from phosphene.units import Channel
    >>> nets = [Network(nn.Conv2d(1, 2, 1), "n", (4, 4), 1, (0.0,), (1.0,), (0.0, 1.0), "RGB", (), {}) for _ in "ab"]
    >>> str(in_every(ensemble(nets), Channel("blocks.8", 7)))
    '0.5·(0.blocks.8:7 + 1.blocks.8:7)'

    Args:
        net: an :func:`ensemble`.
        objective: any objective that names its layers as they are called in each network; ``""`` is a network's output.

    Raises:
        ArgumentError: the network is no ensemble, or the objective names no layer. Classes, such as ``ph.Logit``, read
            the ensemble's mean output as they are.
    """
    if not isinstance(net.module, Ensemble):
        raise ArgumentError(f"{net.name} is no ensemble; make one with ensemble([net, …])")
    n = len(list(net.module.children()))
    copies = [_addressed(objective, str(number)) for number in range(n)]
    if copies[0] == objective:
        raise ArgumentError(f"{objective} names no layer that could be looked for in every network; use it as it is")
    return mean(cast("list[Objective]", copies))


def _addressed(value: Any, network: str) -> Any:
    """A value with the layers of one network, all the way down."""
    if isinstance(value, tuple):
        return tuple(_addressed(item, network) for item in cast("tuple[Any, ...]", value))
    if not isinstance(value, Objective):
        return value
    changes: dict[str, Any] = {}
    for field in fields(value):
        old = getattr(value, field.name)
        new = _prefixed(old, network) if field.name in _LAYER_FIELDS else _addressed(old, network)
        if new != old:
            changes[field.name] = new
    return replace(value, **changes) if changes else value


def _prefixed(layers: str | tuple[str, ...] | None, network: str) -> str | tuple[str, ...] | None:
    if layers is None:
        return None
    if isinstance(layers, tuple):
        return tuple(f"{network}.{layer}".rstrip(".") for layer in layers)
    return f"{network}.{layers}".rstrip(".")
