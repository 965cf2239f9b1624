"""Sheets of parameters: every cell is a render of its own to the bit, names are right, steps share a render."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from literal import plain
from networks import conv_net

import phosphene as ph
from phosphene import optimizers, stages, store
from phosphene.errors import ArgumentError, ParameterError
from phosphene.recipes import grids
from phosphene.recipes.accentuation import accentuation
from phosphene.recipes.distill import preconditioned, unregularized
from phosphene.recipes.grids import frequency_sheets, learning_rate_sheet, robustness_sheets
from phosphene.recipes.parameter_sheets import parameter_sheet
from phosphene.recipes.regularization import penalized, robust
from phosphene.store.sheet import labeled_sheet

UNIT = ph.Channel("conv2", 1)


def alone(net, recipe, **options):
    return ph.render(net, UNIT, recipe=recipe, progress=False, **options).images[0]


def test_every_cell_is_the_render_of_its_own_to_the_bit():
    net, recipe = conv_net(), replace(ph.recipes.lucid(11, 9), steps=5)
    sheet = parameter_sheet(
        net, UNIT, rows={"lr": [0.01, 0.1]}, columns={"steps": [3, 0, 5]}, recipe=recipe, seed=2, progress=False
    )
    assert (sheet.rows, sheet.columns) == (("lr 0.01", "lr 0.1"), ("steps 3", "steps 0", "steps 5"))
    assert len(sheet.results) == 2
    for row, lr in enumerate((0.01, 0.1)):
        for column, steps in enumerate((3, 0, 5)):
            own = replace(recipe, optimizer=optimizers.Adam(lr=lr), steps=steps)
            assert torch.equal(sheet.images[row][column], alone(net, own, seed=2))


def test_axes_may_be_any_parts_of_a_recipe():
    net = conv_net()
    recipe = replace(plain(12, 10), transforms=(ph.transforms.Pad(4), ph.transforms.Jitter(1)))
    sheet = parameter_sheet(
        net,
        UNIT,
        rows={"transforms.1.pixels": [0, 3]},
        columns={"optimizer.norm": ["sign", "rms"]},
        recipe=recipe,
        progress=False,
    )
    assert (sheet.rows, sheet.columns) == (("pixels 0", "pixels 3"), ("norm sign", "norm rms"))
    jittered = replace(
        recipe,
        transforms=(ph.transforms.Pad(4), ph.transforms.Jitter(3)),
        optimizer=replace(recipe.optimizer, norm="rms"),
    )
    assert torch.equal(sheet.images[1][1], alone(net, jittered))
    assert len(sheet.results) == 4


def test_axes_may_be_parameters_of_a_function():
    net = conv_net(1)
    make = partial(penalized, 11, 9, l1=0.0, steps=3)
    sheet = parameter_sheet(
        net, UNIT, rows={"tv": [0.0, 0.5]}, columns={"blur": [0.0, 2.0]}, recipe=make, progress=False
    )
    own = penalized(11, 9, 1, l1=0.0, tv=0.5, blur=2.0, steps=3)
    assert torch.equal(sheet.images[1][1], alone(net, own))
    assert ph.Recipe.from_json(sheet.results[3].documents[0]["recipe"]) == own


def test_with_stages_every_number_of_steps_is_a_render_of_its_own():
    net, recipe = conv_net(), replace(plain(6, 5), stages=stages.Upscaling(n=2, scale=2.0))
    sheet = parameter_sheet(net, UNIT, rows={"lr": [1.0]}, columns={"steps": [1, 2]}, recipe=recipe, progress=False)
    own = replace(recipe, steps=2, optimizer=replace(recipe.optimizer, lr=1.0))
    assert torch.equal(sheet.images[0][1], alone(net, own))
    assert len(sheet.results) == 2


def test_the_learning_rate_sheet_is_the_articles():
    net = conv_net()
    make = partial(preconditioned, 8, 8)
    sheet = learning_rate_sheet(net, UNIT, steps=(1, 2), recipe=make, progress=False)
    assert sheet.rows == ("lr 0.01", "lr 0.025", "lr 0.05", "lr 0.1", "lr 0.25", "lr 0.5")
    assert torch.equal(sheet.images[3][1], alone(net, preconditioned(8, 8, lr=0.1, steps=2)))
    naive = learning_rate_sheet(net, UNIT, rates=[0.05], steps=[2], recipe=partial(unregularized, 8, 8), progress=False)
    assert torch.equal(naive.images[0][0], alone(net, unregularized(8, 8, steps=2)))


def test_the_grids_have_the_articles_values():
    assert grids.RATES == (0.01, 0.025, 0.05, 0.1, 0.25, 0.5)
    assert grids.STEPS == (1, 32, 128, 256, 2048)
    assert grids.L1_WEIGHTS == (0.0, 0.05, 0.5, 2.5)
    assert grids.TV_WEIGHTS == (0.0, 0.05, 0.25, 1.5, 3.0)
    assert grids.BLUR_WEIGHTS == (0.0, 0.1, 1.0, 5.0, 10.0)


def test_the_frequency_sheets_vary_the_articles_weights_by_default():
    net, quick = conv_net(), {"steps": 0, "size": (4, 4), "progress": False}
    sheets = frequency_sheets(net, UNIT, tv=(0.0,), blur=(0.0,), **quick)
    assert [sheet.title for sheet in sheets] == ["l1 0", "l1 0.05", "l1 0.5", "l1 2.5"]
    (sheet,) = frequency_sheets(net, UNIT, l1=(0.0,), **quick)
    assert sheet.rows == ("tv 0", "tv 0.05", "tv 0.25", "tv 1.5", "tv 3")
    assert sheet.columns == ("blur 0", "blur 0.1", "blur 1", "blur 5", "blur 10")


def test_the_frequency_sheets_are_one_for_each_weight_of_l1():
    net = conv_net()
    sheets = frequency_sheets(
        net, UNIT, l1=(0.0, 0.5), tv=(0.25,), blur=(1.0, 5.0), steps=2, size=(8, 7), progress=False
    )
    assert [sheet.title for sheet in sheets] == ["l1 0", "l1 0.5"]
    assert (sheets[1].rows, sheets[1].columns) == (("tv 0.25",), ("blur 1", "blur 5"))
    own = penalized(8, 7, l1=0.5, tv=0.25, blur=5.0, steps=2)
    assert torch.equal(sheets[1].images[0][1], alone(net, own))


def test_the_robustness_sheets_are_one_for_each_scale():
    net = conv_net()
    sheets = robustness_sheets(
        net, UNIT, jitter=(0, 2), rotate=(0.0, 5.0), scale=(1.0, 1.1), steps=2, size=(8, 7), progress=False
    )
    assert [sheet.title for sheet in sheets] == ["scale 1", "scale 1.1"]
    assert (sheets[0].rows, sheets[0].columns) == (("jitter 0", "jitter 2"), ("rotate 0", "rotate 5"))
    assert torch.equal(sheets[1].images[1][0], alone(net, robust(8, 7, jitter=2, rotate=0.0, scale=1.1, steps=2)))


def test_a_saved_sheet_carries_the_recipes_of_its_renders(tmp_path):
    net = conv_net()
    sheet = parameter_sheet(
        net,
        UNIT,
        rows={"lr": [0.5, 1.0]},
        columns={"steps": [1, 2]},
        recipe=plain(12, 10),
        title="plain",
        progress=False,
    )
    path = sheet.save(tmp_path / "sheet.png")
    document = store.read_png_document(path)
    assert document["sheet"] == {"title": "plain", "rows": ["lr 0.5", "lr 1"], "columns": ["steps 1", "steps 2"]}
    rates = [ph.Recipe.from_json(d["recipe"]).optimizer.lr for d in document["documents"]]
    assert rates == [0.5, 1.0]
    assert np.array_equal(np.asarray(sheet.image), store.read_png_pixels(path))
    assert repr(sheet) == "Sheet of 2 × 2 pictures: plain"
    assert sheet._repr_png_()[:4] == b"\x89PNG"
    with pytest.raises(ArgumentError, match="would not be a PNG"):
        sheet.save(tmp_path / "sheet.jpg")


def test_a_sheet_that_is_broken_off_is_no_sheet():
    def stop(_steps: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        parameter_sheet(
            conv_net(), UNIT, rows={"lr": [0.5]}, columns={"steps": [1, 4]}, recipe=plain(12, 10), progress=stop
        )


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        ({}, {"lr": [1.0]}, "rows names \\[\\]; expected one parameter"),
        ({"lr": [1.0]}, {"steps": [1], "views": [1]}, "columns names .*'views'.*; expected one"),
        ({"lr": []}, {"steps": [1]}, "rows has no values for 'lr'"),
        ({"lr": [1.0]}, {"lr": [1.0]}, "rows and columns both vary 'lr'"),
        ({"optimizer.rate": [1.0]}, {"steps": [1]}, "no parameter 'optimizer.rate': no 'rate'; there are lr"),
        ({"transforms.0.pixels": [1]}, {"steps": [1]}, "no '0'; there are none"),
        ({"steps.low": [1]}, {"lr": [1.0]}, "no parameter 'steps.low': no 'low'; there are none"),
        ({"lr": [-1.0]}, {"steps": [1]}, "lr is -1.0"),
    ],
)
def test_axes_that_do_not_fit_a_recipe_are_refused(rows, columns, message):
    with pytest.raises(ParameterError, match=message):
        parameter_sheet(conv_net(), UNIT, rows=rows, columns=columns, recipe=plain(12, 10), progress=False)


def test_axes_that_do_not_fit_a_function_are_refused():
    with pytest.raises(ParameterError, match="function has no parameter 'tvv'; did you mean tv"):
        parameter_sheet(conv_net(), UNIT, rows={"tvv": [1]}, columns={"blur": [1]}, recipe=penalized, progress=False)


def test_a_function_of_a_photograph_needs_the_photograph():
    net, photo = conv_net(), torch.full((3, 12, 10), 0.4)
    axes = {"rows": {"lr": [0.05, 0.1]}, "columns": {"steps": [1]}}
    message = r"function needs image; give recipe=functools.partial\(accentuation, image=…\)"
    with pytest.raises(ArgumentError, match=message):
        parameter_sheet(net, UNIT, **axes, recipe=accentuation, progress=False)
    for make in (partial(accentuation, photo, crops=1), partial(accentuation, image=photo, crops=1)):
        sheet = parameter_sheet(net, UNIT, **axes, recipe=make, progress=False)
        assert torch.equal(sheet.images[1][0], alone(net, accentuation(photo, crops=1, lr=0.1, steps=1)))


def test_a_function_may_take_anything_else_and_its_channels_may_be_an_axis():
    def make(channels: int, *sizes: int, lr: float, **others: float) -> ph.Recipe:
        assert (sizes, others) == ((), {})
        return replace(plain(12, 10, channels, steps=1), optimizer=optimizers.Adam(lr=lr))

    sheet = parameter_sheet(
        conv_net(), UNIT, rows={"lr": [0.1]}, columns={"channels": [3]}, recipe=make, progress=False
    )
    assert torch.equal(sheet.images[0][0], alone(conv_net(), make(3, lr=0.1)))


def test_pictures_stand_beside_the_name_of_their_row_and_below_that_of_their_column():
    black, white = np.zeros((20, 30), np.uint8), np.full((10, 30, 3), 255, np.uint8)
    sheet = labeled_sheet([[black, white], [white, black]], rows=["a", "longer name"], columns=["one", "two"])
    other = labeled_sheet([[white, black], [black, white]], rows=["a", "longer name"], columns=["one", "two"])
    assert sheet.shape == other.shape
    dark = np.argwhere((sheet == 0).all(2))
    paper = sheet[0, 0]
    assert (paper == (250, 248, 244)).all()
    left, right = dark[dark[:, 1] < sheet.shape[1] - 45], dark[dark[:, 1] >= sheet.shape[1] - 45]
    assert left[:, 0].max() < right[:, 0].min()  # the first black picture is in the upper row, the second in the lower
    assert (sheet[..., :3] != other).any()


def test_a_title_makes_room_above():
    black = np.zeros((5, 60), np.uint8)
    bare = labeled_sheet([[black]], rows=["r"], columns=["c"])
    titled = labeled_sheet([[black]], rows=["r"], columns=["c"], title="t")
    assert titled.shape[0] == bare.shape[0] + 16
    assert titled.shape[1] == bare.shape[1]


def test_where_a_picture_is_transparent_the_paper_shows():
    clear = np.zeros((5, 60, 4), np.uint8)
    sheet = labeled_sheet([[clear]], rows=["r"], columns=["c"])
    assert (sheet[-10:, -40:] == (250, 248, 244)).all()
    assert (store.contact_sheet([clear], [""], columns=1) == (250, 248, 244)).all()


def test_names_that_do_not_fit_the_table_are_refused():
    black = np.zeros((5, 6), np.uint8)
    for rows, columns in ((["r"], ["c", "d"]), (["r", "s"], ["c"]), (["r"], [])):
        with pytest.raises(ph.errors.ImageError, match="make no table; expected a name for each row and column"):
            labeled_sheet([[black]], rows=rows, columns=columns)
