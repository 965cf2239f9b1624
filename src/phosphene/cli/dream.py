"""``phosphene dream NET IMAGE --layer LAYER``: what a network sees in a photograph, drawn into it; also as a zoom."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phosphene.cli import console
from phosphene.cli.dream_output import MOVIES, check_writable, output_path
from phosphene.cli.networks import JsonOption, NetArgument, WeightsOption, load_network

if TYPE_CHECKING:
    from torch import Tensor

    from phosphene import Network, Recipe
    from phosphene.objectives import Objective
    from phosphene.recipes.zooming import Zoom

_RECIPES = ("deepdream", "tf_deepdream")
# Above this many pixels an image and its activations would fill the memory of many machines: it is cut into tiles.
_LARGE, _TILE = 1 << 20, 512


ImageArgument = Annotated[
    Path, typer.Argument(metavar="IMAGE", help="A photograph: JPEG, PNG, WebP, BMP, GIF or TIFF.")
]
LayerOption = Annotated[
    list[str],
    typer.Option(metavar="LAYER", help="What is drawn: blocks.5 (a layer), blocks.5:7 (a channel); repeatable."),
]
GuideOption = Annotated[
    Path | None, typer.Option(metavar="IMAGE", help="A second photograph whose features the dream takes up.")
]
RecipeOption = Annotated[str, typer.Option(metavar="NAME", help="deepdream (Caffe) or tf_deepdream.")]
OctavesOption = Annotated[int | None, typer.Option(min=1, help="Number of octaves. (default: 4)")]
ScaleOption = Annotated[float | None, typer.Option(help="Size of an octave over the one before. (default: 1.4)")]
StepsOption = Annotated[int | None, typer.Option(min=0, help="Steps in each octave. (default: 10)")]
StepOption = Annotated[float | None, typer.Option(help="Mean change in a step, of 255. (default: 1.5)")]
JitterOption = Annotated[
    int | None, typer.Option(min=0, help="Largest shift, in pixels; not beside tiles. (default: 32)")
]
TileOption = Annotated[
    int | None, typer.Option(min=8, help="Side of a tile, in pixels. (default: 512 for large images)")
]
SizeOption = Annotated[
    int | None, typer.Option(min=8, help="Longer side of the dream, in pixels. (default: the photograph's)")
]
ZoomOption = Annotated[int | None, typer.Option(min=1, metavar="N", help="Zoom into the dream for N frames.")]
ShareOption = Annotated[float, typer.Option(help="Share of the frame that a zoom cuts away each time.")]
FpsOption = Annotated[int, typer.Option(min=1, max=240, help="Frames per second of a movie.")]
OutputOption = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="OUT", help="A .png; of a zoom a folder, .gif or .mp4.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of every random draw.")]
DeviceOption = Annotated[str | None, typer.Option(help="cpu, cuda, mps, … (default: where the network is)")]


def dream(
    net: NetArgument,
    image: ImageArgument,
    *,
    layer: LayerOption,
    guide: GuideOption = None,
    recipe: RecipeOption = "deepdream",
    octaves: OctavesOption = None,
    scale: ScaleOption = None,
    steps: StepsOption = None,
    step: StepOption = None,
    jitter: JitterOption = None,
    tile: TileOption = None,
    size: SizeOption = None,
    zoom: ZoomOption = None,
    share: ShareOption = 0.05,
    fps: FpsOption = 15,
    output: OutputOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = None,
    weights: WeightsOption = None,
    json: JsonOption = False,
) -> None:
    """Dream of layers into a photograph; the PNG carries the recipe that made it.

    An interrupt keeps what is there: the picture as it is, or the frames so far. A zoom into a folder goes on from the
    frames that it finds there.
    """
    from phosphene.recipes.zooming import Zoom

    path = output_path(output, None if zoom is None else fps)
    network, photo = load_network(net, weights), _read(image, size)
    grey_step = None if step is None else step / 255
    options = {"octaves": octaves, "scale": scale, "steps": steps, "step": grey_step, "jitter": jitter}
    how = _recipe(recipe, photo, tile, {name: value for name, value in options.items() if value is not None})
    wanted = _objective(network, layer, None if guide is None else _read(guide, None, _LARGE))
    if zoom is None:
        check_writable(path)
        _dream(network, wanted, how, path=path, seed=seed, device=device, json=json)
    else:
        frames = Zoom(how, zoom, share, seed)
        check_writable(path)
        _zoom(network, wanted, frames, path=path, fps=fps, device=device, json=json)


def _read(path: Path, longest: int | None, most: float = math.inf) -> Tensor:
    """A photograph, with so many pixels on its longer side, and at most so many in all."""
    from phosphene.recipes.photograph import fitted_to
    from phosphene.store.photographs import read_image

    photo = read_image(path)
    n_pixels = photo[0].numel()
    if n_pixels > most:
        longest = int(max(photo.shape[1:]) * math.sqrt(most / n_pixels))
    return photo if longest is None else fitted_to(photo, longest)


def _recipe(name: str, photo: Tensor, tile: int | None, options: dict[str, Any]) -> Recipe:
    from phosphene.conditioners import Tiles
    from phosphene.errors import ArgumentError, RecipeError
    from phosphene.recipes.deepdream import deepdream
    from phosphene.recipes.deepdream_tensorflow import tf_deepdream

    if name not in _RECIPES:
        raise RecipeError(f"{name!r} is no way to dream; there are {' and '.join(_RECIPES)}")
    if name == "tf_deepdream":
        if "jitter" in options:
            raise ArgumentError("--jitter belongs to deepdream; in tf_deepdream the tiles are shifted at random")
        return tf_deepdream(photo, **({} if tile is None else {"tiles": Tiles(tile, tile)}), **options)
    is_large = photo[0].numel() > _LARGE
    if "jitter" in options and (tile is not None or is_large):
        why = "--tile was given" if tile is not None else "the image is large; --size makes it smaller"
        raise ArgumentError(f"--jitter is not for tiles, which shift by themselves, and {why}")
    if tile is None and is_large:
        console.say(f"The image is large: its gradient is computed in tiles of {_TILE} pixels; --tile sets another.")
        tile = _TILE
    return deepdream(photo, tiles=None if tile is None else Tiles(tile, tile), **options)


def _objective(network: Network, layers: list[str], guide: Tensor | None) -> Objective:
    from phosphene.cli.units_text import parse_units
    from phosphene.recipes.deepdream import dream_of

    return dream_of(network, [named.unit for named in parse_units(network, layers)], guide)


def _dream(
    network: Network, wanted: Objective, recipe: Recipe, *, path: Path, seed: int, device: str | None, json: bool
) -> None:
    """Dream once and save the picture, finished or not."""
    import phosphene as ph

    with console.progress("Dreaming", total=recipe.total_steps) as advance:
        result = ph.render(network, wanted, recipe=recipe, seed=seed, device=device, progress=advance)
        (file,) = result.save(path)
    score, status = result.final_scores.item(), result.status[0]
    if json:
        known = score if math.isfinite(score) else None
        console.print_json({"unit": str(wanted), "file": str(file), "score": known, "status": status})
    else:
        console.out().print(f"{wanted}  score {score:.4g}  {file}" + ("" if status == "ok" else f"  ({status})"))
    if status.startswith("interrupted"):
        raise KeyboardInterrupt


def _zoom(
    network: Network, wanted: Objective, zoom: Zoom, *, path: Path, fps: int, device: str | None, json: bool
) -> None:
    """Dream frame by frame, into a folder or a movie; what there is stays."""
    from phosphene.recipes.zooming import save_zoom, zoom_frames

    is_movie = path.suffix.lower() in MOVIES
    n_done = 0

    def counted() -> Iterator[Any]:
        nonlocal n_done
        for frame in zoom_frames(network, wanted, zoom, folder=None if is_movie else path, device=device):
            n_done += 1
            advance(1)
            yield frame

    try:
        with console.progress("Dreaming", total=zoom.n_frames) as advance:
            if is_movie:
                save_zoom(path, counted(), fps=fps)
            else:
                for _ in counted():
                    pass
    finally:  # what there was before an interrupt is told as well
        if json:
            console.print_json({"unit": str(wanted), "path": str(path), "n_frames": n_done})
        elif n_done:
            console.out().print(f"{wanted}  {n_done} frames  {path}")
