"""Leave a module as it was found."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def evaluating(module: nn.Module) -> Generator[None, None, None]:
    """Eval mode while the block lasts; then every submodule's own training flag, and the buffers, are as before."""
    flags = [(part, part.training) for part in module.modules()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in module.buffers()]
    try:
        module.eval()
        yield
    finally:
        for part, flag in flags:
            part.training = flag
        _restore(buffers)


@contextmanager
def frozen(module: nn.Module) -> Generator[None, None, None]:
    """As :func:`evaluating`, and no weight gradients; then ``requires_grad`` and ``.grad`` are as before, too."""
    parameters = [(parameter, parameter.requires_grad, parameter.grad) for parameter in module.parameters()]
    try:
        with evaluating(module):
            for parameter, _, _ in parameters:
                parameter.requires_grad_(False)
            yield
    finally:
        for parameter, requires_grad, grad in parameters:
            parameter.requires_grad_(requires_grad)
            parameter.grad = grad


def _restore(buffers: list[tuple[Tensor, Tensor]]) -> None:
    with torch.no_grad():
        for buffer, before in buffers:
            if not torch.equal(buffer, before):
                buffer.copy_(before)
