"""What overrides cannot reach."""

from __future__ import annotations

from torch import jit, nn


def unreachable(module: nn.Module) -> tuple[str, ...]:
    """Names of the parts of a network whose operations overrides cannot reach, because Python does not call them; the
    root is ``""``.

    These are scripted, traced and compiled parts, each with all that lies in it, parts that hold a scripted function,
    and max-pools that give indices or are dilated. Besides, what is recomputed in the backward pass (checkpointing) and
    what a transformer's fused inference path does are not reached; the latter is never taken where a gradient is asked.
    Parts without a ReLU or max-pool in them may be named too: nothing is known about what they call.
    """
    names: list[str] = []
    for name, part in module.named_modules():
        inside = any(name.startswith(f"{outer}." if outer else "") for outer in names)
        if not inside and (_is_opaque(part) or _is_special_pool(part)):
            names.append(name)
    return tuple(names)


def _is_opaque(part: nn.Module) -> bool:
    compiled = hasattr(part, "_orig_mod")  # what torch.compile wraps around a module
    scripted = isinstance(part, jit.ScriptModule)
    return compiled or scripted or any(isinstance(value, jit.ScriptFunction) for value in vars(part).values())


def _is_special_pool(part: nn.Module) -> bool:
    if not isinstance(part, nn.MaxPool2d):
        return False
    dilation = part.dilation if isinstance(part.dilation, tuple) else (part.dilation,)
    return part.return_indices or set(dilation) != {1}
