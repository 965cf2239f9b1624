"""ONNX models as black boxes, through onnxruntime."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene._types import JSON
from phosphene.errors import ImageError, NetworkError, ParameterError
from phosphene.scorers.base import MAX_BATCH, BoxComponent, Respond, check_count, checked_images, padded_batches
from phosphene.scorers.fitting import Fitting
from phosphene.scorers.onnx_external import model_digest
from phosphene.scorers.onnx_file import open_session
from phosphene.scorers.onnx_input import Layout, image_input, input_size
from phosphene.scorers.onnx_output import Places, checked_index, read_output
from phosphene.store.atomic import read_bytes

#: Bytes of a model file; Protocol Buffers hold no more, and larger models keep their weights beside it.
_MAX_FILE = 2**31
_BATCH = 8


@dataclass(frozen=True)
class OnnxScorer(BoxComponent):
    """Numbers that an ONNX model puts out, or computes on the way. Needs the extra "onnx".

    Images are resized to the model's input size, scaled to ``value_range``, normalised as ``(x - mean) / std`` and laid
    out as the model's input is. A model of a fixed batch is given just as many at a time.

    Attributes:
        path: the ``.onnx`` file; external weights lie beside it.
        output: name of an output, of a tensor within the graph, or of a node; None for the first output.
        index: which numbers of the output are responses, by their place behind the axis of images, from 0: one place,
            as 3 or (3, 5, 5), or a list of places, as ((3,), (4,)). What a place leaves open is averaged, such as the
            positions of channel 3. None: all numbers.
        input_size: height and width for models that take any; None shows them images as they are.
        layout: "NCHW" or "NHWC"; None to see it by the number of the input's channels.
        mean: subtracted from each channel, in units of ``value_range``; one number, or one for each channel.
        std: by which each channel is divided then.
        value_range: what image values 0 and 1 become; None for (0, 1), or (0, 255) where the model takes whole numbers.
        channel_order: order of colours that the model expects; images are always RGB.
        providers: onnxruntime's execution providers, in order of preference.
        batch_size: images at a time; always as many, at most 4096, the last ones filled up.
    """

    path: str
    output: str | None = None
    index: tuple[tuple[int, ...], ...] | tuple[int, ...] | int | None = None
    input_size: tuple[int, int] | None = None
    layout: Layout | None = None
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    value_range: tuple[float, float] | None = None
    channel_order: Literal["RGB", "BGR"] = "RGB"
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    batch_size: int = _BATCH

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", str(self.path))
        object.__setattr__(self, "index", checked_index(self.index))
        super().__post_init__()
        for name, known in (("layout", ("NCHW", "NHWC", None)), ("channel_order", ("RGB", "BGR"))):
            check(getattr(self, name) in known, name, getattr(self, name), " or ".join(map(repr, known)))
        size = self.input_size
        check(size is None or (len(size) == 2 and min(size) > 0), "input_size", size, "(height, width) in pixels")
        check(len(self.mean) > 0 and all(map(math.isfinite, self.mean)), "mean", self.mean, "finite numbers")
        check(len(self.std) > 0 and all(0 < s < math.inf for s in self.std), "std", self.std, "numbers above 0")
        low, high = self.value_range or (0.0, 1.0)
        check(-math.inf < low < high < math.inf, "value_range", self.value_range, "(low, high), low < high")
        check(len(self.providers) > 0, "providers", self.providers, "such as ('CPUExecutionProvider',)")
        check_count("batch_size", self.batch_size, MAX_BATCH)

    @property
    def name(self) -> str:
        places = [",".join(map(str, place)) for place in self.places or ()]
        return f"{Path(self.path).name}:{self.output or 'output'}" + (f"[{'; '.join(places)}]" if places else "")

    @property
    def n_responses(self) -> int | None:
        return None if self.places is None else len(self.places)

    @property
    def places(self) -> Places | None:
        """``index`` as a list of places."""
        return checked_index(self.index)

    @property
    def risk(self) -> str:
        return f"run the model {self.path}"

    def describe(self) -> dict[str, JSON]:
        """See :meth:`BlackBox.describe`; with the SHA-256 of the model.

        Raises:
            StorageError: the file, or one with its weights, cannot be read.
            NetworkError: it is no ONNX model.
        """
        return {**self.to_json(), "digest": self.digest}

    @property
    def digest(self) -> str:
        """SHA-256 in hex: of the file, and where others beside it hold weights, of these too."""
        return model_digest(Path(self.path), read_bytes(self.path, limit=_MAX_FILE))

    @contextmanager
    def open(self, device: torch.device) -> Generator[Respond, None, None]:
        """See :meth:`BlackBox.open`; where it computes is for the providers to say.

        Raises:
            StorageError: the file cannot be read.
            NetworkError: it is no model of images that onnxruntime can run, or has no such output.
            MissingExtraError: onnxruntime is not installed.
        """
        session, output = open_session(
            Path(self.path), read_bytes(self.path, limit=_MAX_FILE), self.output, providers=self.providers
        )
        yield _Responding(self, session, output)


class _Responding:
    """An open session, and how images are brought into it."""

    def __init__(self, spec: OnnxScorer, session: Any, output: str) -> None:
        self.spec, self.session, self.output = spec, session, output
        self.input = image_input(session, spec.path, spec.layout)
        self.batch_size = self.input.n_images or spec.batch_size
        size = input_size(self.input.size, spec.input_size, spec.path)
        self.fit = Fitting(size, self.batch_size, torch.device("cpu"))
        self.range = spec.value_range or ((0.0, 255.0) if self.input.is_whole else (0.0, 1.0))

    def __call__(self, images: Tensor) -> Float[Tensor, "n k"]:
        seen = checked_images(images).cpu()
        channels = seen.shape[1]
        if self.input.n_channels not in (None, channels):
            raise ImageError(f"images have {channels} channels, but {self.spec.path} takes {self.input.n_channels}")
        found = [self._batch(batch)[:n] for batch, n in padded_batches(seen, self.batch_size)]
        return torch.cat(found) if found else torch.empty(0, self.spec.n_responses or 1, dtype=torch.float64)

    @torch.no_grad()
    def _batch(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        views = self._normalized(self.fit(images))
        views = views.round() if self.input.is_whole else views
        views = views.permute(0, 2, 3, 1) if self.input.channels_last else views
        array = np.ascontiguousarray(views, dtype=self.input.dtype)
        try:
            (answer,) = self.session.run([self.output], {self.input.name: array})
        except Exception as error:  # onnxruntime has a class of its own for each kind of failure
            sentence = str(error).strip().split("\n")[0][:300]
            raise NetworkError(f"{self.spec.path} fails on images of shape {array.shape}: {sentence}") from None
        return read_output(answer, len(images), self.spec.places, who=self.spec.name)

    def _normalized(self, images: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        low, high = self.range
        mean, std = (_per_channel(name, getattr(self.spec, name), images) for name in ("mean", "std"))
        colors = images.flip(1) if self.spec.channel_order == "BGR" else images
        return (low + colors * (high - low) - mean) / std


def _per_channel(name: str, values: Sequence[float], images: Tensor) -> Float[Tensor, "c 1 1"]:
    n = images.shape[1]
    if len(values) not in (1, n):
        raise ParameterError(
            f"{name} has {len(values)} numbers, but images have {n} channels; give one, or one for each"
        )
    return torch.tensor(values, dtype=images.dtype)[:, None, None]
