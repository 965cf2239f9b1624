"""WebP pictures: without loss they come back as they were."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from phosphene.errors import ImageError, ParameterError, StorageError
from phosphene.store import webp
from phosphene.store.webp import decode_webp, encode_webp


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_without_loss_every_pixel_comes_back(channels):
    image = np.random.default_rng(0).integers(0, 256, (17, 24, channels), dtype=np.uint8)
    read = decode_webp(encode_webp(image))
    np.testing.assert_array_equal(read, np.repeat(image, 3, axis=2) if channels == 1 else image)
    assert Image.open(io.BytesIO(encode_webp(image))).format == "WEBP"


def test_a_lower_quality_is_smaller_and_near():
    rows, columns = np.mgrid[0:96, 0:96]
    image = np.stack([rows * 2, columns * 2, 128 + 60 * np.sin(rows / 9)], 2).astype(np.uint8)
    sizes = [len(encode_webp(image, quality=quality)) for quality in (100, 80, 30)]
    assert sizes == sorted(sizes, reverse=True)
    assert np.abs(decode_webp(encode_webp(image, quality=80)).astype(int) - image.astype(int)).mean() < 3


def test_the_same_pixels_are_the_same_bytes():
    image = np.random.default_rng(1).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    assert encode_webp(image) == encode_webp(image.copy(order="F"))
    assert encode_webp(image, quality=70) == encode_webp(image, quality=70)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8), np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8), np.zeros((1, 16384, 3), np.uint8),
    ],
)  # fmt: skip
def test_an_array_that_is_no_picture_is_refused(image):
    with pytest.raises(ImageError, match="cannot be a WebP; expected uint8 of shape"):
        encode_webp(image)


@pytest.mark.parametrize("quality", [0, 101, -5])
def test_a_quality_out_of_range_is_refused(quality):
    with pytest.raises(ParameterError, match=f"quality is {quality}; expected a whole number from 1 to 100, or None"):
        encode_webp(np.zeros((4, 4, 3), np.uint8), quality=quality)


@pytest.mark.parametrize("cut", [0, 1, 11, 30, -20])
def test_bytes_that_are_no_picture_are_refused(cut):
    whole = encode_webp(np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8))
    with pytest.raises(StorageError, match="the bytes are no intact WebP picture"):
        decode_webp(whole[:cut])


def test_another_format_is_refused():
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, format="PNG")
    with pytest.raises(StorageError, match="no intact WebP picture"):
        decode_webp(buffer.getvalue())


def test_a_picture_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(webp, "_MAX_PIXELS", 80)
    with pytest.raises(StorageError, match="the picture is too large: 10 x 9 pixels came, at most 80 are read"):
        decode_webp(encode_webp(np.zeros((9, 10, 3), np.uint8)))
