"""An activation atlas from photographs to cells."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import networks
import numpy as np
import pytest
import torch
from planes import QUICK, FirstTwo

from phosphene import store
from phosphene.atlas.activations import Principal, activation_atlas, aligned_activation_atlas
from phosphene.atlas.activations.api import joined, together
from phosphene.atlas.activations.bins import whitening
from phosphene.atlas.activations.classes import class_attributions
from phosphene.atlas.activations.drawing import Draw
from phosphene.atlas.activations.icons import made
from phosphene.atlas.activations.layout import fitted
from phosphene.atlas.activations.sampling import Samples, sampled
from phosphene.collection.sources import open_source
from phosphene.errors import ArgumentError, ImageError, ParameterError, StorageError, UnknownLayerError
from phosphene.store.atlas.activation_map import ActivationAtlas

NET = networks.conv_net()
IMAGES = networks.random_images(30, 3, NET.input_size, dtype=torch.float32)
#: The plane's corner that belongs to the last cell, and the middle of each photograph's grid.
HOW = {"grids": (4, 2), "icons": QUICK, "layout": FirstTwo(), "progress": False}


def atlas(**how: object) -> ActivationAtlas:
    return activation_atlas(NET, "conv2", IMAGES, **{"n_activations": 90, **HOW, **how})


def samples() -> Samples:
    return sampled(NET, "conv2", open_source(IMAGES), draw=Draw(6, 5, 3, 0), most=90)


def test_every_cell_is_what_a_loop_over_the_activations_makes_of_it() -> None:
    (one,) = atlas().maps
    drawn = samples()
    places = fitted(drawn.vectors[:, :2].astype(float))
    whole = whitening(drawn.vectors, ridge=QUICK.ridge)
    assert [grid.size for grid in one.grids] == [2, 4]
    for grid in one.grids:
        cells = {(cell.row, cell.column): cell for cell in grid.cells}
        found: dict[tuple[int, int], list[int]] = {}
        for i, (x, y) in enumerate(places):
            found.setdefault(
                (min(int(y * grid.size), grid.size - 1), min(int(x * grid.size), grid.size - 1)), []
            ).append(i)
        found = {place: members for place, members in found.items() if len(members) >= QUICK.least}
        assert list(cells) == sorted(found)
        for place, members in found.items():
            cell, mean = cells[place], drawn.vectors[members].mean(0)
            said = class_attributions(NET, "conv2", mean[None], reference=drawn.vectors.mean(0))[0]
            assert cell.count == len(members)
            assert [k for k, _ in cell.classes] == np.argsort(-said).tolist()
            assert np.allclose([value for _, value in cell.classes], np.sort(said)[::-1], atol=1e-4)
            vectors = drawn.vectors[members]
            order = np.argsort(-(vectors @ mean) / np.linalg.norm(vectors, axis=1))
            assert cell.examples == tuple(dict.fromkeys(str(drawn.images[members[i]]) for i in order))[:4]
    cell = one.grids[0].cells[0]
    members = [i for i, (x, y) in enumerate(places) if x < 0.5 and y < 0.5]
    (icon,) = made(NET, "conv2", drawn.vectors[members].mean(0)[None] @ whole, icons=QUICK, progress=False)
    assert (cell.image, cell.status) == (icon.image, "ok")


def test_a_map_says_what_it_is_of() -> None:
    (one,) = atlas().maps
    assert (one.network, one.network_digest, one.layer) == (NET.name, NET.digest, "conv2")
    assert (one.n_activations, one.n_images, one.labels) == (90, 30, NET.labels)
    assert len(one.points) == 90
    assert all(0 <= number <= 1 for point in one.points for number in point)
    settings = dict(one.settings)
    assert settings["layout"] == "the first two numbers"
    assert settings["icons"] == str(QUICK)
    assert settings["seed"] == "0"
    assert settings["recipe"] == QUICK.recipe(NET, "conv2").digest


def test_the_same_seed_gives_the_same_atlas_and_another_one_another() -> None:
    assert atlas(layout=Principal()) == atlas(layout=Principal())
    assert atlas().maps[0].points != atlas(seed=1).maps[0].points


def test_more_activations_than_wanted_are_left_out_at_random() -> None:
    (one,) = atlas(n_activations=100).maps  # 30 photographs of 4 points each
    assert one.n_activations == 100


def test_a_folder_gives_names_and_unread_photographs_do_not_count(tmp_path: Path) -> None:
    for i, image in enumerate(IMAGES):
        pixels = (255 * image).round().byte().permute(1, 2, 0).numpy()
        store.write_png(tmp_path / "some" / f"{i:02}.png", pixels)
    (tmp_path / "some" / "00.png").write_bytes(b"no picture")
    (one,) = activation_atlas(NET, "conv2", tmp_path, n_activations=90, **HOW).maps
    assert (one.n_images, one.n_activations) == (29, 87)
    assert dict(one.settings)["photographs"] == "29, beside 1 that could not be read"
    named = {key for grid in one.grids for cell in grid.cells for key in cell.examples}
    assert named <= {f"some/{i:02}.png" for i in range(1, 30)}


def test_the_ridge_is_that_of_the_whitening() -> None:
    drawn, icons = samples(), replace(QUICK, ridge=0.25)
    cells = atlas(icons=icons, grids=(1,)).maps[0].grids[0].cells
    directions = drawn.vectors.mean(0, dtype=np.float64)[None].astype(np.float32) @ whitening(drawn.vectors, ridge=0.25)
    (icon,) = made(NET, "conv2", directions, icons=icons, progress=False)
    assert [cell.image for cell in cells] == [icon.image]
    assert atlas(grids=(1,)).maps[0].grids[0].cells[0].image != icon.image


def test_directions_are_whitened_unless_asked_not_to() -> None:
    plain, white = (atlas(icons=replace(QUICK, whiten=whiten)).maps[0].grids[0].cells for whiten in (False, True))
    assert [cell.count for cell in plain] == [cell.count for cell in white]
    assert all(a.image != b.image for a, b in zip(plain, white, strict=True))
    assert [cell.classes for cell in plain] == [cell.classes for cell in white]


def test_aligned_cells_hold_the_same_photographs() -> None:
    other = networks.nhwc_net()
    found = aligned_activation_atlas((NET, "conv1"), (other, "norm"), IMAGES, n_activations=90, **HOW)
    a, b = found.maps
    assert (a.layer, b.layer) == ("conv1", "norm")
    assert (a.network_digest, b.network_digest) == (NET.digest, other.digest)
    assert a.points == b.points
    for first, second in zip(a.grids, b.grids, strict=True):
        assert [(c.row, c.column, c.count) for c in first.cells] == [(c.row, c.column, c.count) for c in second.cells]
    single = [cell for cell in a.grids[1].cells if cell.count <= 4]
    others = {(cell.row, cell.column): cell for cell in b.grids[1].cells}
    assert single
    for cell in single:  # so few that all their photographs are named
        assert set(cell.examples) == set(others[cell.row, cell.column].examples)


def test_aligned_layers_are_read_at_the_same_points() -> None:
    coarse, fine = networks.conv_net(), networks.conv_net()
    draw = Draw(6, 5, 3, 0)
    a = sampled(coarse, "conv2", open_source(IMAGES), draw=draw, most=90)
    b = sampled(fine, "conv1", open_source(IMAGES), draw=draw, most=90)
    full = networks.activations(fine, "conv1", IMAGES)
    for i in range(90):
        y, x = draw.points(int(a.images[i]))[int(a.points[i])].tolist()
        assert (int(y * 12) // 2, int(x * 10) // 2) == (int(y * 6), int(x * 5))
        assert np.allclose(b.vectors[i], full[int(b.images[i]), :, int(y * 12), int(x * 10)], atol=1e-5)


@pytest.mark.parametrize("layers", [("conv2", "classifier"), ("classifier", "conv2")])
def test_aligned_layers_are_read_as_often_as_the_coarser_one_has_positions(layers: tuple[str, str]) -> None:
    first, second = ((NET, layer) for layer in layers)
    found = aligned_activation_atlas(first, second, IMAGES, n_activations=90, **{**HOW, "grids": (1,)})
    assert [one.n_activations for one in found.maps] == [30, 30]


def test_a_layer_aligned_with_itself_gives_its_map_twice() -> None:
    a, b = aligned_activation_atlas((NET, "conv2"), (NET, "conv2"), IMAGES, n_activations=90, **HOW).maps
    assert a == b


def test_joint_cosines_are_the_mean_of_both() -> None:
    draw = np.random.default_rng(0)
    a, b = (draw.normal(size=(20, n)).astype(np.float32) for n in (3, 8))

    def cosines(vectors: np.ndarray) -> np.ndarray:
        units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return units @ units.T

    assert np.allclose(cosines(joined([a, 100 * b])), (cosines(a) + cosines(b)) / 2, atol=1e-6)
    assert np.isfinite(joined([np.zeros_like(a), b])).all()


def test_points_that_one_network_could_not_read_are_left_out_of_both() -> None:
    first, second = samples(), samples()
    lacking = second.rows(np.flatnonzero(second.images != 4))
    a, b = together([first, lacking])
    assert a.images.tolist() == b.images.tolist()
    assert np.array_equal(a.vectors, b.vectors)
    assert 4 not in a.images
    assert len(a) == 87


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"n_activations": 9}, "n_activations is 9; expected a whole number from 10"),
        ({"n_activations": 40.5}, "n_activations is 40.5; expected a whole number from 10"),
        ({"grids": ()}, "grids is (); expected one number at least"),
        ({"grids": 10}, "grids is 10; expected one number at least"),
        ({"grids": (10, 0)}, "grids is 0; expected a whole number from 1 to 200"),
        ({"grids": (201,)}, "grids is 201"),
        ({"grids": (2.5,)}, "grids is 2.5"),
        ({"grids": (True,)}, "grids is True"),
        ({"seed": -1}, "seed is -1; expected a whole number from 0 to 4294967295"),
        ({"seed": 2**32}, "seed is 4294967296"),
        ({"seed": 0.5}, "seed is 0.5"),
    ],
)
def test_numbers_out_of_range_and_what_is_no_whole_number_are_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ParameterError, match=re.escape(said)):
        atlas(**wrong)
    with pytest.raises(ParameterError, match=re.escape(said)):
        aligned_activation_atlas(
            (NET, "conv1"),
            (NET, "conv2"),
            IMAGES,
            **{"n_activations": 90, **HOW, **wrong},  # type: ignore[arg-type]
        )


def test_numpys_whole_numbers_are_whole_numbers() -> None:
    sizes = {"n_activations": np.int64(90), "grids": np.array([2, 4]), "seed": np.uint32(0)}
    assert atlas(**sizes) == atlas()
    assert [type(grid.size) for grid in atlas(**sizes).maps[0].grids] == [int, int]
    assert atlas(grids=(size for size in (4, 2, 4))) == atlas()


def test_mistakes_are_named_before_anything_is_rendered(tmp_path: Path) -> None:
    with pytest.raises(UnknownLayerError, match="did you mean conv2 or conv1"):
        activation_atlas(NET, "conv3", IMAGES, **HOW)
    with pytest.raises(StorageError, match="no folder"):
        activation_atlas(NET, "conv2", tmp_path / "nothing", **HOW)
    with pytest.raises(ArgumentError, match="images is a int"):
        activation_atlas(NET, "conv2", 3, **HOW)
    with pytest.raises(ImageError, match=r"gave 2 activations of 'classifier', expected at least 10; give more"):
        activation_atlas(NET, "classifier", IMAGES[:2], **HOW)
