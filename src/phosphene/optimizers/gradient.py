"""First-order optimizers: those of ``torch.optim``, and plain normalised ascent."""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene._schedules import Constant, Schedule
from phosphene.functional.norms import MEASURES
from phosphene.functional.random import Generators
from phosphene.optimizers.base import Evaluate, Optimizer, Stepper, clip_by_norm, per_image


@dataclass(frozen=True)
class GradientOptimizer(Optimizer, abc.ABC):
    """An optimizer that takes one gradient per step.

    Attributes:
        lr: learning rate, above 0.
        schedule: factor of the learning rate over the steps.
        clip_norm: largest L2 norm of an image's gradient; None leaves gradients as they are.
    """

    lr: float = 0.05
    schedule: Schedule = Constant()
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.lr < math.inf, "lr", self.lr, "a number above 0")
        check(
            self.clip_norm is None or 0 < self.clip_norm < math.inf,
            "clip_norm",
            self.clip_norm,
            "a number above 0, or None",
        )

    @abc.abstractmethod
    def torch_optimizer(self, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
        """The optimizer of PyTorch that climbs."""

    def start(self, parameters: Sequence[Tensor], noise: Generators | None = None) -> Stepper:
        """A stepper for parameters (n, …)."""
        return TorchStepper(self, parameters)


class TorchStepper(Stepper):
    """A step of a ``torch.optim`` optimizer."""

    def __init__(self, spec: GradientOptimizer, parameters: Sequence[Tensor]) -> None:
        self.spec, self.parameters = spec, parameters
        self.inner = spec.torch_optimizer(parameters)
        self.n_steps = 0

    def step(self, evaluate: Evaluate) -> Float[Tensor, " n"]:
        scores = evaluate()
        if self.spec.clip_norm is not None:
            clip_by_norm(self.parameters, self.spec.clip_norm)
        for group in self.inner.param_groups:
            group["lr"] = self.spec.lr * self.spec.schedule.factor(self.n_steps)
        self.inner.step()
        self.n_steps += 1
        return scores


def _fused(parameters: Sequence[Tensor]) -> dict[str, Any]:
    """PyTorch's fused kernels, one pass over memory, where they exist: on CPU and CUDA for floats of 32 bits and
    more.
    """
    fits = all(p.device.type in ("cpu", "cuda") and p.dtype in (torch.float32, torch.float64) for p in parameters)
    return {"fused": True} if fits else {}


@dataclass(frozen=True)
class SGD(GradientOptimizer):
    """Steepest ascent, with momentum or Nesterov's if wanted.

    Attributes:
        momentum: share of the last step that is kept, in [0, 1).
        nesterov: look ahead along the momentum (Nesterov 1983).
        weight_decay: L2 pull of the parameters towards 0.
    """

    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _share("momentum", self.momentum)
        check(0 <= self.weight_decay < math.inf, "weight_decay", self.weight_decay, "a number from 0")
        check(not self.nesterov or self.momentum > 0, "momentum", self.momentum, "above 0 with nesterov=True")

    def torch_optimizer(self, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
        """``torch.optim.SGD``."""
        options: dict[str, Any] = {
            "momentum": self.momentum,
            "nesterov": self.nesterov,
            "weight_decay": self.weight_decay,
        }
        return torch.optim.SGD(parameters, lr=self.lr, maximize=True, **options, **_fused(parameters))


def momentum(lr: float = 0.05, momentum: float = 0.9) -> SGD:
    """Ascent with momentum (Polyak 1964)."""
    return SGD(lr=lr, momentum=momentum)


def nesterov(lr: float = 0.05, momentum: float = 0.9) -> SGD:
    """Ascent with Nesterov's momentum."""
    return SGD(lr=lr, momentum=momentum, nesterov=True)


@dataclass(frozen=True)
class Adam(GradientOptimizer):
    """Adam (Kingma and Ba 2015); lr 0.05 is Lucid's default.

    Attributes:
        beta1: decay of the mean gradient.
        beta2: decay of the mean squared gradient.
        eps: guard of the division.
        weight_decay: L2 pull of the parameters towards 0, a part of the gradient.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _share("beta1", self.beta1)
        _share("beta2", self.beta2)
        check(0 < self.eps < math.inf, "eps", self.eps, "a number above 0")
        check(0 <= self.weight_decay < math.inf, "weight_decay", self.weight_decay, "a number from 0")

    def torch_optimizer(self, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
        """``torch.optim.Adam``."""
        return torch.optim.Adam(parameters, lr=self.lr, maximize=True, **self._options(), **_fused(parameters))

    def _options(self) -> dict[str, Any]:
        return {"betas": (self.beta1, self.beta2), "eps": self.eps, "weight_decay": self.weight_decay}


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019).

    Attributes:
        weight_decay: share of the parameters, times the learning rate, that a step takes away.
    """

    weight_decay: float = 0.01

    def torch_optimizer(self, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
        """``torch.optim.AdamW``."""
        return torch.optim.AdamW(parameters, lr=self.lr, maximize=True, **self._options(), **_fused(parameters))


@dataclass(frozen=True)
class NAdam(Adam):
    """Adam with Nesterov's momentum (Dozat 2016)."""

    def torch_optimizer(self, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
        """``torch.optim.NAdam``."""
        return torch.optim.NAdam(parameters, lr=self.lr, maximize=True, **self._options())


@dataclass(frozen=True)
class AdaGrad(GradientOptimizer):
    """AdaGrad (Duchi, Hazan and Singer 2011)."""

    def torch_optimizer(self, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
        """``torch.optim.Adagrad``."""
        return torch.optim.Adagrad(parameters, lr=self.lr, maximize=True)


@dataclass(frozen=True)
class AdaDelta(GradientOptimizer):
    """AdaDelta (Zeiler 2012), whose natural learning rate is 1.

    Attributes:
        rho: decay of the running means.
        eps: guard of the roots.
    """

    lr: float = 1.0
    rho: float = 0.9
    eps: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        _share("rho", self.rho)
        check(0 < self.eps < math.inf, "eps", self.eps, "a number above 0")

    def torch_optimizer(self, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
        """``torch.optim.Adadelta``."""
        return torch.optim.Adadelta(parameters, lr=self.lr, rho=self.rho, eps=self.eps, maximize=True)


@dataclass(frozen=True)
class RMSprop(GradientOptimizer):
    """RMSprop (Tieleman and Hinton 2012).

    Attributes:
        alpha: decay of the mean squared gradient.
        eps: guard of the division.
        momentum: share of the last step that is kept.
    """

    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _share("alpha", self.alpha)
        _share("momentum", self.momentum)
        check(0 < self.eps < math.inf, "eps", self.eps, "a number above 0")

    def torch_optimizer(self, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
        """``torch.optim.RMSprop``."""
        options: dict[str, Any] = {"alpha": self.alpha, "eps": self.eps, "momentum": self.momentum}
        return torch.optim.RMSprop(parameters, lr=self.lr, maximize=True, **options)


Norm = Literal["mean_abs", "sd", "rms", "l2", "sign"]

_NORMS = {name: MEASURES[name] for name in ("mean_abs", "sd", "rms", "l2")}


@dataclass(frozen=True)
class NormalizedAscent(GradientOptimizer):
    """``parameters += lr · gradient / norm(gradient)``, each image's gradient by its own norm.

    Attributes:
        norm: "mean_abs" (DeepDream in Caffe), "sd" (DeepDream in TensorFlow and MATLAB), "rms" (Keras' tutorial), "l2",
            or "sign", which is steepest ascent in L∞ (Distill).
        eps: added to the norm.
    """

    norm: Norm = "mean_abs"
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.norm in (*_NORMS, "sign"), "norm", self.norm, f"one of {[*_NORMS, 'sign']}")
        check(0 <= self.eps < math.inf, "eps", self.eps, "a number from 0")

    def torch_optimizer(self, parameters: Sequence[Tensor]) -> torch.optim.Optimizer:
        """Plain ascent on the normalised gradient."""
        return torch.optim.SGD(parameters, lr=self.lr, maximize=True)

    def start(self, parameters: Sequence[Tensor], noise: Generators | None = None) -> Stepper:
        """A stepper for parameters (n, …)."""
        return NormalizedStepper(self, parameters)

    @torch.no_grad()
    def normalize(self, gradient: Tensor) -> None:
        """Normalise a gradient (n, …) in place, image by image."""
        if self.norm == "sign":
            gradient.sign_()
        else:
            gradient.div_(per_image(_NORMS[self.norm](gradient) + self.eps, gradient))


class NormalizedStepper(TorchStepper):
    """A step along the normalised gradient."""

    def __init__(self, spec: NormalizedAscent, parameters: Sequence[Tensor]) -> None:
        super().__init__(spec, parameters)
        self.normalize = spec.normalize

    def step(self, evaluate: Evaluate) -> Float[Tensor, " n"]:
        def normalized() -> Tensor:
            scores = evaluate()
            for parameter in self.parameters:
                if parameter.grad is not None:
                    self.normalize(parameter.grad)
            return scores

        return super().step(normalized)


def _share(name: str, value: float) -> None:
    check(0 <= value < 1, name, value, "a number in [0, 1)")
