"""PNG files with a document inside: what goes in comes out, and nothing else is believed."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, PngImagePlugin

from phosphene.errors import ImageError, RecipeError, StorageError
from phosphene.store import encode_png, read_png_document, read_png_pixels, write_png

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda size: st.sampled_from([size, (*size, 1), (*size, 3), (*size, 4)])
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    image = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    return write_png(tmp_path / "unit.png", image, {"unit": "blocks.8:7"})


@settings(max_examples=40, deadline=None)
@given(image=SHAPES.flatmap(lambda shape: hnp.arrays(np.uint8, shape)), document=st.dictionaries(st.text(), JSON))
def test_pixels_and_document_come_back_as_they_went_in(
    tmp_path_factory: pytest.TempPathFactory, image: np.ndarray, document: dict[str, Any]
) -> None:
    path = write_png(tmp_path_factory.mktemp("png") / "a.png", image, document)
    squeezed = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    np.testing.assert_array_equal(read_png_pixels(path), squeezed)
    assert read_png_document(path) == document


def test_the_document_is_ascii_json_in_a_plain_text_chunk_that_other_programs_can_read(picture: Path) -> None:
    with Image.open(picture) as opened:
        assert isinstance(opened, PngImagePlugin.PngImageFile)
        assert json.loads(opened.text["phosphene"]) == {"unit": "blocks.8:7"}


def test_a_document_of_several_megabytes_survives(tmp_path: Path) -> None:
    document = {"vector": [index / 7 for index in range(300_000)], "name": "é∞"}
    path = write_png(tmp_path / "big.png", np.zeros((2, 2), np.uint8), document)
    assert path.stat().st_size > 5_000_000
    assert read_png_document(path) == document
    assert read_png_pixels(path).shape == (2, 2)


def test_equal_images_and_documents_give_equal_bytes() -> None:
    image = np.full((3, 3, 3), 7, np.uint8)
    assert encode_png(image, {"a": 1}) == encode_png(image.copy(), {"a": 1})


@pytest.mark.parametrize(
    "image",
    [np.zeros((2, 2), np.float32), np.zeros((2, 2, 2), np.uint8), np.zeros((0, 2), np.uint8), np.zeros(3, np.uint8)],
    ids=["float", "two channels", "empty", "vector"],
)
def test_an_array_that_is_no_picture_is_refused(tmp_path: Path, image: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"cannot be a PNG; expected uint8 of shape \(h, w\)"):
        write_png(tmp_path / "a.png", image)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("document", [{"score": float("nan")}, {"net": object()}])
def test_a_document_that_json_cannot_express_is_refused(tmp_path: Path, document: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match="cannot be written as JSON"):
        write_png(tmp_path / "a.png", np.zeros((2, 2), np.uint8), document)


def test_a_picture_without_a_document_says_so(tmp_path: Path) -> None:
    path = write_png(tmp_path / "bare.png", np.zeros((2, 2), np.uint8))
    with pytest.raises(StorageError, match="carries no phosphene document"):
        read_png_document(path)


@pytest.mark.parametrize("read", [read_png_document, read_png_pixels])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a PNG file"),
        (b"GIF89a" + bytes(40), "is not a PNG file"),
        (b"[1, 2, 3]", "is not a PNG file"),
        (SIGNATURE, "is a damaged PNG"),
        (SIGNATURE + bytes(60), "is a damaged PNG"),
    ],
    ids=["empty", "gif", "json", "signature only", "zeros"],
)
def test_what_is_no_png_is_refused(tmp_path: Path, content: bytes, message: str, read: Any) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=message):
        read(path)


@pytest.mark.parametrize("read", [read_png_document, read_png_pixels])
def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path, read: Any) -> None:
    with pytest.raises(StorageError, match="there is no such file"):
        read(tmp_path / "absent.png")
    with pytest.raises(StorageError, match="it is a folder"):
        read(tmp_path)
    with pytest.raises(StorageError, match="no regular file"):
        read("/dev/zero")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    path = write_png(tmp_path / "a.png", np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(StorageError, match="damaged PNG: it ends too early"):
        read_png_document(path)
    with pytest.raises(StorageError, match="damaged PNG"):
        read_png_pixels(path)


def test_a_flipped_bit_in_the_document_is_noticed(picture: Path) -> None:
    picture.write_bytes(picture.read_bytes().replace(b"blocks.8:7", b"blocks.8:8"))
    with pytest.raises(StorageError, match=r"checksum of its chunk b'tEXt' is wrong"):
        read_png_document(picture)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "the document is not JSON"),
        (b"[1]", "the document is a JSON list; expected an object"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a": \xff}', "the document is not JSON"),
    ],
    ids=["cut", "list", "nan", "deep", "bytes"],
)
def test_a_document_that_is_no_json_object_is_refused(picture: Path, text: bytes, message: str) -> None:
    data = picture.read_bytes()
    picture.write_bytes(data[:33] + chunk(b"tEXt", b"phosphene\0" + text) + data[33:])
    with pytest.raises(RecipeError, match=message):
        read_png_document(picture)


def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1_000_000))
    path = tmp_path / "bomb.png"
    path.write_bytes(SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b""))
    with pytest.raises(StorageError, match="60000 x 60000 pixels came, at most 67108864"):
        read_png_pixels(path)


def test_an_absurdly_large_document_is_refused(monkeypatch: pytest.MonkeyPatch, picture: Path) -> None:
    monkeypatch.setattr("phosphene.store.png._MAX_DOCUMENT", 10)
    with pytest.raises(StorageError, match="its document is too large: 31 bytes, at most 10"):
        read_png_document(picture)


def test_an_absurdly_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate((1 << 30) + 1)  # sparse
    with pytest.raises(StorageError, match="at most 1073741824 are read"):
        read_png_document(path)


def test_sixteen_bit_and_palette_pixels_are_refused(tmp_path: Path) -> None:
    Image.new("P", (2, 2)).save(tmp_path / "palette.png")
    with pytest.raises(StorageError, match="pixels of mode P; expected 8-bit"):
        read_png_pixels(tmp_path / "palette.png")
