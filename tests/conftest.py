"""What every test needs: annotations of tensors are checked when they run, and torchvision can be imported."""

from __future__ import annotations

import contextlib
import sys
from types import ModuleType

import jaxtyping
import torch
from beartype import BeartypeConf, beartype

# Named by a string, so it needs a module: beartype that takes whole numbers for floats, as Python's typing does (PEP 484).
_checker = ModuleType("phosphene_tests_checker")
_checker.check = beartype(conf=BeartypeConf(is_pep484_tower=True))  # type: ignore[attr-defined]
sys.modules[_checker.__name__] = _checker

# The rooms of tensors. The doors (units, recipes, the values that people build) answer wrong types with errors of their own,
# which have tests of their own.
CHECKED = (
    "functional",
    "models",
    "objectives",
    "optimizers.base",
    "optimizers.lbfgs",
    "parameterizations.base",
    "regularizers",
    *(f"render.{name}" for name in ("batches", "display", "engine", "guard", "problem", "run", "session")),
    *(f"scorers.{name}" for name in ("base", "fitting", "noise", "onnx_output", "http_messages")),
    "spaces.layout",
    *(f"evolution.{name}" for name in ("course", "plots")),
    *(f"transforms.{name}" for name in ("base", "photometric", "pipeline", "sets")),
)
jaxtyping.install_import_hook([f"phosphene.{name}" for name in CHECKED], "phosphene_tests_checker.check")

# A torchvision built for another torch than the installed one misses its compiled operators, and fails at import unless
# their schemas exist. Only detection models call them. The global keeps the library alive.
_TORCHVISION = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    with contextlib.suppress(RuntimeError):  # a complete torchvision has defined them
        _TORCHVISION.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
