"""Simulated neurons that answer a session as a rig would, to try it out."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.cli.session_memory import Neuron
from phosphene.errors import ParameterError, nearest
from phosphene.functional.random import stream_seed
from phosphene.scorers import Additive, BlackBox, FunctionScorer, Multiplicative, Noise, Poisson, units
from phosphene.sessions import Session, Trial

if TYPE_CHECKING:
    from phosphene.scorers import Respond

Array = npt.NDArray[np.float64]

_NOISES = {"poisson": Poisson, "multiplicative": Multiplicative, "additive": Additive}
_NOISE = re.compile(r"(?P<kind>[a-z]+)(:(?P<size>[0-9.eE+-]+))?")
#: The Gabor neuron: cycles across the image's height, standard deviation as a share of it, orientation of the grating
#: in degrees, and the response to the best stimulus in spikes.
_CYCLES, _SD, _ANGLE_DEG, _MOST = 4.0, 0.15, 30.0, 50.0
_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601-7


class Answering:
    """A simulated neuron at work: images in, noisy responses out.

    A response depends on the image, the seed, and the stimulus and trial it is to, never on what came before: a session
    that was killed and resumed gets the same responses as one that was not.
    """

    def __init__(self, respond: Respond, noise: Noise | None, seed: int) -> None:
        self._respond, self._noise, self._seed = respond, noise, seed

    def __call__(self, images: Sequence[Float[Tensor, "3 h w"]], shown: Sequence[tuple[str, int]]) -> list[Trial]:
        """The trials of presentations (stimulus, trial), one for each image."""
        # Reference images may have a size of their own.
        batches = [torch.stack([*images])] if len({image.shape for image in images}) == 1 else [i[None] for i in images]
        responses = torch.cat([self._respond(batch) for batch in batches]).numpy().astype(np.float64)
        return [Trial(name, self._noisy(row, name, n), n) for row, (name, n) in zip(responses, shown, strict=True)]

    def _noisy(self, responses: Array, stimulus: str, trial: int) -> tuple[float, ...]:
        if self._noise is None:
            return tuple(responses.tolist())
        draws = np.random.default_rng(stream_seed(self._seed, stimulus, str(trial)))
        return tuple(self._noise.trials(responses, draws).tolist())


@contextlib.contextmanager
def answering(neuron: Neuron) -> Generator[Answering, None, None]:
    """While the block lasts, the neuron at work.

    Raises:
        ParameterError: the noise is none.
        PhospheneError: whatever loading the network and naming its unit raise.
    """
    noise = None if neuron.noise is None else parse_noise(neuron.noise)
    with _box(neuron).open(torch.device("cpu")) as respond:
        yield Answering(respond, noise, neuron.seed)


def parse_noise(text: str) -> Noise:
    """Noise such as ``poisson:10`` (scale), ``multiplicative:0.2`` or ``additive:1`` (standard deviation).

    Raises:
        ParameterError: it is none.
    """
    match = _NOISE.fullmatch(text)
    kind = match["kind"] if match else text.partition(":")[0]
    if match is None or kind not in _NOISES:
        hint = nearest(kind, _NOISES) or f"expected {', '.join(_NOISES)}, with a size as in poisson:10"
        raise ParameterError(f"--noise: {text!r} is no noise; {hint}")
    try:
        size = None if match["size"] is None else float(match["size"])
    except ValueError:
        raise ParameterError(f"--noise: {match['size']!r} is no number; write poisson:10") from None
    if size is None:
        return _NOISES[kind]()
    return Poisson(scale=size) if kind == "poisson" else _NOISES[kind](sd=size)  # pyright: ignore[reportCallIssue]


def answer_directly(
    session: Session, answer: Answering, *, generations: int | None, say: Callable[[str], None]
) -> None:
    """Answer an open session until so many generations are over, one block at a time; None for no end."""
    while generations is None or session.status().generation < generations:
        waiting = session.ask()
        images = [seen(session.plan.display.compose(one.image)) for one in waiting]
        receipt = session.tell(answer(images, [(one.stimulus, one.trial) for one in waiting]))
        if receipt.updated:
            say(progress(session))


def seen(image: Float[Tensor, "3 h w"]) -> Float[Tensor, "3 h w"]:
    """The image in the 8 bits of a screen, as a rig shows it."""
    return image.clamp(0, 1).mul(255).round() / 255


def progress(session: Session) -> str:
    """How the generation that is just over went, in a line."""
    status = session.status()
    rows = [row for row in session.history().generations if row.generation == status.generation - 1]
    parts = (f"{row.thread} {row.mean:.4g} (reference {row.reference_mean:.4g})" for row in rows)
    return f"generation {status.generation - 1}: {', '.join(parts)}"


def gabor_responses(images: npt.NDArray[np.float32]) -> Array:
    """Responses (n,) of a simple cell to images (n, h, w, c) in [0, 1]: the cosine between the image, in grey and less
    its mean, and a Gabor filter; rectified.
    """
    height, width, n_channels = images.shape[1:]
    grey = images.astype(np.float64) @ (_LUMA if n_channels == 3 else np.full(n_channels, 1 / n_channels))
    grey -= grey.mean((1, 2), keepdims=True)
    lengths = np.linalg.norm(grey, axis=(1, 2))
    along = (grey * gabor(height, width)).sum((1, 2))
    return _MOST * np.maximum(0, np.divide(along, lengths, out=np.zeros_like(along), where=lengths > 0))


def gabor(height: int, width: int) -> Array:
    """The Gabor filter (h, w) of the simulated simple cell, of length 1 and mean 0."""
    rows = (np.arange(height) + 0.5) / height - 0.5
    columns = ((np.arange(width) + 0.5) - width / 2) / height
    y, x = np.meshgrid(rows, columns, indexing="ij")
    angle = np.deg2rad(_ANGLE_DEG)
    wave = np.cos(2 * np.pi * _CYCLES * (x * np.cos(angle) + y * np.sin(angle)))
    found = np.exp(-(x**2 + y**2) / (2 * _SD**2)) * wave
    found -= found.mean()
    return found / np.linalg.norm(found)


def _box(neuron: Neuron) -> BlackBox:
    if neuron.net is None:
        return FunctionScorer(gabor_responses)
    from phosphene.cli.networks import load_network
    from phosphene.cli.units_text import parse_units

    network = load_network(neuron.net)
    return units(network, *(named.unit for named in parse_units(network, [neuron.unit or ""])))
