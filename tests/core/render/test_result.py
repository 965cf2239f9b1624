"""What a result gives: arrays, pictures, sheets, pages, files."""

from __future__ import annotations

import html
import io
import json
import sys

import numpy as np
import pytest
import torch
from networks import SIZE, conv_net, quick
from PIL import Image

import phosphene as ph
from phosphene import objectives
from phosphene.errors import ArgumentError, ImageError, MissingExtraError, StorageError
from phosphene.render import display

UNITS = [ph.Channel("conv2", 1), ph.Neuron("conv2", 2), ph.Channel("conv2", 1)]


@pytest.fixture(scope="module", params=[1, 2, 3, 5])
def result(request):
    return quick(conv_net(request.param), UNITS, snapshots=(0, 3))


def as_bytes(result, i):
    return np.rint(result.images[i].numpy().transpose(1, 2, 0) * 255).astype(np.uint8)


def shown(result, i):
    """The pixels that people see: one channel grey, two with black for the third, the first three of more."""
    pixels = as_bytes(result, i)
    if pixels.shape[2] == 1:
        return pixels[:, :, 0]
    return pixels[:, :, :3] if pixels.shape[2] >= 3 else np.concatenate([pixels, 0 * pixels[:, :, :1]], axis=2)


def test_to_numpy_is_the_images_with_channels_last(result):
    found = result.to_numpy()
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, result.images.numpy().transpose(0, 2, 3, 1))
    assert 0 <= found.min() < found.max() <= 1


def test_to_pil_shows_the_pixels(result):
    pictures = result.to_pil()
    assert len(pictures) == 3
    for i, picture in enumerate(pictures):
        assert picture.mode == ("L" if result.images.shape[1] == 1 else "RGB")
        np.testing.assert_array_equal(np.asarray(picture), shown(result, i))


def test_saved_files_hold_the_pixels_and_the_document(result, tmp_path):
    paths = result.save(tmp_path / "folder")
    assert len(set(paths)) == 3
    assert all(path.parent == tmp_path / "folder" and path.suffix == ".png" for path in paths)
    for i, path in enumerate(paths):
        with Image.open(path) as picture:
            np.testing.assert_array_equal(np.asarray(picture), shown(result, i))
            assert json.loads(picture.text["phosphene"]) == json.loads(json.dumps(result.documents[i]))


def test_one_picture_saves_under_the_name_given(result, tmp_path):
    assert result[1].save(tmp_path / "one.png") == [tmp_path / "one.png"]
    assert result[1].save(str(tmp_path / "two.PNG")) == [tmp_path / "two.PNG"]


def test_several_pictures_do_not_fit_into_one_file(result, tmp_path):
    with pytest.raises(ArgumentError, match="one.png is one file, but there are 3 pictures; give a folder, or save"):
        result.save(tmp_path / "one.png")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(result, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="file"):
        result.save(tmp_path / "file" / "inside")


def test_an_objective_without_a_json_form_renders_and_says_so_when_saved(tmp_path):
    own = quick(
        conv_net(),
        objectives.Custom(lambda a: a[:, 0].flatten(1).mean(1), ("conv2",)),
    )
    (path,) = own.save(tmp_path / "own.png")
    assert path.exists()
    assert own.documents[0]["objectives"][0]["function"].endswith("<lambda>")


@pytest.mark.parametrize("columns", [None, 1, 3])
@pytest.mark.parametrize("captions", [True, False])
def test_a_contact_sheet_holds_every_picture(result, columns, captions):
    sheet = np.asarray(result.contact_sheet(columns, captions=captions))
    assert sheet.ndim == 3
    n_columns = columns or 2
    n_rows = -(-3 // n_columns)
    assert sheet.shape[1] == 8 + n_columns * (SIZE[1] + 8)
    assert sheet.shape[0] == 8 + n_rows * (SIZE[0] + 8 + 16 * captions)
    wanted = shown(result, 0)
    wanted = wanted if wanted.ndim == 3 else np.repeat(wanted[:, :, None], 3, 2)
    np.testing.assert_array_equal(sheet[8 : 8 + SIZE[0], 8 : 8 + SIZE[1]], wanted)


def test_a_sheet_of_less_than_one_column_is_refused(result):
    with pytest.raises(ImageError, match="-1 columns make no sheet"):
        result.contact_sheet(-1)


def test_the_plot_has_a_curve_for_every_picture(result):
    (axes,) = result.plot().axes
    assert [line.get_label() for line in axes.lines] == list(result.names)
    for line, curve in zip(axes.lines, result.scores, strict=True):
        np.testing.assert_allclose(line.get_ydata(), curve.numpy())
        assert list(line.get_xdata()) == [1, 2, 3]
    assert axes.get_xlabel() == "step"


def test_without_matplotlib_the_plot_says_what_to_install(result, monkeypatch):
    for name in [m for m in sys.modules if m.split(".")[0] == "matplotlib"] + ["matplotlib", "matplotlib.figure"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"plot\(\) needs the extra 'plot'.*pip install 'phosphene\[plot\]'"):
        result.plot()


def test_a_notebook_shows_the_picture_itself_or_a_sheet(result):
    with Image.open(io.BytesIO(result[0]._repr_png_())) as one:
        np.testing.assert_array_equal(np.asarray(one), shown(result, 0))
    with Image.open(io.BytesIO(result._repr_png_())) as sheet:
        assert sheet.size == result.contact_sheet().size


def test_a_page_names_every_picture_and_escapes_what_it_prints():
    def evil(a):
        return a[:, 0].flatten(1).mean(1)

    evil.__name__ = '<script>alert("1")</script>'
    page = quick(conv_net(), objectives.Custom(evil, ("conv2",)))._repr_html_()
    assert "<script" not in page
    assert html.escape('<script>alert("1")</script>') in page
    assert page.count("data:image/png;base64,") == 1


def test_a_page_shows_every_picture_with_its_score(result):
    page = result._repr_html_()
    assert page.count("<img") == page.count("data:image/png;base64,") == 3
    for name, score in zip(result.names, result.final_scores.tolist(), strict=True):
        assert html.escape(name) in page
        assert f"{score:.4g}" in page


def test_a_result_is_a_sequence_of_its_pictures(result):
    assert len(result) == 3
    parts = list(result)
    assert [p.names for p in parts] == [(n,) for n in result.names]
    for i, part in enumerate(parts):
        assert len(part) == 1
        assert torch.equal(part.images, result.images[i : i + 1])
        assert torch.equal(part.scores[0], result.scores[i])
        assert torch.equal(part.final_scores, result.final_scores[i : i + 1])
        assert part.documents == (result.documents[i],)
        assert torch.equal(part.snapshots[3], result.snapshots[3][i : i + 1])
    assert torch.equal(result[-1].images, result[2].images)


@pytest.mark.parametrize("index", [3, -4, 100])
def test_an_index_beyond_the_last_picture_is_refused(result, index):
    with pytest.raises(IndexError, match=f"this result has 3 pictures, counted from 0; got {index}"):
        result[index]


@pytest.mark.parametrize("index", ["a", 1.0, None])
def test_an_index_that_is_no_number_is_refused(result, index):
    with pytest.raises((ArgumentError, TypeError), match="pictures are counted by number; got|parameter 'index'"):
        result[index]


def test_a_result_prints_names_scores_and_time(result):
    text = str(result)
    assert text.count("\n") == 3
    for name, score in zip(result.names, result.final_scores.tolist(), strict=True):
        assert f"{name}: score {score:.4g}" in text
    assert text.endswith(f"3 pictures in {result.seconds:.1f} s")


@pytest.mark.parametrize(
    ("value", "byte"), [(0.0, 0), (1.0, 255), (0.5, 128), (-0.2, 0), (1.7, 255), (100.4 / 255, 100)]
)
def test_values_become_bytes_by_rounding(value, byte):
    assert display.to_uint8(torch.full((3, 1, 2), value)).tolist() == [[[byte] * 3] * 2]


def test_what_a_console_shows_of_a_result_is_short(result):
    assert repr(result) == str(result)
    assert len(repr(result).splitlines()) == 4
    assert all(len(line) < 120 for line in repr(result).splitlines())
    assert "tensor" not in repr(result)


@pytest.mark.parametrize("name", ["u.jpg", "u.JPEG", "u.webp", "u.tiff"])
@pytest.mark.parametrize("rows", [slice(0, 1), slice(None)], ids=["one", "several"])
def test_another_format_than_png_is_refused_with_advice(result, tmp_path, name, rows):
    message = rf"{name} would not be a PNG, the format that carries recipes; name it .*u\.png"
    with pytest.raises(ArgumentError, match=message):
        result[rows].save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_may_have_a_dot_in_its_name(result, tmp_path, exists):
    folder = tmp_path / "run.2"
    if exists:
        folder.mkdir()
    assert result[0].save(folder) == [folder / "conv2_1.png"]
    assert len(result.save(folder)) == 3


def test_documents_name_the_weights_that_were_rendered():
    net = conv_net()
    found, digest = quick(net, UNITS[0]), net.digest
    with torch.no_grad():
        net.module.conv2.weight.add_(1)
    assert net.digest != digest
    assert found.documents[0]["network"]["digest"] == digest


SLICES = [slice(0, 2), slice(1, None), slice(-1, None), slice(None, None, 2), slice(None), slice(None, None, -1)]


@pytest.mark.parametrize("rows", SLICES, ids=str)
def test_a_slice_of_a_result_is_a_result(result, rows):
    part, chosen = result[rows], list(range(3))[rows]
    assert part.names == result.names[rows]
    assert part.status == result.status[rows]
    assert part.documents == result.documents[rows]
    assert torch.equal(part.images, result.images[chosen])
    assert torch.equal(part.final_scores, result.final_scores[chosen])
    assert torch.equal(part.robust_scores, result.robust_scores[chosen])
    assert torch.equal(part.snapshots[3], result.snapshots[3][chosen])
    for scores, i in zip(part.scores, chosen, strict=True):
        assert torch.equal(scores, result.scores[i])


def test_a_slice_of_nothing_is_an_empty_result(result, tmp_path):
    empty = result[3:]
    assert len(empty) == 0
    assert empty.save(tmp_path) == list(tmp_path.iterdir()) == []


def test_documents_can_be_written_inside_inference_mode():
    with torch.inference_mode():
        found = quick(conv_net(), UNITS[0]).documents
    assert found == quick(conv_net(), UNITS[0]).documents


def test_a_grey_transparent_picture_is_saved_with_its_opacity(tmp_path):
    canvas = ph.parameterizations.Alpha(ph.Pixels(*SIZE, channels=1))
    recipe = ph.Recipe(parameterization=canvas, transforms=(ph.transforms.CollapseAlpha(),), steps=1)
    result = ph.render(conv_net(1), ph.Channel("conv2", 0), recipe=recipe, progress=False)
    assert result.images.shape[1] == 2
    result.save(tmp_path / "grey.png")
    with Image.open(tmp_path / "grey.png") as saved:
        values = np.asarray(saved)
    grey, opacity = (result.images[0] * 255).round().to(torch.uint8).numpy()
    assert np.array_equal(values, np.stack([grey, grey, grey, opacity], 2))
    assert ph.replay(tmp_path / "grey.png", net=conv_net(1), progress=False).identical
