"""Lucent's ``hook_model``: layers by their names, for as long as somebody holds on to them."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import ExitStack

from torch import Tensor, nn

from phosphene.compat.lucent.optvis._network import names_of
from phosphene.models import capture


class ModelHook:
    """``T``: what each layer put out in the model's last forward pass, with gradients.

    Its hooks are gone when it is closed, when its ``with`` block ends, or when nobody holds it any more; Lucent's stay.

    Args:
        model: the network.
        image_f: gives the image, which is ``T("input")``.
    """

    def __init__(self, model: nn.Module, image_f: Callable[[], Tensor] | None = None) -> None:
        self._image_f, self._names = image_f, names_of(model)
        stack = ExitStack()
        self._captured = stack.enter_context(capture(model, ["", *self._names.paths]))
        self._finalizer = weakref.finalize(self, stack.close)

    def __call__(self, layer: str) -> Tensor:
        """What the layer put out; "input" is the image, "labels" the model's output.

        Raises:
            UnknownLayerError: the model has no such layer.
            NetworkError: the layer has not run.
        """
        if layer == "input" and self._image_f is not None:
            return self._image_f()
        return self._captured[self._names.path(layer)]

    def __enter__(self) -> ModelHook:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the hooks away; what was seen stays."""
        self._finalizer()


def hook_model(model: nn.Module, image_f: Callable[[], Tensor]) -> ModelHook:
    """``T`` of a model for the forward passes that follow."""
    return ModelHook(model, image_f)
