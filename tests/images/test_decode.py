"""All formats are decoded to the RGB pixels that Pillow reads; damaged files are errors."""

import io
import struct
import subprocess
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from breastcls.errors import ImageError
from breastcls.images import decode
from breastcls.images.decode import decode_image, hash_array, is_image_name, read_image


def encode(picture: Image.Image, format_: str, **options) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format_, **options)
    return stream.getvalue()


def as_pillow(data: bytes) -> np.ndarray:
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    # Pillow warns if the opaque colours of a palette are dropped.
    return np.asarray((image.convert("RGBA") if image.mode == "P" else image).convert("RGB"))


def with_alpha(picture: np.ndarray) -> Image.Image:
    image = Image.fromarray(picture).convert("RGBA")
    image.putalpha(255)
    return image


MODES = {
    "RGB": Image.fromarray,
    "L": lambda p: Image.fromarray(p).convert("L"),
    "LA": lambda p: with_alpha(p).convert("LA"),
    "RGBA": with_alpha,
    "P": lambda p: Image.fromarray(p).quantize(32),
    "1": lambda p: Image.fromarray(p).convert("1"),
    "CMYK": lambda p: Image.fromarray(p).convert("CMYK"),
}
FORMATS = [
    *(("PNG", mode, {}) for mode in ("RGB", "L", "LA", "RGBA", "P", "1")),
    ("PNG", "P", {"transparency": 255}),
    *(("JPEG", mode, {}) for mode in ("RGB", "L", "CMYK")),
    ("JPEG", "RGB", {"progressive": True}),
    ("JPEG", "RGB", {"subsampling": 0, "quality": 95}),
    ("JPEG", "RGB", {"subsampling": 1}),
    *(("TIFF", mode, {}) for mode in ("RGB", "L", "RGBA", "P", "1", "CMYK")),
    *(("TIFF", "RGB", {"compression": kind}) for kind in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg")),
    *(("BMP", mode, {}) for mode in ("RGB", "L", "P")),
    *(("WEBP", mode, {"lossless": True, "exact": True}) for mode in ("RGB", "RGBA")),
    ("WEBP", "RGB", {}),
    *(("GIF", mode, {}) for mode in ("L", "P", "1")),
    *(("JPEG2000", mode, {"irreversible": False}) for mode in ("RGB", "L", "LA", "RGBA")),
    ("JPEG2000", "RGB", {"no_jp2": True}),
    ("AVIF", "RGB", {}),
    ("AVIF", "RGBA", {}),
    *(("TIFF", "RGB", {"compression": kind}) for kind in ("zstd", "lzma")),
    *(("TIFF", "1", {"compression": kind}) for kind in ("group3", "group4")),
    ("TIFF", "RGB", {"big_tiff": True}),
]


@pytest.mark.parametrize(("format_", "mode", "options"), FORMATS, ids=lambda value: str(value).replace(" ", ""))
def test_pixels_are_those_of_pillow(picture, format_, mode, options):
    data = encode(MODES[mode](picture), format_, **options)
    expected = as_pillow(data)
    found = decode_image(data)
    assert found.shape == expected.shape
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    assert found.flags.writeable
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_rotation_is_applied(picture, format_, orientation):
    exif = Image.Exif()
    exif[0x112] = orientation
    options = {"lossless": True} if format_ == "WEBP" else {}
    data = encode(Image.fromarray(picture), format_, exif=exif, **options)
    np.testing.assert_array_equal(decode_image(data), as_pillow(data))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (3, lambda a: a[::-1, ::-1]),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, 3)),
        (8, np.rot90),
    ],
)
def test_rotated_tiff_of_other_modes(picture, mode, orientation, turn):
    image = MODES[mode](picture)
    exif = Image.Exif()
    exif[0x112] = orientation
    expected = turn(np.asarray(image.convert("RGB")))
    np.testing.assert_array_equal(decode_image(encode(image, "TIFF", exif=exif)), expected)


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_of_sixteen_bits_the_upper_eight_are_kept(format_):
    values = np.random.default_rng(0).integers(0, 65536, (21, 17)).astype(np.uint16)
    found = decode_image(encode(Image.fromarray(values), format_))
    np.testing.assert_array_equal(found, np.repeat((values >> 8).astype(np.uint8)[..., None], 3, axis=2))


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_colour(tmp_path, channels, suffix):
    import cv2

    values = np.random.default_rng(0).integers(0, 65536, (21, 17, channels)).astype(np.uint16)
    if channels == 4:
        values[..., 3] = 65535
    cv2.imwrite(str(tmp_path / f"deep{suffix}"), values)
    found = read_image(tmp_path / f"deep{suffix}")
    np.testing.assert_array_equal(found, (values[..., 2::-1] >> 8).astype(np.uint8))


def test_the_content_decides_and_not_the_suffix(tmp_path, picture):
    path = tmp_path / "really_a_jpeg.png"
    path.write_bytes(encode(Image.fromarray(picture), "JPEG"))
    np.testing.assert_array_equal(read_image(path), as_pillow(path.read_bytes()))


def test_both_decoders_give_the_same_pixels():
    import tensorflow as tf

    generator = np.random.default_rng(1)
    picture = generator.integers(0, 256, (180, 200, 3), dtype=np.uint8)
    data = encode(Image.fromarray(picture), "PNG")
    header = decode.inspect_bytes(data)
    assert header.simple_png
    assert len(data) > decode._TENSORFLOW_FROM_BYTES
    np.testing.assert_array_equal(decode._decode_with_tensorflow(tf, data), picture)
    np.testing.assert_array_equal(decode._decode_with_opencv(data), picture)


@pytest.mark.real
def test_both_decoders_give_the_same_pixels_of_real_images(real_data):
    import tensorflow as tf

    for path in sorted((real_data / "BreaKHis_v1").rglob("*.png"))[::8]:
        data = path.read_bytes()
        header = decode.inspect_bytes(data)
        assert header.simple_png
        expected = np.asarray(Image.open(path).convert("RGB"))
        np.testing.assert_array_equal(decode._decode_with_tensorflow(tf, data), expected)
        np.testing.assert_array_equal(decode._decode_with_opencv(data), expected)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\x93NUMPY\x01\x00v\x00{'descr'", "a NumPy file. Convert it to PNG"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "a HEIF image (HEIC). Convert it to PNG"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isommp42", "a video"),
        (b"\xff\x0a\x00\x10", "a JPEG XL image. Convert it to PNG"),
        (bytes(128) + b"DICM\x02\x00", "a DICOM file. Convert it to PNG"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"%PDF-1.7", "a PDF document"),
        (b"8BPS\x00\x01", "a Photoshop file"),
        (b"P6\n4 4\n255\n", "a Netpbm image"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "a vector drawing"),
        (b"ZISRAWFILE\x00", "a Zeiss slide"),
        (b"\x80\x04\x95\x10", "never loaded"),
        (b"slide,label\n14-1,benign\n", "it is text that begins 'slide,label"),
        (b"<!DOCTYPE html><title>404</title>", "web page"),
        (b"PK\x03\x04 and so on", "archive"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "git lfs pull"),
        (bytes(500), "zeros"),
        (b"\x7fELF\x02\x01\x01\xfe\x80", "7f 45 4c 46"),
        (b"\x89PNG\r\n\x1a\n", "truncated"),
        (b"\xff\xd8\xff", "truncated"),
        (b"BM", "truncated"),
        (b"RIFF\x00\x00\x00\x00WEBP", "truncated"),
        (b"II*\0", "truncated"),
    ],
)
def test_other_files_are_named_with_the_reason(tmp_path, content, reason):
    path = tmp_path / "not an image.png"
    path.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
def test_truncated_files_are_errors(picture, format_, share):
    data = encode(Image.fromarray(picture), format_)
    with pytest.raises(ImageError, match=r"cut\.img"):
        decode_image(data[: int(len(data) * share)], "cut.img")


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF", "JPEG2000", "AVIF"])
def test_the_size_limit_can_be_changed(picture, format_):
    data = encode(Image.fromarray(picture), format_)
    height, width = picture.shape[:2]
    assert decode_image(data, max_pixels=height * width).shape == picture.shape
    with pytest.raises(ImageError, match=f"{height}x{width} pixels, more than the limit of {height * width - 1}"):
        decode_image(data, max_pixels=height * width - 1)


def test_a_small_file_of_a_large_webp_is_refused_before_memory_is_allocated():
    # A lossless WebP of a single colour: 16383 x 16383 pixels in 60 bytes of header and codes.
    data = bytearray(encode(Image.new("RGB", (64, 64), "pink"), "WEBP", lossless=True))
    (packed,) = struct.unpack_from("<I", data, 21)
    struct.pack_into("<I", data, 21, (packed & ~0xFFFFFFF) | 16382 << 14 | 16382)
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match="16383x16383"):
            decode_image(bytes(data))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_header_above_the_size_limit():
    data = bytearray(encode(Image.new("RGB", (8, 8)), "PNG"))
    data[16:24] = struct.pack(">II", 100_000, 100_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    with pytest.raises(ImageError, match="100000x100000"):
        decode_image(bytes(data))


def test_a_header_larger_than_the_compressed_data():
    data = bytearray(encode(Image.new("RGB", (8, 8)), "PNG"))
    data[16:24] = struct.pack(">II", 9_000, 9_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    with pytest.raises(ImageError, match="too few"):
        decode_image(bytes(data))


def test_equal_pixels_have_the_same_hash_in_every_lossless_format(tmp_path, picture):
    for name, format_ in (("a.png", "PNG"), ("b.bmp", "BMP"), ("c.tif", "TIFF")):
        Image.fromarray(picture).save(tmp_path / name, format_)
    Image.fromarray(picture.transpose(1, 0, 2)).save(tmp_path / "turned.png")
    hashes = {hash_array(read_image(tmp_path / name)) for name in ("a.png", "b.bmp", "c.tif")}
    assert len(hashes) == 1
    assert hash_array(read_image(tmp_path / "turned.png")) not in hashes


def test_the_shape_is_part_of_the_hash():
    values = np.arange(72, dtype=np.uint8)
    assert hash_array(values.reshape(4, 6, 3)) != hash_array(values.reshape(6, 4, 3))


def test_names_of_images():
    assert is_image_name("a/b/SOB.PNG")
    assert is_image_name("x.jpeg")
    assert not is_image_name("._x.png")
    assert not is_image_name("x.txt")
    assert not is_image_name("png")


def test_reading_needs_no_tensorflow(tmp_path, picture):
    path = tmp_path / "a.png"
    Image.fromarray(picture).save(path)
    code = (
        "import sys; from breastcls.images.decode import read_image\n"
        "from breastcls.images import cached_source, image_cache, integrity, pipeline, resize\n"
        f"read_image({str(path)!r})\n"
        "print([name for name in ('tensorflow', 'keras', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
