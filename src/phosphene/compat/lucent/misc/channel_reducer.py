"""Fewer channels: scikit-learn's decompositions on the last axis of arrays of any rank."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from phosphene.errors import MissingExtraError, ParameterError, nearest

Array = npt.NDArray[Any]


class ChannelReducer:
    """One of scikit-learn's decompositions for activations (…, channels) to (…, n_components).

    What the fitted reducer calls ``components_`` and the like is here without the underscore.

    Args:
        n_components: components to keep, from 1.
        reduction_alg: the name of a class of ``sklearn.decomposition`` ("NMF", "PCA", "FastICA" …), or a class.
        kwargs: passed on to the class.

    Raises:
        MissingExtraError: scikit-learn is not installed.
        ParameterError: the number of components or the name is not one.
    """

    def __init__(self, n_components: int = 3, reduction_alg: str | type = "NMF", **kwargs: Any) -> None:
        whole = isinstance(n_components, int) and not isinstance(n_components, bool)  # pyright: ignore[reportUnnecessaryIsInstance]
        if not whole or n_components <= 0:
            raise ParameterError(f"n_components is {n_components!r}; expected a whole number above 0")
        found: Any = _algorithm(reduction_alg) if isinstance(reduction_alg, str) else reduction_alg
        self.n_components = n_components
        self._reducer: Any = found(n_components=n_components, **kwargs)
        self._is_fit = False

    def fit(self, acts: Array) -> Any:
        """Fit; returns scikit-learn's reducer."""
        self._is_fit = True
        return self._reducer.fit(_flat(acts))

    def fit_transform(self, acts: Array) -> Array:
        """Fit, and reduce what was fitted."""
        self._is_fit = True
        return _applied(self._reducer.fit_transform, acts)

    def transform(self, acts: Array) -> Array:
        """Reduce by what was fitted before."""
        return _applied(self._reducer.transform, acts)

    def __call__(self, acts: Array) -> Array:
        """Reduce; fit first if nothing was fitted yet."""
        return self.transform(acts) if self._is_fit else self.fit_transform(acts)

    def __getattr__(self, name: str) -> Any:
        reducer = self.__dict__.get("_reducer")
        if name.startswith("_") or not hasattr(reducer, name + "_"):
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}; fit it first")
        return getattr(reducer, name + "_")

    def __dir__(self) -> list[str]:
        fitted = [name[:-1] for name in dir(self._reducer) if name.endswith("_") and not name.startswith("_")]
        return [*super().__dir__(), *fitted]


def _algorithm(name: str) -> type:
    try:
        decomposition = importlib.import_module("sklearn.decomposition")
    except ImportError:
        raise MissingExtraError("ChannelReducer", "sklearn") from None
    known = [one for one in dir(decomposition) if hasattr(getattr(decomposition, one), "fit_transform")]
    if name not in known:
        hint = nearest(name, known) or f"expected one of {', '.join(known)}"
        raise ParameterError(f"reduction_alg is {name!r}, which sklearn.decomposition does not have; {hint}")
    return getattr(decomposition, name)


def _flat(acts: Array) -> Array:
    return acts.reshape(-1, acts.shape[-1])


def _applied(function: Callable[[Array], Any], acts: Array) -> Array:
    return np.asarray(function(_flat(acts))).reshape(*acts.shape[:-1], -1)
