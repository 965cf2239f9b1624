"""Any parameterization as a space of codes, and what else stands for one."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.errors import ArgumentError, ImageError
from phosphene.parameterizations import Generator, Latent, Parameterization
from phosphene.parameterizations.base import ColoredParameterization
from phosphene.spaces.base import Decoder, Space
from phosphene.spaces.layout import Layout, n_numbers

#: Images that are decoded at once: few enough for any memory, and always as many, as the last bits of an image depend
#: on the shapes in which it is computed.
_BATCH, _BATCH_VALUES = 8, 2**22


@dataclass(frozen=True)
class ImageSpace(Space):
    """The parameters of an image, flattened, in units of their standard deviation at the start: codes z ~ N(0, I)
    give the images that the parameterization itself starts from.

    Works for generators (``Latent``), ``Fourier``, ``Pixels``, ``LaplacianPyramid`` and every other parameterization
    whose images share nothing. A code of zeros is the middle of the starts: the ``start`` image where one is given.
    Beside a start image, or noise in an image's values, one unit is ``sd``. A CPPN's own starts are all grey; its
    weights, those of the output included, get N(0, 1 / fan-in), so that z ~ N(0, I) shows pictures. The constraint of
    a ``Latent`` holds for every code. A sigmoid over the default ``sd`` of 0.01 shows faint pictures: searches want
    ``Fourier(…, sd=1.0)`` or so.

    Attributes:
        parameterization: what makes an image of parameters.
    """

    parameterization: Parameterization

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.parameterization, Parameterization):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(
                f"parameterization is {type(self.parameterization).__name__}; expected one such as ph.Fourier(64, 64)"
            )
        coupled = "one whose images share parameters"
        check(not self.parameterization.couples, "parameterization", coupled, "images of their own, such as ph.Fourier")
        start = getattr(self.parameterization, "start", None)
        several = isinstance(self.parameterization, ColoredParameterization) and len(getattr(start, "shape", ())) == 4
        n_starts = start.shape[0] if several and start is not None else 1
        check(n_starts == 1, "start", f"{n_starts} images", "one image, which is where a search begins")

    @property
    def dim(self) -> int:
        return self._dim

    @cached_property
    def _dim(self) -> int:
        return n_numbers(self.parameterization)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        parameterization = self.parameterization
        return parameterization.image_channels, parameterization.height, parameterization.width

    def open(self, device: torch.device) -> Decoder:
        """What decodes codes (n, dim), any number of them, into images (n, c, h, w) on a device, float32, in [0, 1].

        Images are computed a fixed number at a time, so that how many are decoded with one leaves its bits alone (those
        of a decoder of one's own may depend on its place among them, in the last digit).

        Raises:
            WeightsError: a generator's weights cannot be found or do not fit.
        """
        return _ImageDecoder(self, device)

    def encode(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n dim"]:
        """Codes of images (n, c, h, w) in [0, 1], float32 on the CPU: what decodes to the nearest that can be shown.

        Raises:
            ParameterError: the parameterization's parameters cannot be found from an image, as a generator's cannot.
            ImageError: the images have another shape.
        """
        if images.ndim != 4 or tuple(images.shape[1:]) != self.image_shape:
            raise ImageError(f"images have shape {tuple(images.shape)}; expected (n, {_shape(self.image_shape)})")
        with torch.inference_mode(False), torch.no_grad():
            layout = Layout(self.parameterization, 1, torch.device("cpu"))
            rows: list[Tensor] = [torch.empty(0, self.dim)]
            for image in images.detach().to("cpu", torch.float32):
                layout.reset()
                layout.canvas.assign(image[None])
                rows.append(layout.get())
            return torch.cat(rows)


class _ImageDecoder:
    """One canvas of a fixed number of images, whose parameters are set again and again."""

    def __init__(self, space: ImageSpace, device: torch.device) -> None:
        channels, height, width = self.shape = space.image_shape
        n = max(1, min(_BATCH, _BATCH_VALUES // (channels * height * width)))
        self.dim, self.device = space.dim, device
        with torch.inference_mode(False), torch.no_grad():
            self.layout = Layout(space.parameterization, n, device)
        # Servers decode from several threads.
        self.lock = threading.Lock()

    def __call__(self, codes: Tensor) -> Float[Tensor, "n c h w"]:
        rows = checked_codes(codes, self.dim).to(self.device, torch.float32)
        with self.lock, torch.inference_mode(False), torch.no_grad():
            images = torch.empty(len(rows), *self.shape, device=self.device)
            for first in range(0, len(rows), self.layout.n):
                some = rows[first : first + self.layout.n]
                batch = some.new_zeros(self.layout.n, self.dim)
                batch[: len(some)] = some
                self.layout.set(batch)
                images[first : first + len(some)] = self.layout.canvas()[: len(some)].clamp(0, 1)
            return images


def checked_codes(codes: object, dim: int) -> Float[Tensor, "n dim"]:
    """Codes of ``dim`` finite numbers each, detached.

    Raises:
        ArgumentError: they are not.
    """
    fits = isinstance(codes, Tensor) and codes.ndim == 2 and codes.shape[1] == dim
    if not isinstance(codes, Tensor) or not fits or not codes.is_floating_point():
        found = f"shape {tuple(codes.shape)}, {codes.dtype}" if isinstance(codes, Tensor) else type(codes).__name__
        raise ArgumentError(f"codes are {found}; expected a tensor of floating point numbers (n, {dim})")
    if not bool(codes.isfinite().all()):
        row = int((~codes.isfinite().all(1)).nonzero()[0, 0])
        raise ArgumentError(f"code {row} holds numbers that are not finite, so it shows nothing: cap the codes' norm")
    return codes.detach()


def as_space(value: Space | Parameterization | Generator) -> Space:
    """A space of codes: itself, a parameterization's, or that of a generator's latent codes.

    Raises:
        ArgumentError: for anything else.
    """
    if isinstance(value, Space):
        return value
    if isinstance(value, Parameterization):
        return ImageSpace(value)
    if isinstance(value, Generator):  # pyright: ignore[reportUnnecessaryIsInstance]
        return ImageSpace(Latent(value))
    raise ArgumentError(
        f"{type(value).__name__} is no space of codes; expected a Space, a generator such as DCGAN(…), or a "
        "parameterization such as ph.Fourier(64, 64)"
    )


def _shape(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
