"""Activations out of place.

To be able to go back, PyTorch's in-place ReLU6 and its like first copy their input; out of place they need no copy. On
EfficientNet-Lite0's expanded feature maps these copies are among the dearest things of a pass. (``nn.ReLU`` keeps its
output and needs no copy either way.)
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

_COPYING = (nn.ReLU6, nn.Hardtanh, nn.SiLU, nn.Hardswish, nn.Mish, nn.Hardsigmoid, nn.ELU, nn.CELU, nn.SELU)


def out_of_place(module: nn.Module) -> Callable[[], None]:
    """Let the activations inside ``module`` that would copy their input leave it alone; the result undoes that.

    Only a network that uses what it has overwritten can tell the difference.
    """
    changed = [part for part in module.modules() if type(part) in _COPYING and getattr(part, "inplace", False)]
    for part in changed:
        setattr(part, "inplace", False)  # noqa: B010 - typed as a module

    def undo() -> None:
        for part in changed:
            setattr(part, "inplace", True)  # noqa: B010 - typed as a module

    return undo
