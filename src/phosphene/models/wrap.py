"""Wrap any module as a Network, and check what was said about its input."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TypedDict, TypeVar, Unpack, cast

from torch import nn

from phosphene._types import JSON
from phosphene.errors import ArgumentError, NetworkError
from phosphene.models.capture import unwrap_parallel
from phosphene.models.network import ChannelOrder, Network

T = TypeVar("T")

DEFAULT_SIZE = (224, 224)
DEFAULT_CHANNELS = 3


class Wrapping(TypedDict, total=False):
    """How images are fed to a module; see :func:`wrap`."""

    mean: Sequence[float] | float | None
    std: Sequence[float] | float | None
    input_size: Sequence[int] | int | None
    value_range: Sequence[float]
    channel_order: ChannelOrder
    labels: Sequence[str]
    n_channels: int | None


def wrap(module: nn.Module, **how: Unpack[Wrapping]) -> Network:
    """Make a Network of any module that maps images (n c h w) to a tensor.

    The wrong input range is the most common cause of meaningless pictures, so ``mean`` and ``std`` should always be
    given; a warning says so where neither is. The module gets ``(low + image * (high - low) - mean) / std`` for images
    in [0, 1].

    Args:
        module: the module; it is never changed.
        how: any of
            mean, std: one number per channel (or one for all), in units of ``value_range``; default 0 and 1.
            input_size: height and width in pixels, or one number for both; default what the module says of itself, or
                224.
            value_range: what image values 0 and 1 stand for in the module's world, such as (0, 255); default (0, 1).
            channel_order: ``"RGB"`` (default) or ``"BGR"``.
            labels: class names by index.
            n_channels: input channels; default the length of ``mean``, or what the first convolution takes.

    Raises:
        ArgumentError: the module is no ``nn.Module``, or an argument is of the wrong kind.
        NetworkError: the arguments contradict each other or are out of range.
    """
    if how.get("mean") is None and how.get("std") is None:
        warnings.warn(
            "no normalisation was given, so the network gets images in its value_range as they are; if it was trained "
            "otherwise, the pictures will mean nothing. Give it: wrap(module, mean=(0.485, 0.456, 0.406), "
            "std=(0.229, 0.224, 0.225)), or mean=0, std=1 to say that none is needed",
            UserWarning,
            stacklevel=2,
        )
    kind = type(module)
    return build(
        module,
        name=kind.__name__,
        source={"kind": "wrapped", "class": f"{kind.__module__}.{kind.__qualname__}"},
        how=how,
    )


def build(module: object, *, name: str, source: Mapping[str, JSON], how: Wrapping) -> Network:
    """A checked Network; ``source`` is completed by everything that is needed to wrap the module in the same way again.

    Raises as :func:`wrap`.
    """
    if not isinstance(module, nn.Module):
        raise ArgumentError(
            f"expected a torch.nn.Module to wrap, got {type(module).__name__}; for a name, use load(name)"
        )
    inner = unwrap_parallel(module)
    known = {*Wrapping.__annotations__}
    if unknown := sorted(set(how) - known):
        raise ArgumentError(f"unknown argument {', '.join(unknown)}; expected any of {', '.join(sorted(known))}")
    n_channels = _n_channels(inner, how)
    low, high = _numbers("value_range", how.get("value_range", (0.0, 1.0)), 2)
    _require(low != high, f"value_range is ({low}, {high}), but its two ends must differ, as in (0, 1) or (0, 255)")
    std = _numbers("std", _given(how.get("std"), 1.0), n_channels)
    _require(all(value > 0 for value in std), f"std is {std}, but must be greater than 0 in every channel")
    network = Network(
        module=inner,
        name=name,
        input_size=_size(_given(how.get("input_size"), own_size(inner))),
        n_channels=n_channels,
        mean=_numbers("mean", _given(how.get("mean"), 0.0), n_channels),
        std=std,
        value_range=(low, high),
        channel_order=_channel_order(how.get("channel_order", "RGB"), n_channels),
        labels=_labels(how.get("labels", ())),
        source={},
    )
    return _with_source(network, source)


def _with_source(network: Network, source: Mapping[str, JSON]) -> Network:
    """The network with a complete source: libraries know their models' input themselves, other sources must keep it."""
    if source["kind"] in ("wrapped", "factory"):
        pairs: dict[str, JSON] = {
            key: list(getattr(network, key)) for key in ("mean", "std", "input_size", "value_range", "labels")
        }
        source = {**source, **pairs, "channel_order": network.channel_order, "n_channels": network.n_channels}
    object.__setattr__(network, "source", source)
    return network


def _given(value: T | None, default: T) -> T:
    return default if value is None else value


def _require(fits: bool, message: str) -> None:
    if not fits:
        raise NetworkError(message)


def _n_channels(module: nn.Module, how: Wrapping) -> int:
    """What was said, else the length of mean or std, else what the first convolution takes, else 3."""
    stated = how.get("n_channels")
    if stated is not None:
        if isinstance(stated, bool) or not isinstance(stated, int):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(f"n_channels is a whole number, got {type(stated).__name__}")
        _require(stated > 0, f"n_channels is {stated}, but a network needs at least 1 input channel")
        return stated
    for values in (how.get("mean"), how.get("std")):
        if isinstance(values, Sequence) and not isinstance(values, str) and len(values) > 1:
            return len(values)
    convolutions = (part.in_channels for part in module.modules() if isinstance(part, nn.Conv2d))
    return next(convolutions, DEFAULT_CHANNELS)


def own_size(module: nn.Module) -> Sequence[int] | int:
    """The input size that a module states: timm's ``patch_embed.img_size`` and ``pretrained_cfg``, torchvision's
    ``image_size``; else 224.
    """
    stated = getattr(getattr(module, "patch_embed", None), "img_size", None) or getattr(module, "image_size", None)
    if isinstance(stated, int | tuple):
        return cast("tuple[int, ...] | int", stated)
    config = getattr(module, "pretrained_cfg", None)
    if isinstance(config, dict) and "input_size" in config:
        return tuple(cast(dict[str, Sequence[int]], config)["input_size"])[-2:]
    return DEFAULT_SIZE


def _numbers(name: str, values: object, n: int) -> tuple[float, ...]:
    """``n`` finite numbers; one number stands for all."""
    if isinstance(values, int | float) and not isinstance(values, bool):
        values = (values,) * n
    try:
        numbers = tuple(float(value) for value in cast(Sequence[float], values))
    except (TypeError, ValueError):
        raise ArgumentError(f"{name} is {values!r}, expected {n} numbers") from None
    if len(numbers) == 1:
        numbers *= n
    _require(len(numbers) == n, f"{name} has {len(numbers)} values, expected {n}")
    _require(all(map(math.isfinite, numbers)), f"{name} is {numbers}, but its values must be finite")
    return numbers


def _size(size: object) -> tuple[int, int]:
    pair = (
        (size, size)
        if isinstance(size, int)
        else tuple(cast(Sequence[object], size))
        if isinstance(size, Sequence)
        else ()
    )
    if len(pair) != 2 or not all(type(n) is int for n in pair):
        raise ArgumentError(f"input_size is {size!r}, expected (height, width) in whole pixels")
    height, width = cast(tuple[int, int], pair)
    _require(height > 0 and width > 0, f"input_size is ({height}, {width}), but both must be at least 1 pixel")
    return height, width


def _channel_order(order: str, n_channels: int) -> ChannelOrder:
    _require(order in ("RGB", "BGR"), f"channel_order is {order!r}, expected 'RGB' or 'BGR'")
    _require(
        order == "RGB" or n_channels == 3, f"channel_order BGR needs 3 channels, but the network takes {n_channels}"
    )
    return cast(ChannelOrder, order)


def _labels(labels: object) -> tuple[str, ...]:
    if (
        isinstance(labels, str)
        or not isinstance(labels, Sequence)
        or not all(isinstance(label, str) for label in cast(Sequence[object], labels))
    ):
        raise ArgumentError(f"labels is {type(labels).__name__}, expected a list of class names by index")
    return tuple(cast(Sequence[str], labels))
