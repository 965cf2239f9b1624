"""The backward pass of a convolutional network as maths: a convolution's gradient is a transposed convolution, a ReLU's
gradient is a mask, and uneven overlap of kernels draws checkerboards.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.errors import ParameterError

#: Steps of floating point within which values count as equal.
_ROUNDING_STEPS = 10
ReluRule = Literal["exact", "deconvnet", "guided"]


def output_padding(conv: nn.Conv2d, size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns that the transposed convolution must add at the end to reach ``size`` again.

    A convolution of stride s maps s sizes to one: with the effective kernel e = d·(k - 1) + 1 of dilation d, the last
    (size + 2·padding - e) mod s rows are never looked at. Their gradient is 0, and these are the rows to add.

    Args:
        conv: the convolution; its padding in numbers, with zeros.
        size: height and width of its input, in pixels.

    Raises:
        ParameterError: the padding is given by name or is not of zeros, or the input is smaller than the kernel.

    >>> output_padding(nn.Conv2d(1, 1, 3, stride=2, padding=1), (224, 225))
    (1, 0)
    """
    if isinstance(conv.padding, str) or conv.padding_mode != "zeros":
        given = conv.padding if isinstance(conv.padding, str) else conv.padding_mode
        raise ParameterError(f"the convolution's padding is {given!r}; expected numbers of zeros, such as padding=1")
    settings = zip(size, conv.kernel_size, conv.stride, conv.padding, conv.dilation, strict=True)
    free = [n + 2 * p - d * (k - 1) - 1 for n, k, _, p, d in settings]
    if min(free) < 0:
        raise ParameterError(f"size is {size}; expected at least the size of the kernel within its padding")
    return free[0] % conv.stride[0], free[1] % conv.stride[1]


def conv_vjp_as_transpose(
    conv: nn.Conv2d, gradient: Float[Tensor, "n d p q"], size: tuple[int, int]
) -> Float[Tensor, "n c h w"]:
    """The gradient with respect to a convolution's input, given that of its output: its adjoint, a transposed
    convolution with the same weights, stride, padding, dilation and groups, and :func:`output_padding`.

    Args:
        conv: the convolution.
        gradient: gradient of a score with respect to its output.
        size: height and width of its input, in pixels.

    Raises:
        ParameterError: as :func:`output_padding`.
    """
    extra = output_padding(conv, size)
    padding = tuple(p for p in conv.padding if isinstance(p, int))
    return F.conv_transpose2d(
        gradient, conv.weight, None, conv.stride, padding, extra, groups=conv.groups, dilation=conv.dilation
    )


def relu_backward(
    gradient: Float[Tensor, "*shape"], given: Float[Tensor, "*shape"], rule: ReluRule = "exact"
) -> Float[Tensor, "*shape"]:
    """What passes back through a ReLU.

    "exact", the gradient: where the input was above 0. "deconvnet" (Zeiler & Fergus 2014): where the gradient is above
    0, whatever the input was. "guided" (Springenberg et al. 2015): where both are.

    Args:
        gradient: gradient with respect to the ReLU's output.
        given: the ReLU's input in the forward pass.
        rule: which of the three.

    Raises:
        ParameterError: there is no such rule.

    >>> gradient, given = torch.tensor([1.0, 1.0, -1.0]), torch.tensor([2.0, -2.0, 2.0])
    >>> [relu_backward(gradient, given, rule).tolist() for rule in ("exact", "deconvnet", "guided")]
    [[1.0, 0.0, -1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    if rule not in ("exact", "deconvnet", "guided"):
        raise ParameterError(f"rule is {rule!r}; expected 'exact', 'deconvnet' or 'guided'")
    passed = gradient if rule == "deconvnet" else gradient * (given > 0)
    return passed if rule == "exact" else passed.clamp(min=0)


def coverage(size: int, kernel: int, stride: int) -> Float[Tensor, " size"]:
    """How many positions of a kernel look at each place of a row, float64: the transposed convolution of ones.

    Where the stride divides the kernel this is even away from the borders; elsewhere it repeats every ``stride``
    places, and that is a checkerboard (Odena, Dumoulin & Olah 2016).

    >>> coverage(9, 3, 2).tolist()
    [1.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 1.0]
    >>> coverage(10, 4, 2).tolist()
    [1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0]

    Raises:
        ParameterError: the row is shorter than the kernel, or a number is below 1.
    """
    if not (0 < kernel <= size and stride > 0):
        raise ParameterError(
            f"size, kernel and stride are {size}, {kernel}, {stride}; expected whole numbers above 0, and a kernel no "
            "larger than the row"
        )
    starts = torch.arange(0, size - kernel + 1, stride)
    looked = (starts[:, None] + torch.arange(kernel)).flatten()
    return torch.bincount(looked, minlength=size).double()


def checkerboard_energy(gradient: Float[Tensor, "n c h w"], stride: int) -> Float[Tensor, " n"]:
    """Share of the spectral energy at the frequencies of a stride: multiples of 1/stride cycles per pixel, in rows,
    columns or both.

    The mean of every channel is left out, of the numerator and of the whole; so are rows and columns beyond the last
    multiple of the stride, without which these frequencies would fall between the lines of the spectrum. 1 for what
    repeats exactly every ``stride`` pixels, (stride² - 1) / (h·w - 1) on average for white noise, 0 for no energy.
    A gradient of changing sign hides the pattern of its strength: give its absolute values to see that.

    Args:
        gradient: a gradient, or any images.
        stride: period of the pattern, in pixels.

    Raises:
        ParameterError: the stride is below 2 or above the height or width.

    >>> rows = torch.tensor([1.0, 0.0]).repeat(4)
    >>> [checkerboard_energy(x[None, None], 2).tolist() for x in (rows.expand(8, 8), torch.ones(8, 8))]
    [[1.0], [0.0]]
    """
    height, width = gradient.shape[2:]
    if not 2 <= stride <= min(height, width):
        raise ParameterError(f"stride is {stride}; expected from 2 to the smaller side, {min(height, width)}")
    cut = gradient[:, :, : height - height % stride, : width - width % stride]
    energy = torch.fft.fft2(cut - cut.mean((2, 3), keepdim=True)).abs().square().sum(1)
    energy[:, 0, 0] = 0
    n_rows, n_columns = (side // stride for side in cut.shape[2:])
    total = energy.sum((1, 2))
    # By Parseval, cut² · h · w is all energy; what rounding alone leaves of it when the mean is gone is none.
    rounding = (_ROUNDING_STEPS * torch.finfo(cut.dtype).eps) ** 2 * cut.square().sum((1, 2, 3)) * energy[0].numel()
    share = energy[:, ::n_rows, ::n_columns].sum((1, 2)) / total.clamp(min=torch.finfo(total.dtype).tiny)
    return torch.where(total > rounding, share, 0)
