"""Photographs come as images in [0, 1], upright; damaged files are refused with a sentence."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.errors import ImageError, StorageError
from phosphene.store.photographs import read_image, read_images


def picture(size=(4, 6), channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*size, channels), dtype=np.uint8).squeeze()


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "webp"])
def test_a_lossless_picture_comes_value_for_value(tmp_path, ending):
    pixels = picture()
    options = {"lossless": True} if ending == "webp" else {}
    Image.fromarray(pixels).save(tmp_path / f"a.{ending}", **options)
    found = read_image(tmp_path / f"a.{ending}")
    assert found.dtype is torch.float32
    assert torch.equal(found, torch.from_numpy(pixels).permute(2, 0, 1).float() / 255)


def test_a_jpeg_comes_nearly_so(tmp_path):
    smooth = np.linspace(0, 255, 16 * 16 * 3).reshape(16, 16, 3).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "a.jpg", quality=98)
    expected = torch.from_numpy(smooth).permute(2, 0, 1).float() / 255
    torch.testing.assert_close(read_image(tmp_path / "a.jpg"), expected, rtol=0, atol=0.05)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_upright(tmp_path, orientation):
    pixels = picture((3, 5))
    turned = {1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1], 5: pixels.transpose(1, 0, 2)}
    turned |= {6: np.rot90(pixels, -1), 7: np.rot90(pixels, 2).transpose(1, 0, 2), 8: np.rot90(pixels)}
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    found = (read_image(tmp_path / "a.png") * 255).round().permute(1, 2, 0).numpy().astype(np.uint8)
    np.testing.assert_array_equal(found, turned[orientation])


def test_grey_becomes_three_equal_channels_whatever_its_depth(tmp_path):
    grey = picture(channels=1)
    Image.fromarray(grey).save(tmp_path / "8.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "16.png")
    expected = torch.from_numpy(grey).float().expand(3, -1, -1) / 255
    assert torch.equal(read_image(tmp_path / "8.png"), expected)
    assert torch.equal(read_image(tmp_path / "16.png"), expected)


def test_a_transparent_picture_is_shown_on_black_and_a_palette_by_its_colours(tmp_path):
    pixels = picture(channels=4)
    pixels[..., 3] = 255
    pixels[0, 0, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = read_image(tmp_path / "a.png")
    assert (found[:, 0, 0] == 0).all()
    assert torch.equal(found[:, 1:], torch.from_numpy(pixels[1:, :, :3]).permute(2, 0, 1).float() / 255)
    flat = Image.fromarray(np.full((3, 3, 3), (200, 30, 60), np.uint8)).quantize(2)
    flat.save(tmp_path / "b.gif")
    assert (read_image(tmp_path / "b.gif")[:, 1, 1] * 255).round().tolist() == [200, 30, 60]


@pytest.mark.parametrize("cut", [0, 3, 30, 0.5])
@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_damaged_picture_is_refused(tmp_path, cut, ending):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(picture((64, 64))).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * cut) if isinstance(cut, float) else cut])
    with pytest.raises(ImageError, match=rf"a\.{ending} is no picture that can be read, or is damaged"):
        read_image(path)


def test_a_text_is_refused(tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    with pytest.raises(ImageError, match="expected JPEG, PNG, WEBP, BMP, GIF, TIFF"):
        read_image(tmp_path / "a.png")


def test_a_picture_of_too_many_pixels_is_refused(tmp_path, monkeypatch):
    Image.fromarray(picture()).save(tmp_path / "a.png")
    monkeypatch.setattr("phosphene.store.photographs._MAX_PIXELS", 23)
    with pytest.raises(ImageError, match="too large: 6 x 4 pixels came, at most 23 are read"):
        read_image(tmp_path / "a.png")
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 4)
    with pytest.raises(ImageError, match="too large"):
        read_image(tmp_path / "a.png")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(StorageError, match=r"a\.png cannot be read: there is no such file"):
        read_image(tmp_path / "a.png")


def test_the_photographs_of_a_folder_come_by_name(tmp_path):
    for name, value in (("b.png", 20), ("a.PNG", 10), ("c.jpg", 30)):
        kind = "PNG" if name.lower().endswith("png") else "JPEG"
        Image.new("RGB", (4, 4), (value, value, value)).save(tmp_path / name, format=kind)
    (tmp_path / "notes.txt").write_text("none")
    (tmp_path / "folder.png").mkdir()
    assert [round(float(image.mean()) * 255) for image in read_images(tmp_path)] == [10, 20, 30]


def test_a_folder_without_photographs_or_no_folder_is_refused(tmp_path):
    with pytest.raises(StorageError, match="holds no photographs; expected files that end in .jpg"):
        read_images(tmp_path)
    with pytest.raises(StorageError, match="nowhere is no folder; give the folder that holds the photographs"):
        read_images(tmp_path / "nowhere")
