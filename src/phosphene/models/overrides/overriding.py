"""While a block lasts, the operations of a network have other gradients."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from phosphene.models.overrides.base import Override, Pooling, Rectifier

#: Names of a max-pool's arguments after the first.
_POOL_OPTIONS = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
#: What a call asks for; None if it is nothing that overrides know, such as a clamp to other bounds.
_Reader = Callable[..., Rectifier | Pooling | None]


@contextmanager
def overriding(*overrides: Override, step: int = 0, ascent: bool = True) -> Generator[None, None, None]:
    """While the block lasts, forward passes are built with the overrides' gradients; the backward pass may come later.

    Every ReLU, ReLU6 and max-pool that Python calls is reached, as a module, a function or a method, in place or not;
    values and what is written in place stay what they are. Put the network's forward pass alone into the block: clamps
    of an image or a loss would be reached too. What is not reached is told by :func:`unreachable`. Blocks nest; the
    innermost override that knows an operation decides, in one block the first.

    Args:
        overrides: the overrides.
        step: number of the step within its stage, from 0; some act in the first steps only.
        ascent: whether gradients are those of a score to climb; false for a loss to descend.

    >>> from phosphene.models.overrides import RedirectedReLU
    >>> x = torch.tensor([[-1.0]], requires_grad=True)
    >>> with overriding(RedirectedReLU()):
    ...     y = torch.relu(x)
    >>> torch.autograd.grad(y.sum(), x)[0].item()
    1.0
    """
    acting = tuple(override for override in overrides if override.acts(step))
    if not acting:
        yield
        return
    with _Mode(acting, ascent):
        yield


class _Mode(TorchFunctionMode):
    """Answers rectifications and max-pools of tensors that need a gradient."""

    def __init__(self, overrides: tuple[Override, ...], ascent: bool) -> None:
        super().__init__()
        self.overrides, self.ascent = overrides, ascent

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        reader = _READERS.get(func)
        if reader is not None and torch.is_grad_enabled():
            found = self._answer(reader(*args, **options))
            if found is not None:
                return found
        return func(*args, **options)

    def _answer(self, asked: Rectifier | Pooling | None) -> Tensor | None:
        if asked is None or not asked.values.requires_grad or asked.values.ndim == 0:
            return None
        for override in self.overrides:
            pools = isinstance(asked, Pooling)
            found = override.max_pool(asked) if pools else override.rectify(asked, ascent=self.ascent)
            if found is not None:
                return found
        return None


def _relu(input: Tensor, inplace: bool = False) -> Rectifier:
    return Rectifier(input, None, inplace)


def _relu_in_place(input: Tensor) -> Rectifier:
    return Rectifier(input, None, in_place=True)


def _relu6(input: Tensor, inplace: bool = False) -> Rectifier:
    return Rectifier(input, 6.0, inplace)


def _hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Rectifier | None:
    return _clamp(input, min_val, max_val, in_place=inplace)


def _hardtanh_in_place(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Rectifier | None:
    return _clamp(input, min_val, max_val, in_place=True)


def _clamp(
    input: Tensor, min: Any = None, max: Any = None, *, out: Tensor | None = None, in_place: bool = False
) -> Rectifier | None:
    """A clamp to [0, ∞) or to [0, 6]; other clamps are no rectifications."""
    known = isinstance(min, int | float) and min == 0 and (max is None or (isinstance(max, int | float) and max == 6))
    return Rectifier(input, max, in_place) if known and out is None else None


def _clamp_in_place(input: Tensor, min: Any = None, max: Any = None) -> Rectifier | None:
    return _clamp(input, min, max, in_place=True)


def _pool(input: Tensor, *args: Any, **kwargs: Any) -> Pooling | None:
    options = dict(zip(_POOL_OPTIONS, args, strict=False)) | kwargs
    dilation = options.pop("dilation", 1)
    dilated = set(dilation if isinstance(dilation, tuple | list) else (dilation,)) != {1}
    return None if options.pop("return_indices", False) or dilated else Pooling(input, options)


#: How calls are read, by the function that is called.
_READERS: Mapping[Callable[..., Any], _Reader] = MappingProxyType(
    {
        **dict.fromkeys((F.relu, torch.relu, Tensor.relu), _relu),
        **dict.fromkeys((F.relu_, torch.relu_, Tensor.relu_), _relu_in_place),
        F.relu6: _relu6,
        F.hardtanh: _hardtanh,
        F.hardtanh_: _hardtanh_in_place,
        **dict.fromkeys((torch.clamp, torch.clip, torch.clamp_min), _clamp),
        **dict.fromkeys((Tensor.clamp, Tensor.clip, Tensor.clamp_min), _clamp),
        **dict.fromkeys((torch.clamp_, torch.clip_, torch.clamp_min_), _clamp_in_place),
        **dict.fromkeys((Tensor.clamp_, Tensor.clip_, Tensor.clamp_min_), _clamp_in_place),
        **dict.fromkeys((F.max_pool2d, torch.max_pool2d), _pool),
    }
)
