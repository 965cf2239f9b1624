"""DeePSiM's generators, whose codes are what is optimised."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from phosphene.parameterizations.base import clip
from phosphene.parameterizations.generators import UpconvGAN
from phosphene.parameterizations.generators.files import fit, load_state


class upconvGAN(nn.Module):  # noqa: N801 - Lucent's name
    """The generator of one layer's codes, as a module that nothing trains.

    ``param_f = lambda: ([code], lambda: G.visualize(code))`` with ``code`` (n, codelen), for "pool5" (n, 256, 6, 6).

    Args:
        name: "fc6", "fc7", "fc8" or "pool5".
        pretrained: read the weights; else they are random.
        path: the weight file, or its hub id ``hf:owner/repository/file``; by default where Lucent keeps it:
            ``upconvGAN_NAME.pt`` in the folder ``checkpoints`` of torch's hub. Nothing is downloaded unless asked for.
        sha256: checksum of the file.

    Raises:
        ParameterError: there is no such generator.
        WeightsError: the weights cannot be found, or do not fit.
    """

    def __init__(
        self,
        name: Literal["fc6", "fc7", "fc8", "pool5"] = "fc6",
        pretrained: bool = True,
        path: str | Path | None = None,
        sha256: str | None = None,
    ) -> None:
        super().__init__()
        source = path or Path(torch.hub.get_dir()) / "checkpoints" / f"upconvGAN_{name}.pt"
        self.spec = UpconvGAN(str(source), sha256, layer=name)
        self.name = name
        self.codelen = self.spec.code_shape[0]
        self.G = self._read() if pretrained else self.spec.network({})
        self.requires_grad_(False)

    def _read(self) -> nn.Module:
        state = self.spec.named(load_state(*self.spec.source()))
        with torch.device("meta"):
            module = self.spec.network(state)
        return fit(module, state, self.spec.path)

    def forward(self, x: Tensor) -> Tensor:
        """RGB about the mean colour, in values of 255 (n, 3, 256, 256)."""
        return self.G(x).flip(1)

    def visualize(self, x: Tensor, scale: float = 1.0) -> Tensor:
        """The pictures of codes, in [0, ``scale``] (n, 3, 256, 256)."""
        return clip(self.spec.to_image(self.G(x))) * scale
