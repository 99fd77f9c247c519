"""Checks of the structure of files, independent of the decoder."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from breastcls.images.formats import inspect_bytes
from breastcls.images.image_header import DamagedImageError, UnsupportedImageError


def encode(format_: str, mode: str = "RGB", **options) -> bytes:
    stream = io.BytesIO()
    values = np.random.default_rng(3).integers(0, 256, (23, 31, 3), dtype=np.uint8)
    Image.fromarray(values).convert(mode).save(stream, format_, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("format_", "options"),
    [
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("BMP", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_size_is_read_from_the_header(format_, options):
    header = inspect_bytes(encode(format_, **options))
    assert (header.format, header.height, header.width) == (format_.lower(), 23, 31)


@pytest.mark.parametrize(("mode", "simple"), [("RGB", True), ("L", False), ("RGBA", False), ("P", False)])
def test_a_simple_png_is_eight_bit_rgb_only(mode, simple):
    assert inspect_bytes(encode("PNG", mode)).simple_png is simple


def test_a_png_with_rotation_is_not_simple():
    exif = Image.Exif()
    exif[0x112] = 6
    assert not inspect_bytes(encode("PNG", exif=exif)).simple_png


def test_any_flipped_bit_of_a_png_is_found():
    data = encode("PNG")
    generator = np.random.default_rng(0)
    for position in generator.integers(8, len(data), 60):
        damaged = bytearray(data)
        damaged[position] ^= 1 << int(generator.integers(8))
        with pytest.raises(DamagedImageError):
            inspect_bytes(bytes(damaged))


def test_bytes_after_the_end_are_ignored():
    for format_ in ("PNG", "JPEG", "BMP", "WEBP", "TIFF"):
        assert inspect_bytes(encode(format_) + b"trailing") == inspect_bytes(encode(format_))


def test_big_endian_tiff():
    rows, columns = 3, 2
    pixels = bytes(range(rows * columns * 3))
    tags = [(256, 3, columns), (257, 3, rows), (258, 3, 8), (259, 3, 1), (262, 3, 2), (273, 4, 8), (277, 3, 3)]
    tags += [(278, 3, rows), (279, 4, len(pixels))]
    body = b"MM\0*" + struct.pack(">I", 8 + len(pixels)) + pixels + struct.pack(">H", len(tags))
    for tag, kind, value in tags:
        body += struct.pack(">HHI", tag, kind, 1) + (
            struct.pack(">HH", value, 0) if kind == 3 else struct.pack(">I", value)
        )
    body += bytes(4)
    assert (inspect_bytes(body).height, inspect_bytes(body).width) == (rows, columns)
    with pytest.raises(DamagedImageError, match="truncated"):
        inspect_bytes(body[:-30])


def test_floating_point_tiff_is_refused():
    stream = io.BytesIO()
    Image.fromarray(np.ones((4, 4), np.float32)).save(stream, "TIFF")
    with pytest.raises(UnsupportedImageError, match="floating"):
        inspect_bytes(stream.getvalue())


def test_colour_types_that_do_not_exist():
    data = bytearray(encode("PNG"))
    data[25] = 5
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    with pytest.raises(DamagedImageError, match="colour type 5"):
        inspect_bytes(bytes(data))


@pytest.mark.parametrize("cut", range(2, 40, 3))
@pytest.mark.parametrize("format_", ["PNG", "JPEG", "BMP", "WEBP", "TIFF"])
def test_a_stump_of_any_length_is_damaged(format_, cut):
    with pytest.raises(DamagedImageError):
        inspect_bytes(encode(format_)[:cut])
