"""``render_vis``: Lucent's function, on phosphene's engine."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from numbers import Integral
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from phosphene.compat.lucent.misc.io.showing import show
from phosphene.compat.lucent.optvis import param, transform
from phosphene.compat.lucent.optvis._engine import Painted
from phosphene.compat.lucent.optvis._pictures import Array, as_arrays, export, tensor_to_img_array, view
from phosphene.compat.lucent.optvis._run import Report, Run, painted
from phosphene.compat.lucent.optvis.hook import ModelHook, hook_model
from phosphene.compat.lucent.optvis.objectives import as_objective
from phosphene.compat.lucent.optvis.transform import Drawn
from phosphene.errors import ArgumentError
from phosphene.render import Result

__all__ = ["ModelHook", "export", "hook_model", "render_vis", "tensor_to_img_array", "view"]

ParamF = Callable[[], tuple[Iterable[Tensor], Callable[[], Tensor]]]
OptimizerF = Callable[[list[Tensor]], torch.optim.Optimizer]
FixedSize = int | Sequence[int] | None

#: Images with a smaller side are enlarged to this before the model sees them.
_LEAST_SIZE = 224
_LR = 5e-2


def render_vis(  # noqa: PLR0913 - Lucent's signature
    model: nn.Module,
    objective_f: object,
    param_f: ParamF | None = None,
    optimizer: OptimizerF | None = None,
    transforms: Sequence[transform.TransformF] | None = None,
    thresholds: Sequence[int] = (512,),
    verbose: bool = False,
    preprocess: bool = True,
    progress: bool = True,
    show_image: bool = True,
    save_image: bool = False,
    image_name: str | Path | None = None,
    show_inline: bool = False,
    fixed_image_size: FixedSize = None,
) -> list[Array]:
    """Optimise images for an objective.

    The model is left as it was: no hook stays, no gradient is left on its weights, its mode is as before; while the
    images are made it is in eval mode. Everything happens where the model's weights are. The draws of a run depend on a
    number that is drawn from torch's own generator, so ``util.set_seed`` makes a whole script repeatable.

    Args:
        model: any network whose layers are modules.
        objective_f: "layer:channel", an objective, or any function of ``T`` that gives a loss for the whole batch. It
            is tried once before the first step, to learn which layers it reads.
        param_f: gives (params, image_f); by default ``param.image(128)``.
        optimizer: makes one of torch's optimizers from the list of parameters; by default Adam of 0.05. L-BFGS works.
        transforms: what is done to the images before the model sees them, instead of ``transform.standard_transforms``.
        thresholds: the steps after which the images are kept; the largest is the number of steps, 0 the start.
        verbose: tell the loss of the start, and that from which the step of each threshold starts.
        preprocess: normalise as torchvision's networks expect it; a model of the class InceptionV1 gets 255 x − 117.
        progress: show a progress bar, which counts each image's steps.
        show_image: open the last images in a viewer, where there is a display.
        save_image: write the last images, side by side, to ``image_name``.
        image_name: "image.jpg" by default.
        show_inline: show the last images in the notebook instead; with ``verbose``, those of every threshold.
        fixed_image_size: what images are resized to before the model sees them; by default 224 if a side is smaller.

    Returns:
        the images (n, h, w, channels) in [0, 1] of each threshold, in ascending order. After a keyboard interrupt: of
        the thresholds that were reached, then as they were.

    Raises:
        UnknownLayerError: the objective reads a layer that the model does not have.
        ArgumentError: an argument is of the wrong kind, or the objective gives more than one number.
        ImageError: ``param_f`` gives no images.
        NetworkError: the layer does not run, or puts out no tensor.
    """
    steps = _thresholds(thresholds)
    objective = as_objective(objective_f)
    canvas = _canvas(model, param_f or _image)
    chain = _chain(transforms, fixed_image_size, canvas.size)
    run = Run(model, canvas, (optimizer or _adam)(list(canvas.params)), chain, preprocess)
    result = run.climb(objective, steps, report=Report(steps if verbose else ()), progress=progress)
    images = _kept(result, steps)
    if save_image:
        export(result.images, image_name)
    if show_inline:
        _show(images if verbose else [as_arrays(result.images)])
    elif show_image:
        view(result.images)
    return images


def _show(images: Iterable[Array]) -> None:
    for image in images:
        show(image)


def _image() -> tuple[Iterable[Tensor], Callable[[], Tensor]]:
    return param.image(128)


def _canvas(model: nn.Module, param_f: ParamF) -> Painted:
    """The caller's image, made where the model is."""
    device = next((p.device for p in model.parameters()), None)
    with torch.device(device or torch.get_default_device()):
        return painted(*param_f(), device)


def _adam(params: list[Tensor]) -> torch.optim.Optimizer:
    return torch.optim.Adam(params, lr=_LR)


def _thresholds(thresholds: object) -> list[int]:
    """The thresholds in ascending order.

    Raises:
        ArgumentError: they are no list of whole numbers from 0.
    """
    given = list(thresholds) if isinstance(thresholds, Iterable) and not isinstance(thresholds, str) else []
    whole = [int(step) for step in given if not isinstance(step, bool) and isinstance(step, Integral)]
    if not whole or len(whole) != len(given) or min(whole) < 0:
        raise ArgumentError(f"thresholds is {thresholds!r}; expected numbers of steps such as (1, 32, 512)")
    return sorted(whole)


def _chain(transforms: Sequence[transform.TransformF] | None, size: FixedSize, canvas: tuple[int, int]) -> Drawn:
    given = transform.standard_transforms if transforms is None else transforms
    return transform.compose([*given, partial(_enlarged, size=size, canvas=canvas)])


def _enlarged(views: Tensor, size: FixedSize, canvas: tuple[int, int]) -> Tensor:
    """Views of the size that was asked for; those of canvases below 224 pixels are enlarged to that."""
    if size is None and min(canvas) >= _LEAST_SIZE:
        return views
    wanted = size or _LEAST_SIZE
    height, width = (wanted, wanted) if isinstance(wanted, int) else wanted
    return F.interpolate(views, (height, width), mode="bilinear", align_corners=True)


def _kept(result: Result, steps: Sequence[int]) -> list[Array]:
    """The images at the thresholds, and as they were at an interrupt; what went wrong is warned of."""
    n_done = len(result.scores[0])
    images = [as_arrays(result.snapshots[step]) for step in steps if step in result.snapshots]
    if n_done < steps[-1]:
        tqdm.write(f"Interrupted optimization at step {n_done}.")
        images.append(as_arrays(result.images))
    for sentence in dict.fromkeys(result.status):
        if not sentence.startswith(("ok", "interrupted")):
            warnings.warn(_plain(sentence), UserWarning, stacklevel=3)
    return images


def _plain(status: str) -> str:
    dead = "the objective's gradient in every parameter is exactly zero at the start, so the images stayed as they were"
    return dead if status.startswith("dead") else status
