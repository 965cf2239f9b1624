"""Fold batch norms into the convolutions before them: in eval mode both are affine, and one operation does both."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from phosphene.models.capture import first_tensor, named_modules, observed

_AFFINE = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@dataclass(frozen=True)
class Pair:
    """A convolution or linear layer, and the batch norm that reads its output."""

    convolution: str
    norm: str


def find_pairs(module: nn.Module, layers: Collection[str], run: Callable[[], object]) -> list[Pair]:
    """Pairs that may be folded, found by the identity of tensors while ``run`` runs the module once.

    Left out: a pair one of which runs more than once, has hooks, or has parameters that are computed; and a convolution
    whose own output one of ``layers`` is.
    """
    modules = {
        name: part
        for name, part in named_modules(module).items()
        if isinstance(part, (*_AFFINE, nn.BatchNorm2d, nn.BatchNorm1d))
    }
    clean = {name: part for name, part in modules.items() if _is_plain(part)}
    watched = {**clean, **{name: part for name, part in named_modules(module).items() if name in layers}}
    outputs: dict[str, list[Tensor | None]] = {}
    inputs: dict[str, list[Tensor | None]] = {}

    def look(name: str, given: Sequence[Any], output: object) -> None:
        inputs.setdefault(name, []).append(first_tensor(given))
        outputs.setdefault(name, []).append(first_tensor(output))

    with observed(watched, look):
        run()
    wanted = [tensor for layer in layers for tensor in outputs.get(layer, ())]
    affine = [name for name in clean if isinstance(clean[name], _AFFINE) and len(outputs.get(name, ())) == 1]
    pairs: list[Pair] = []
    for norm in (
        name
        for name in clean
        if type(clean[name]) in (nn.BatchNorm2d, nn.BatchNorm1d) and len(inputs.get(name, ())) == 1
    ):
        source = [
            name
            for name in affine
            if outputs[name][0] is inputs[norm][0] and not any(outputs[name][0] is tensor for tensor in wanted)
        ]
        pairs.extend(Pair(name, norm) for name in source)
    return pairs


def _is_plain(part: nn.Module) -> bool:
    """No hooks of anyone, plain parameters, and, for a norm, running statistics."""
    has_hooks = any(getattr(part, kind, None) for kind in _HOOKS)
    is_computed = isinstance(part, _AFFINE) and "weight" not in dict(part.named_parameters(recurse=False))
    lacks_statistics = isinstance(part, nn.BatchNorm2d | nn.BatchNorm1d) and part.running_mean is None
    return not (has_hooks or is_computed or lacks_statistics)


def fold(module: nn.Module, pairs: Sequence[Pair]) -> Callable[[], None]:
    """Fold the pairs in ``module``, in place but without writing to any tensor; the function returned takes it back."""
    undo = [_fold_one(module, pair) for pair in pairs]

    def unfold() -> None:
        for take_back in undo:
            take_back()

    return unfold


def _fold_one(module: nn.Module, pair: Pair) -> Callable[[], None]:
    convolution, norm = module.get_submodule(pair.convolution), module.get_submodule(pair.norm)
    weight, bias = convolution.weight, convolution.bias
    parent_name, _, child = pair.norm.rpartition(".")
    parent = module.get_submodule(parent_name)
    convolution.weight, convolution.bias = folded_parameters(convolution, norm)
    setattr(parent, child, nn.Identity())

    def unfold() -> None:
        convolution.weight, convolution.bias = weight, bias
        setattr(parent, child, norm)

    return unfold


def folded_parameters(convolution: Any, norm: Any) -> tuple[nn.Parameter, nn.Parameter]:
    """Weight and bias of the one operation that equals ``norm(convolution(x))`` in eval mode; computed in float64."""
    weight = convolution.weight.detach().double()
    mean, scale = norm.running_mean.double(), torch.rsqrt(norm.running_var.double() + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight.detach().double()
    bias = (convolution.bias.detach().double() if convolution.bias is not None else torch.zeros_like(mean)) - mean
    bias = bias * scale + (norm.bias.detach().double() if norm.bias is not None else 0.0)
    if isinstance(convolution, nn.ConvTranspose2d):  # weight is (in, out / groups, kh, kw), groups of inputs in order
        n_in, n_out_per_group = weight.shape[:2]
        per_group = scale.view(convolution.groups, 1, n_out_per_group, 1, 1)
        weight = (weight.view(convolution.groups, n_in // convolution.groups, *weight.shape[1:]) * per_group).view_as(
            weight
        )
    else:
        weight = weight * scale.view(-1, *[1] * (weight.ndim - 1))
    dtype = convolution.weight.dtype
    return nn.Parameter(weight.to(dtype), requires_grad=False), nn.Parameter(bias.to(dtype), requires_grad=False)
