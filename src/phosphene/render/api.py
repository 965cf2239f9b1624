"""The public door: ``render`` and ``replay``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from phosphene import store
from phosphene._algebra import Objective
from phosphene.errors import ArgumentError, ParameterError, RecipeError, TrustError
from phosphene.models.load import reload
from phosphene.models.network import Network
from phosphene.optimizers import Optimizer
from phosphene.parameterizations import Parameterization
from phosphene.render import display
from phosphene.render.batches import Job, out_of_memory, plan_batches
from phosphene.render.defaults import default_recipe
from phosphene.render.document import Picture, read_document
from phosphene.render.recipe import Recipe
from phosphene.render.result import Result, gather
from phosphene.render.run import Outcome, Settings, run_batch

Progress = bool | Callable[[int], None]


def render(  # noqa: PLR0913 - the public door: what is positional, how is keyword-only
    net: Network,
    objective: Objective | Sequence[Objective],
    parameterization: Parameterization | None = None,
    *,
    recipe: Recipe | None = None,
    transforms: Iterable[object] | None = None,
    views: int | None = None,
    optimizer: Optimizer | None = None,
    steps: int | None = None,
    snapshots: Iterable[int] = (),
    seed: int = 0,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
    batch_size: int | None = None,
    progress: Progress = True,
) -> Result:
    """Synthesise the image that drives a unit most.

    Args:
        net: from :func:`phosphene.load` or :func:`phosphene.wrap`.
        objective: what is wanted; of a list, every objective gets an image of its own, in shared batches.
        parameterization: what is optimised, such as ``ph.Fourier(224, 224)``.
        recipe: the method; by default the one for channels or for classes, as the objective asks.
        transforms: what makes a view of the image, instead of the recipe's; any function of views (m, c, h, w) will do.
        views: independent views of each image in a step, instead of the recipe's; the score is their mean.
        optimizer: how the parameters climb, instead of the recipe's.
        steps: number of steps, instead of the recipe's.
        snapshots: steps after which the images are kept in ``result.snapshots``; 0 is the start.
        seed: every random stream depends on it and on the objective, never on the batch.
        device: where to compute; by default where the network is.
        dtype: float32, float64, or bfloat16 (the network in autocast, images in float32).
        batch_size: images at once; by default what memory holds. Halved when memory runs out.
        progress: whether a progress bar is shown, or a function that is told how many image-steps were done.

    Returns:
        the pictures in the order of the objectives. After a keyboard interrupt: those that were begun, as they were.

    Raises:
        UnknownLayerError, UnknownClassError, UnitRangeError, LayoutError: an objective does not fit the network;
            nothing was rendered.
        ArgumentError, ParameterError: an argument is of the wrong kind or out of range.
    """
    if not isinstance(net, Network):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(
            f"net must come from ph.load or ph.wrap; got {type(net).__name__}; try ph.wrap(module, mean=…, std=…)"
        )
    changes = {
        "parameterization": parameterization,
        "transforms": None if transforms is None else tuple(transforms),  # pyright: ignore[reportArgumentType]
        "views": views,
        "optimizer": optimizer,
        "steps": steps,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    jobs = [
        Job(i, o, replace(recipe or default_recipe(o, net), **changes)) for i, o in enumerate(_objectives(objective))
    ]
    for job in jobs:
        _check_channels(job.recipe, net)
    settings = Settings(seed, _device(net, device), dtype, frozenset(snapshots))
    batches = list(plan_batches(jobs, net, batch_size=batch_size, device=settings.device))
    total = sum(job.recipe.steps for job in jobs)
    with _Meter(progress, total) as advance:
        outcomes = list(_run(batches, net, settings, progress=advance))
    return gather(outcomes, net, settings)


def _run(
    batches: Iterable[tuple[Job, ...]], net: Network, settings: Settings, *, progress: Callable[[int], None]
) -> Iterator[Outcome]:
    """Run batches one by one; one that does not fit into memory is halved, an interrupt ends the run after its
    batch.
    """
    waiting = list(batches)
    while waiting:
        jobs = waiting.pop(0)
        try:
            outcome = run_batch(jobs, net, settings, progress=progress)
        except RuntimeError as error:
            if len(jobs) == 1 or not out_of_memory(error):
                raise
            half = len(jobs) // 2
            waiting[:0] = [jobs[:half], jobs[half:]]
            continue
        yield outcome
        if outcome.interrupted:
            return


def _objectives(objective: object) -> list[Objective]:
    wanted = list(objective) if isinstance(objective, Sequence) and not isinstance(objective, str) else [objective]
    for one in wanted:
        if not isinstance(one, Objective):
            raise ArgumentError(
                f"expected an objective such as ph.Channel('blocks.8', 7), or a list of them; got {one!r}"
            )
    if not wanted:
        raise ParameterError("there is nothing to render: the list of objectives is empty")
    return [one for one in wanted if isinstance(one, Objective)]


def _check_channels(recipe: Recipe, net: Network) -> None:
    made = recipe.parameterization.image_channels
    if made != net.n_channels:
        raise ParameterError(
            f"{net.name} takes images of {net.n_channels} channels; {recipe.parameterization.kind()} makes {made}"
        )


def _device(net: Network, device: torch.device | str | None) -> torch.device:
    if device is not None:
        try:
            return torch.device(device)
        except RuntimeError as error:
            raise ParameterError(f"device is {device!r}; expected 'cpu', 'cuda', 'cuda:1', 'mps' …: {error}") from None
    return next((p.device for p in net.module.parameters()), torch.device("cpu"))


class _Meter:
    """A progress bar over image-steps, a caller's own function, or nothing."""

    def __init__(self, progress: Progress, total: int) -> None:
        own = callable(progress)
        self.bar = None if own else tqdm(total=total, unit="step", disable=not progress, leave=False)
        self.advance: Callable[[int], Any] = progress if callable(progress) else self.bar.update if self.bar else int

    def __enter__(self) -> Callable[[int], Any]:
        return self.advance

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()


@dataclass(frozen=True, eq=False)
class Replay:
    """A picture rendered again.

    Attributes:
        result: the new picture.
        identical: whether it is the saved one, bit for bit.
        max_difference: largest difference of a value, of 255.
        n_differing: number of values that differ.
    """

    result: Result
    identical: bool
    max_difference: int
    n_differing: int


def replay(path: str | Path, *, net: Network | None = None, trust: bool = False, progress: Progress = True) -> Replay:
    """Render a saved picture again from the recipe that it carries, and compare.

    Args:
        path: a PNG that phosphene saved.
        net: the network, for pictures of a module that was wrapped by hand.
        trust: allow the recipe to import modules, run factories and download weights.
        progress: as in :func:`render`.

    Raises:
        TrustError: the recipe would do one of these, and ``trust`` is false.
        RecipeError: the picture's recipe is damaged, or its network has other weights.
        StorageError: the file cannot be read.
    """
    picture = read_document(store.read_png_document(path), trust=trust)
    network = _load_again(picture, trust) if net is None else net
    if network.digest != picture.network["digest"]:
        raise RecipeError(f"network.digest: {network.name} has other weights than the network of this picture")
    result = _render_again(picture, network, progress)
    saved, made = store.read_png_pixels(path), display.to_uint8(result.images[0])
    if saved.shape != made.shape:
        raise RecipeError(f"document: it describes a picture of {made.shape}, but the file holds {saved.shape}")
    difference = np.abs(saved.astype(np.int16) - made.astype(np.int16))
    return Replay(result, not difference.any(), int(difference.max()), int((difference > 0).sum()))


def _load_again(picture: Picture, trust: bool) -> Network:
    """The network of a picture; only the bundled one is loaded without trust."""
    source = {key: value for key, value in picture.network.items() if key != "digest"}
    needs = {
        "timm": "import timm and download weights",
        "torchvision": "import torchvision and download weights",
        "factory": f"import and call {source.get('target')!r}",
    }
    if source["kind"] in needs and not trust:
        need = needs[str(source["kind"])]
        raise TrustError(
            f"this picture would {need}; allow that with trust=True (--trust), or give the network as net="
        )
    return reload(source)


def _render_again(picture: Picture, net: Network, progress: Progress) -> Result:
    """The whole batch again, with as many threads: a picture's last bits depend on the shapes it was computed in."""
    threads = torch.get_num_threads()
    torch.set_num_threads(picture.threads)
    device = picture.device if picture.device == "cpu" else None
    try:
        everything = render(
            net,
            picture.objectives,
            recipe=picture.recipe,
            seed=picture.seed,
            dtype=picture.dtype,
            device=device,
            batch_size=len(picture.objectives),
            progress=progress,
        )
    finally:
        torch.set_num_threads(threads)
    return everything[picture.index]
