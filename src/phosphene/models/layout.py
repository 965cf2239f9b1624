"""Where a layer's channels are: inferred from what kind of module it is, what it contains, and what came before it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from torch import Tensor, nn

Layout = Literal["NC", "NCHW", "NHWC", "NLC", ""]

_LAYOUTS: tuple[Layout, ...] = ("NC", "NCHW", "NHWC", "NLC")
# By name, because the private base classes of torch (_ConvNd, _NormBase, …) also cover the one- and three-dimensional
# kinds.
_CHANNELS_FIRST = (
    "Conv2d",
    "Norm2d",
    "Pool2d",
    "Dropout2d",
    "PixelShuffle",
    "PixelUnshuffle",
    "Upsample",
    "LocalResponseNorm",
    "GroupNorm",
)
_CHANNELS_LAST = (nn.Linear, nn.LayerNorm, nn.RMSNorm, nn.Embedding, nn.MultiheadAttention)


def channel_axis(layout: Layout) -> int:
    """The axis that holds the channels: 1 in NC and NCHW, the last in NHWC and NLC."""
    return layout.index("C")


def layout_of(
    module: nn.Module,
    output: Tensor,
    source: Tensor | None,
    *,
    earlier: Sequence[tuple[Tensor, Layout]],
    input_size: tuple[int, int],
) -> Layout:
    """The layout of ``output``, which ``module`` made of ``source`` for one image.

    Args:
        module: the module.
        output: its (first) output tensor.
        source: its first input tensor.
        earlier: outputs and layouts of the modules inside it in execution order, or, for a leaf, of all that ran before
            it.
        input_size: height and width of the image.
    """
    if output.ndim == 0 or output.shape[0] != 1:
        return ""  # windows or tokens folded into the batch axis: no longer one entry per image
    if output.ndim == 2:
        return "NC"
    if output.ndim not in (3, 4):
        return ""
    return (
        _by_type(module, output)
        or _by_permutation(module, source, earlier)
        or _by_company(output, source, earlier)
        or _by_shape(module, output, input_size)
    )


def _by_type(module: nn.Module, output: Tensor) -> Layout:
    names = [base.__name__ for base in type(module).__mro__]
    if any(name.endswith(_CHANNELS_FIRST) for name in names):
        return "NCHW" if output.ndim == 4 else ""
    if isinstance(module, _CHANNELS_LAST):
        return "NLC" if output.ndim == 3 else "NHWC"
    return ""


def _by_permutation(module: nn.Module, source: Tensor | None, earlier: Sequence[tuple[Tensor, Layout]]) -> Layout:
    """The layout after a module that only permutes axes, such as torchvision's ``Permute``."""
    order = getattr(module, "dims", None)
    before = _same_tensor(source, earlier)
    if not isinstance(order, list | tuple) or len(cast(Sequence[int], order)) != len(before):
        return ""
    after = "".join(before[axis] for axis in cast(Sequence[int], order))
    return cast(Layout, next((layout for layout in _LAYOUTS if layout == after), ""))


def _by_company(output: Tensor, source: Tensor | None, earlier: Sequence[tuple[Tensor, Layout]]) -> Layout:
    """The layout of the same tensor seen before, of an input of this shape, or of the last output of this shape."""
    same = _same_tensor(output, earlier)
    if same:
        return same
    if source is not None and source.shape == output.shape and (same := _same_tensor(source, earlier)):
        return same
    return cast(
        Layout, next((layout for tensor, layout in reversed(earlier) if tensor.shape == output.shape and layout), "")
    )


def _same_tensor(tensor: Tensor | None, earlier: Sequence[tuple[Tensor, Layout]]) -> Layout:
    return cast(Layout, next((layout for known, layout in reversed(earlier) if known is tensor), ""))


def _by_shape(module: nn.Module, output: Tensor, input_size: tuple[int, int]) -> Layout:
    """The two axes with the image's aspect are height and width, torch's own order first; a sequence of vectors is one
    of tokens.
    """
    if isinstance(module, nn.Conv1d | nn.BatchNorm1d | nn.MaxPool1d | nn.AvgPool1d):
        return ""
    if output.ndim == 3:
        return "NLC"
    _, a, b, c = output.shape
    height, width = input_size
    if _is_near(b * width, c * height, c * height):
        return "NCHW"
    return "NHWC" if _is_near(a * width, b * height, b * height) else ""


def _is_near(value: int, expected: int, scale: int) -> bool:
    """Equal but for a tenth: unpadded convolutions change the aspect of maps that are not square a little."""
    return abs(value - expected) <= scale / 10
