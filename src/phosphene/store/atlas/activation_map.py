"""An activation atlas: what a layer makes of many photographs, laid out on a plane, with a picture for each place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ActivationCell:
    """A square of the plane, and the mean of the activations in it.

    Attributes:
        row, column: its place in the grid; row 0 is on top.
        count: activations in it.
        image: picture of the mean direction, encoded as WebP; None where it could not be rendered.
        status: "ok", or what went wrong with the picture.
        classes: the classes that the mean activation speaks for most: index and attribution, largest first.
        examples: keys of photographs whose activations lie nearest to the cell's mean.
    """

    row: int
    column: int
    count: int
    image: bytes | None
    status: str
    classes: tuple[tuple[int, float], ...]
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class ActivationGrid:
    """The plane cut into ``size`` × ``size`` squares; those of too few activations are left out."""

    size: int
    cells: tuple[ActivationCell, ...]


@dataclass(frozen=True)
class ActivationMap:
    """The atlas of one layer.

    Attributes:
        network: its name.
        network_digest: SHA-256 of its weights.
        layer: the layer.
        n_activations: how many were laid out.
        n_images: of how many photographs.
        labels: class names by index, as the cells' ``classes`` count them; empty where there are none.
        grids: from coarse to fine.
        points: places (x, y) in [0, 1] of some activations, for a picture of their density; x to the right, y down.
        settings: what it was made with, as text for people: layout, whitening, recipe.
    """

    network: str
    network_digest: str
    layer: str
    n_activations: int
    n_images: int
    labels: tuple[str, ...]
    grids: tuple[ActivationGrid, ...]
    points: tuple[tuple[float, float], ...]
    settings: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ActivationAtlas:
    """One map, or two of aligned layers or networks whose places correspond: a cell at the same row and column of both
    maps is of the same photographs.
    """

    maps: tuple[ActivationMap, ...]
