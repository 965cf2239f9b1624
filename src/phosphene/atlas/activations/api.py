"""The door: activation atlases of a layer, and of two that correspond."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np

from phosphene._component import check
from phosphene._version import __version__
from phosphene.atlas.activations.drawing import planned
from phosphene.atlas.activations.icons import Icons
from phosphene.atlas.activations.layout import UMAP, Layout, Points, fitted
from phosphene.atlas.activations.mapping import Mapper
from phosphene.atlas.activations.sampling import Floats, Samples, Whole, sampled
from phosphene.blocks.pictures import Pictures
from phosphene.blocks.places import places_of
from phosphene.collection.plan import whole
from phosphene.collection.sources import open_source
from phosphene.errors import ImageError
from phosphene.models.network import Network
from phosphene.render.progress import Meter
from phosphene.store.atlas.activation_map import ActivationAtlas

#: A plane needs a few places, and a page can show so many squares along a side.
_FEWEST, _FINEST = 10, 200
#: More activations are beyond any memory; umap-learn takes seeds of 32 bits.
_MOST, _LAST_SEED = 2**31 - 1, 2**32 - 1


def activation_atlas(  # noqa: PLR0913 - an entry point, keyword-only
    net: Network,
    layer: str,
    images: object,
    *,
    n_activations: int = 100_000,
    grids: Sequence[int] = (10, 20, 40),
    icons: Icons = Icons(),  # noqa: B008 - a frozen value
    layout: Layout = UMAP(),  # noqa: B008 - a frozen value
    seed: int = 0,
    pictures: Pictures | None = None,
    progress: bool = True,
) -> ActivationAtlas:
    """What a layer makes of many photographs, laid out on a plane, with a picture of what each place of it looks for
    (Carter and others, "Activation Atlas", Distill 2019).

    Activations at random positions of the photographs get places by UMAP; the plane is cut into grids; the mean of the
    activations in each cell is rendered as an icon, and shown to the rest of the network for the classes that it speaks
    for. Memory holds all activations.

    Args:
        net: the network; it computes where its weights are.
        layer: the layer.
        images: photographs, as :func:`phosphene.collect` takes them.
        n_activations: how many activations; of fewer photographs each gives several, from different positions, as far
            as the layer has them.
        grids: squares along each side of the plane, for each grid.
        icons: how cells' pictures are made, and which cells are shown.
        layout: how activations get places.
        seed: seed of every random draw, 0 to 2³² - 1; the same seed gives the same atlas.
        pictures: where icons are kept, so that an atlas that was interrupted goes on; by default nowhere.
        progress: whether bars are shown.

    Raises:
        UnknownLayerError, LayoutError: there is no such layer, or it has no channels that are known.
        ParameterError: a number out of range, or none.
        StorageError: no such folder, or no files in it.
        ArgumentError: images that are no source.
        ImageError: too few photographs that can be read.
        NetworkError: activations that are not finite.
        MissingExtraError: umap-learn is not installed.
        KeyboardInterrupt: somebody interrupted; icons that were finished are kept in ``pictures``.
    """
    subjects = ((net, layer),)
    mapper = _mapper(grids, icons, layout, seed=seed, pictures=pictures, progress=progress)
    found = _sampled(subjects, images, n=n_activations, mapper=mapper)
    points = fitted(layout.places(found[0].vectors, mapper.seed))
    return _atlas(subjects, found, points, mapper=mapper)


def aligned_activation_atlas(  # noqa: PLR0913 - an entry point, keyword-only
    first: tuple[Network, str],
    second: tuple[Network, str],
    images: object,
    *,
    n_activations: int = 100_000,
    grids: Sequence[int] = (10, 20, 40),
    icons: Icons = Icons(),  # noqa: B008 - a frozen value
    layout: Layout = UMAP(),  # noqa: B008 - a frozen value
    seed: int = 0,
    pictures: Pictures | None = None,
    progress: bool = True,
) -> ActivationAtlas:
    """Two layers, of one network or of two, on one plane: a cell at the same row and column of both maps is of the same
    points of the same photographs.

    Both layers are read at the same points. What is laid out are both activations at once, each at length 1: the cosine
    of two points is the mean of their cosines in both layers.

    Args:
        first: a network and its layer.
        second: another network, or the same, and its layer.
        images: photographs, that can be read twice.
        n_activations: how many points.
        grids: see :func:`activation_atlas`, as all that follows.
        icons: how cells' pictures are made.
        layout: how points get places.
        seed: seed of every random draw.
        pictures: where icons are kept.
        progress: whether bars are shown.

    Raises: as :func:`activation_atlas`.
    """
    subjects = (first, second)
    mapper = _mapper(grids, icons, layout, seed=seed, pictures=pictures, progress=progress)
    found = _sampled(subjects, images, n=n_activations, mapper=mapper)
    points = fitted(layout.places(joined([each.vectors for each in found]), mapper.seed))
    return _atlas(subjects, found, points, mapper=mapper)


def joined(vectors: Sequence[Floats]) -> Floats:
    """Vectors of several layers as one for each point (n, all channels), each layer's at length 1."""
    lengths = [np.linalg.norm(each, axis=1, keepdims=True) for each in vectors]
    units = [each / np.where(long > 0, long, 1) for each, long in zip(vectors, lengths, strict=True)]
    return np.concatenate(units, axis=1).astype(np.float32)


def together(found: Sequence[Samples]) -> list[Samples]:
    """Of all, the activations at points that all of them have: what one network could not read, none has."""
    names = [list(zip(each.images.tolist(), each.points.tolist(), strict=True)) for each in found]
    common = set[tuple[int, int]](names[0]).intersection(*names[1:])
    kept = [np.array([name in common for name in each], bool) for each in names]
    return [each.rows(np.flatnonzero(some)) for each, some in zip(found, kept, strict=True)]


def _sampled(subjects: Sequence[tuple[Network, str]], images: object, *, n: int, mapper: Mapper) -> list[Samples]:
    n, seed = whole("n_activations", n, _FEWEST, _MOST), mapper.seed
    places = [places_of(net.layer(layer), net.input_size) for net, layer in subjects]
    coarsest = (min(each.rows for each in places), min(each.columns for each in places))
    source = open_source(images)
    some, draw = planned(source, n, coarsest, seed=seed)
    found: list[Samples] = []
    with Meter(mapper.progress, len(subjects) * (some.n or 0), "photograph") as advance:
        for net, layer in subjects:
            found.append(sampled(net, layer, some, draw=draw, most=n, advance=advance))
    found = together(found)
    found = [each.rows(_chosen(len(each), n, seed)) for each in found]
    if len(found[0]) < _FEWEST:
        raise ImageError(
            f"{source.name} gave {len(found[0])} activations of {subjects[0][1]!r}, expected at least {_FEWEST}; give "
            "more photographs"
        )
    return found


def _chosen(n: int, most: int, seed: int) -> Whole:
    """At most so many of ``n`` row numbers, ascending."""
    return np.arange(n) if n <= most else np.sort(np.random.default_rng(seed).permutation(n)[:most])


def _mapper(
    grids: Sequence[int], icons: Icons, layout: Layout, *, seed: int, pictures: Pictures | None, progress: bool
) -> Mapper:
    sizes, seed = _sizes(grids), whole("seed", seed, 0, _LAST_SEED)
    if isinstance(layout, UMAP):
        layout.require()
    settings = (
        ("layout", str(layout)),
        ("icons", str(icons)),
        ("cells", f"of at least {icons.least} activations"),
        ("classes", "logits of a layer full of the cell's mean activation, less those of the mean of all"),
        ("seed", str(seed)),
        ("phosphene", __version__),
    )
    return Mapper(sizes, icons, pictures, seed, progress, settings)


def _sizes(grids: object) -> list[int]:
    """Sides of grids, ascending, each once."""
    several = list(cast("Iterable[object]", grids)) if isinstance(grids, Iterable) else []
    check(len(several) > 0, "grids", grids, "one number at least, as a list")
    return sorted({whole("grids", size, 1, _FINEST) for size in several})


def _atlas(
    subjects: Sequence[tuple[Network, str]], found: Sequence[Samples], points: Points, *, mapper: Mapper
) -> ActivationAtlas:
    pairs = zip(subjects, found, strict=True)
    return ActivationAtlas(tuple(mapper.map(net, layer, samples, points=points) for (net, layer), samples in pairs))
