"""A caller's model, made ready for the engine: its layers by Lucent's names, fed as ``render_vis`` says."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from phosphene._types import JSON
from phosphene.compat.lucent.modelzoo.util import joined
from phosphene.compat.lucent.optvis.transform import IMAGENET_MEAN, IMAGENET_STD, INCEPTION_MEAN
from phosphene.errors import ArgumentError, NetworkError, UnknownLayerError, nearest
from phosphene.models import Network, capture
from phosphene.models.capture import named_modules, unwrap_parallel
from phosphene.models.guard import evaluating
from phosphene.models.wrap import Wrapping, build, own_size
from phosphene.render.batches import out_of_memory

Size = tuple[int, int]


class _Fed(nn.Module):
    """A model that is fed in its own way.

    Attributes:
        model: the caller's.
        size: what images are resized to, for models that take one size only.
        late: whether an error of the model is only warned of: layers before it can be looked at all the same.
    """

    def __init__(self, model: nn.Module, size: Size | None = None, *, late: bool = False) -> None:
        super().__init__()
        self.model, self.size, self.late = model, size, late

    def forward(self, x: Tensor) -> object:
        if self.size is not None and tuple(x.shape[2:]) != self.size:
            x = F.interpolate(x, self.size, mode="bilinear", align_corners=True)
        try:
            return self.model(x)
        except RuntimeError as error:
            if not self.late or out_of_memory(error):
                raise
            return x


@dataclass(frozen=True)
class Names:
    """What the layers of a model are called.

    Attributes:
        paths: the dotted paths of its submodules.
    """

    paths: tuple[str, ...]

    @cached_property
    def _by_name(self) -> Mapping[str, list[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for path in self.paths:
            found[joined(path)].append(path)
        return found

    def path(self, name: str) -> str:
        """The path of the layer called ``name``: its parts joined with ``_`` or ``.``; "labels" is the whole model, "".

        Raises:
            UnknownLayerError: no layer, or several, have that name.
        """
        if name == "labels" or name in self.paths:
            return "" if name == "labels" else name
        found = self._by_name.get(name, [])
        if len(found) == 1:
            return found[0]
        hint = nearest(name, self._by_name) if not found else f"it may be {' or '.join(found)}: give that"
        listed = "phosphene.compat.lucent.modelzoo.util.get_model_layers(model) lists them"
        raise UnknownLayerError(f"the model has no layer {name!r}; {hint or listed}")


def names_of(model: nn.Module) -> Names:
    """The names of a model's layers."""
    return Names(tuple(path for path in named_modules(model) if path))


def inside(path: str) -> str:
    """A path within the model as one within the network that is made of it."""
    return f"model.{path}" if path else "model"


def network(model: nn.Module, views: Tensor, *, preprocess: bool) -> Network:
    """The model as a network for views (m, c, h, w) like these.

    A model that does not take their size, but one of its own, gets them resized to that. One that takes neither, such
    as a small network whose last layers were made for smaller images, can be used up to the layer that fails; a warning
    says so.

    Raises:
        ArgumentError: the images have no three channels to be normalised by ImageNet's means.
    """
    how = _how(model, views.shape[1], preprocess=preprocess)
    own, seen = own_size(model), (views.shape[2], views.shape[3])
    own = (own, own) if isinstance(own, int) else (own[0], own[1])
    module = unwrap_parallel(model)
    as_seen = _built(_Fed(module), seen, how)
    failed = _failure(as_seen)
    if failed is None:
        return as_seen if as_seen.any_size else _built(_Fed(module, seen), seen, how)
    resizing = _built(_Fed(module, own), own, how)
    if _failure(resizing) is None:
        return resizing
    warnings.warn(
        f"{type(module).__name__} fails on views of {seen[0]} × {seen[1]} pixels, so only layers before that can be "
        f"used: {failed}",
        UserWarning,
        stacklevel=4,
    )
    return _built(_Fed(module, late=True), seen, how)


def _built(fed: _Fed, size: Size, how: Wrapping) -> Network:
    kind = type(fed.model)
    sized = how.copy()
    sized["input_size"] = size
    source: Mapping[str, JSON] = {"kind": "wrapped", "class": f"{kind.__module__}.{kind.__qualname__}"}
    return build(fed, name=kind.__name__, source=source, how=sized)


def _failure(net: Network) -> NetworkError | None:
    try:
        _ = net.shapes
    except NetworkError as error:
        return error
    return None


def _how(model: nn.Module, n_channels: int, *, preprocess: bool) -> Wrapping:
    if not preprocess:
        return {"mean": 0.0, "std": 1.0, "n_channels": n_channels}
    if type(model).__name__ == "InceptionV1":
        return {"mean": INCEPTION_MEAN, "std": 1.0, "value_range": (0, 255), "n_channels": n_channels}
    if n_channels != len(IMAGENET_MEAN):
        raise ArgumentError(
            f"views have {n_channels} channels, which ImageNet's means of three do not fit; give preprocess=False and "
            "the model's own normalisation as the last of the transforms"
        )
    return {"mean": IMAGENET_MEAN, "std": IMAGENET_STD, "n_channels": n_channels}


class Trial:
    """``T`` without gradients, which runs the network anew for each layer and notes what was asked for.

    Attributes:
        asked: the paths of the layers, in the order in which they were first asked for.
    """

    def __init__(self, net: Network, names: Names, image: Tensor, views: Tensor) -> None:
        self._net, self._names, self._image, self._views = net, names, image, views
        self.asked: dict[str, Tensor] = {}

    def __call__(self, layer: str) -> Tensor:
        if layer == "input":
            return self._image
        path = self._names.path(layer)
        if path not in self.asked:
            self.asked[path] = self._answer(inside(path))
        return self.asked[path]

    @torch.no_grad()
    def _answer(self, layer: str) -> Tensor:
        weight = next(self._net.module.parameters(), self._views)
        with evaluating(self._net.module), capture(self._net.module, [layer]) as captured:
            self._net.module(self._net.preprocess(self._views).to(weight))
            return captured[layer].to(self._views)
