"""A network as phosphene sees it: the caller's module, and what one must know to show it an image."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene._types import JSON
from phosphene.errors import ArgumentError, NetworkError, UnitRangeError, UnknownLayerError
from phosphene.models.capture import first_tensor, named_modules, unknown_layer_message
from phosphene.models.guard import evaluating
from phosphene.models.labels import find_class
from phosphene.models.probe import LayerShape, probe

ChannelOrder = Literal["RGB", "BGR"]


@dataclass(frozen=True, eq=False)
class Network:
    """A vision network and how images are fed to it; made by ``load`` and ``wrap``.

    Attributes:
        module: exactly the caller's module; never changed.
        name: what ``load`` was called with, or the class of a wrapped module.
        input_size: height and width in pixels that it was made for.
        n_channels: number of its input channels.
        mean: per channel, in units of ``value_range``, subtracted first.
        std: per channel, in units of ``value_range``, divided by then.
        value_range: what image values 0 and 1 become before normalisation, such as (0, 255).
        channel_order: order of colours that the module expects; images are always RGB.
        labels: class names by index; empty when unknown.
        source: JSON values that say how to load it again.
    """

    module: nn.Module
    name: str
    input_size: tuple[int, int]
    n_channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    value_range: tuple[float, float]
    channel_order: ChannelOrder
    labels: tuple[str, ...]
    source: Mapping[str, JSON]

    def __repr__(self) -> str:
        height, width = self.input_size
        return f"Network({self.name!r}, {type(self.module).__name__}, input {self.n_channels} × {height} × {width})"

    def preprocess(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Images in [0, 1] as the module expects them; differentiable, on the images' device and in their dtype."""
        scale, shift = self.normalisation(images.device, images.dtype)
        return torch.addcmul(shift, self.in_channel_order(images), scale)

    def in_channel_order(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Images with the colours in the module's order."""
        return images.flip(1) if self.channel_order == "BGR" else images

    def normalisation(
        self, device: torch.device, dtype: torch.dtype
    ) -> tuple[Float[Tensor, "1 c 1 1"], Float[Tensor, "1 c 1 1"]]:
        """Scale and shift: the input is ``image * scale + shift``, which is
        ``(low + image * (high - low) - mean) / std``.
        """
        low, high = self.value_range
        mean, std = (torch.tensor(values, dtype=torch.float64).view(1, -1, 1, 1) for values in (self.mean, self.std))
        return ((high - low) / std).to(device, dtype), ((low - mean) / std).to(device, dtype)

    def __call__(self, images: Float[Tensor, "n c h w"]) -> Tensor:
        """The network's output for images in [0, 1]: eval mode, no gradient, the module left as found.

        Raises:
            NetworkError: the output holds no tensor.
        """
        with evaluating(self.module), torch.no_grad():
            output = first_tensor(self.module(self.preprocess(images)))
        if output is None:
            raise NetworkError(f"{self.name} put out no tensor; wrap a module that returns one")
        return output

    def class_index(self, class_: int | str) -> int:
        """The index of a class given by index or by name (its label or any WordNet synonym, in any case).

        Raises:
            UnknownClassError: no class, or more than one, has that name.
            UnitRangeError: the index is beyond the last class.
            ArgumentError: ``class_`` is neither.
        """
        if isinstance(class_, str):
            return find_class(class_, self.labels)
        if isinstance(class_, bool) or not isinstance(class_, int):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(f"a class is a name or an index, got {type(class_).__name__}")
        n_classes = len(self.labels) or self.layer(self.output_layer).n_channels
        if not 0 <= class_ < n_classes:
            raise UnitRangeError(
                f"class {class_} was asked for, but {self.name} has {n_classes} classes: use 0 to {n_classes - 1}"
            )
        return class_

    @cached_property
    def _probe(self) -> tuple[dict[str, LayerShape], str]:
        weight = next(self.module.parameters(), torch.empty(0))
        images = torch.full((1, self.n_channels, *self.input_size), 0.5, device=weight.device)
        return probe(self.module, self.preprocess(images).to(weight.dtype))

    @cached_property
    def shapes(self) -> Mapping[str, LayerShape]:
        """Every layer that puts out a tensor, in execution order (a layer follows those inside it); one forward pass,
        then kept.

        Raises:
            NetworkError: the module cannot process an image of ``input_size``.
        """
        return {name: shape for name, shape in self._probe[0].items() if name}

    @property
    def device(self) -> torch.device:
        """Where its parameters are, the first of them if they are in several places; the CPU if it has none."""
        return next((p.device for p in self.module.parameters()), torch.device("cpu"))

    @property
    def output_layer(self) -> str:
        """Name of the layer whose output is the network's output; ``""``, the whole network, where no layer's is."""
        return self._probe[1]

    def layer(self, name: str) -> LayerShape:
        """What the layer called ``name`` puts out; ``""`` is the whole network.

        Raises:
            UnknownLayerError: no such layer; the message names the nearest.
            NetworkError: the layer exists but never runs, or puts out no tensor.
        """
        shapes = self._probe[0]
        if name in shapes:
            return shapes[name]
        if name in named_modules(self.module):
            inside = [key for key in shapes if key.startswith(name + ".")][:3]
            hint = (
                f"look at what is inside, such as {', '.join(inside)}"
                if inside
                else "choose one listed by ph.layers(net)"
            )
            raise NetworkError(f"layer {name!r} of {self.name} is never called, or puts out no tensor; {hint}")
        raise UnknownLayerError(unknown_layer_message(name, shapes))

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of the weights: names, shapes, dtypes and bytes of the state dict."""
        state = sorted(self.module.state_dict().items())
        digest = hashlib.sha256()
        for name, value in state:
            if isinstance(value, Tensor):  # "extra state" may be any object
                digest.update(f"{name} {tuple(value.shape)} {value.dtype}\n".encode())
                digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    @cached_property
    def any_size(self) -> bool:
        """Whether the network also processes images larger than ``input_size``: tried once."""
        height, width = self.input_size
        weight = next(self.module.parameters(), torch.empty(0))
        images = torch.full((1, self.n_channels, height + 64, width + 32), 0.5, device=weight.device)
        try:
            probe(self.module, self.preprocess(images).to(weight.dtype))
        except NetworkError:
            return False
        return True
