"""Generators whose weights come in a file."""

from __future__ import annotations

import abc
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from phosphene.parameterizations.base import clip
from phosphene.parameterizations.generators.base import Decoder, Generator, frozen
from phosphene.parameterizations.generators.files import check_source, fit, is_remote, load_state


@dataclass(frozen=True)
class FileGenerator(Generator, abc.ABC, base=True):
    """A known architecture with the weights of a file.

    Attributes:
        path: the weights: a path, an address ``https://…`` with its checksum, or a hub file
            ``hf:owner/repository/file``.
        sha256: checksum of the file, compared before anything is read out of it; None trusts the file to be the one.
    """

    path: str
    sha256: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_source(self.path, self.sha256)

    @property
    def risk(self) -> str:
        if is_remote(self.path):
            return f"download {self.path}"
        return f"read the file {self.path}, of which no sha256 is given" if self.path and self.sha256 is None else ""

    @abc.abstractmethod
    def network(self, state: dict[str, Tensor]) -> nn.Module:
        """The architecture that a state dict is of; called on the "meta" device."""

    @abc.abstractmethod
    def to_image(self, output: Tensor) -> Tensor:
        """The network's output (n, c, h, w) in the units of an image, not yet clamped to [0, 1]."""

    def named(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The state dict under the architecture's own names."""
        return state

    def source(self) -> tuple[str, str | None]:
        """The file and its checksum."""
        return self.path, self.sha256

    def open(self, device: torch.device, dtype: torch.dtype) -> Decoder:
        """See :meth:`Generator.open`; values beyond [0, 1] are clamped, with the gradient that leads back inside let
        through.
        """
        path, sha256 = self.source()
        state = self.named(load_state(path, sha256))
        # Made without values, so that no random number is drawn and no memory is used twice.
        with torch.device("meta"):
            module = self.network(state)
        module = frozen(fit(module, state, path), device, dtype)
        return lambda codes: clip(self.to_image(module(codes)))
