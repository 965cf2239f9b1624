"""The public door: ``collect``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import torch

from phosphene._component import check
from phosphene.collection.checkpoint import Checkpoint
from phosphene.collection.collection import Collection
from phosphene.collection.plan import Layers, plans_of, whole
from phosphene.collection.source import Source
from phosphene.collection.sources import open_source
from phosphene.collection.work import Work
from phosphene.errors import ArgumentError, ImageError
from phosphene.models.network import Network
from phosphene.render.progress import Progress
from phosphene.render.run import usable_device

_MAX_BATCH = 4096


def collect(  # noqa: PLR0913 - the public door: what is positional, how is keyword-only
    net: Network,
    layers: Layers,
    images: object,
    *,
    directory: str | os.PathLike[str],
    k: int = 9,
    by: str | Iterable[str] = ("max", "mean"),
    batch_size: int = 32,
    device: torch.device | str | None = None,
    sketch_k: int = 200,
    checkpoint_s: float = 60.0,
    progress: Progress = True,
    resume: bool = True,
) -> Collection:
    """Show photographs to a network once and write, for every channel of ``layers``, which drive it most, least and
    hardly at all, how its answers are distributed, and which channels answer alike.

    Memory does not grow with the number of images. Of layers of more than 4096 channels it is not kept which answer
    alike.

    A collection that was interrupted or killed goes on where it was saved last when it is asked for again: its
    rankings, means, spreads and correlations come out bit for bit as if nothing had happened, its quantiles within
    their rank error (sketches draw random numbers of their own). Another network, other settings or other images are
    refused: files when their names, sizes or times have changed, images in memory when one of 16 has, the first and the
    last among them, Hugging Face's data sets by their fingerprint. Of other data sets only kind and length are
    compared, of streams the kind. An iterator gives its images once: to go on, give a generator that has not begun.

    Args:
        net: the network.
        layers: a layer's name, several, or a mapping of names to the numbers of the channels wanted (None: all).
        images: a folder, with the folders in it; a list of files or of images; images (n, c, h, w); a Hugging Face data
            set (:func:`phosphene.collection.rows` chooses a column); a PyTorch data set, or a DataLoader, whose data
            set is read whole and in its own order (a sampler that chooses is refused); or anything that can be
            iterated. Tensors are (c, h, w), 8 bits or floats in [0, 1], not normalised; labels beside them are ignored.
            Each image is cut to the middle of the network's side ratio and resized, anti-aliased. What cannot be read
            is skipped, counted and named.
        directory: the folder of the collection; made if there is none.
        k: how many examples of each kind.
        by: how a channel's map becomes one number: "max", "mean" or both.
        batch_size: images that the network sees at once.
        device: where it computes; by default where the network is.
        sketch_k: parameter of the quantile sketches, whose rank error is 1.33 % at 200 and falls with 1 / k.
        checkpoint_s: seconds between two savings.
        progress: True shows a bar; a function is called with how many images were seen since.
        resume: False forgets what an unfinished or finished collection left in the folder.

    Raises:
        UnknownLayerError, LayoutError, UnitRangeError: a layer or channel that does not exist, or has no channels.
        ParameterError: a number or a device out of range.
        ArgumentError: images that are no source, an iterator that has begun, or an argument of the wrong kind.
        StorageError: no files, or a folder that cannot be written, or holds a collection with other settings.
        ImageError: tensors that are no images in [0, 1], or no image that can be read, or none at all.
        NetworkError: activations that are not finite.
        MissingExtraError: the extra "examples" is not installed.
    """
    size = whole("batch_size", batch_size, 1, _MAX_BATCH)
    _check_seconds(checkpoint_s)
    plans = plans_of(net, layers, by=by, k=k, sketch_k=sketch_k)
    source = _source(images, directory)
    work = Work(net, plans, source, batch_size=size, device=_device(net, device))
    checkpoint = Checkpoint(Path(directory), work.settings(), every_s=checkpoint_s)
    checkpoint.try_out()
    if not resume:
        checkpoint.forget()
    return work.run(checkpoint, progress)


def _check_seconds(checkpoint_s: object) -> None:
    is_time = isinstance(checkpoint_s, int | float) and checkpoint_s >= 0
    check(is_time, "checkpoint_s", checkpoint_s, "seconds, from 0")


def _source(images: object, directory: str | os.PathLike[str]) -> Source:
    """Where the images come from, checked against where the collection goes."""
    if not isinstance(directory, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(f"directory is a {type(directory).__name__}; expected the path of a folder")
    source = open_source(images)
    if source.n == 0:
        raise ImageError(f"images is empty ({source.name}); give a photograph at least")
    if source.root is not None:
        is_outside = not Path(directory).resolve().is_relative_to(source.root.resolve())
        check(is_outside, "directory", os.fspath(directory), "a folder outside that of the images")
    return source


def _device(net: Network, device: torch.device | str | None) -> torch.device:
    if device is None:
        return net.device
    return usable_device(device)
