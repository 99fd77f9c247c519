"""Reading a damaged file gives the correct image or an error that names the file."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from breastcls.errors import ImageError
from breastcls.images.decode import decode_image
from breastcls.images.resize import resize_image
from support.image_fixtures import draw

FORMATS = {
    "PNG": {},
    "JPEG": {"quality": 90},
    "BMP": {},
    "WEBP": {"lossless": True},
    "TIFF": {"compression": "tiff_deflate"},
    "GIF": {},
}
MODES = ("RGB", "L", "P", "RGBA")


def encode(height: int, width: int, mode: str, format_: str, seed: int = 0) -> bytes:
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    stream = io.BytesIO()
    if format_ == "JPEG":
        mode = "L" if mode == "L" else "RGB"
    if format_ == "GIF":
        mode = "L" if mode == "L" else "P"
    Image.fromarray(values).convert(mode).save(stream, format_, **FORMATS[format_])
    return stream.getvalue()


def check_name(error: ImageError, name: str) -> None:
    assert name in str(error)


def by_pillow(data: bytes) -> np.ndarray | None:
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
        return np.asarray(image.convert("RGB"))
    except Exception:
        return None


@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    mode=st.sampled_from(MODES),
    format_=st.sampled_from(sorted(FORMATS)),
)
@settings(max_examples=120, deadline=None)
def test_any_size_and_mode(height, width, mode, format_):
    data = encode(height, width, mode, format_)
    np.testing.assert_array_equal(decode_image(data), by_pillow(data))


@given(
    format_=st.sampled_from(sorted(FORMATS)),
    mode=st.sampled_from(MODES),
    share=st.floats(0, 1, exclude_max=True),
)
@settings(max_examples=150, deadline=None)
def test_any_cut(format_, mode, share):
    data = encode(33, 41, mode, format_)
    cut = data[: int(share * len(data))]
    try:
        found = decode_image(cut, "cut.file")
    except ImageError as error:
        check_name(error, "cut.file")
    else:
        # Only what follows the end of the picture may be missing.
        np.testing.assert_array_equal(found, by_pillow(data))


@given(
    mode=st.sampled_from(MODES),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=8),
)
@settings(max_examples=200, deadline=None)
def test_flipped_bits_of_a_png(mode, flips):
    """Every byte of a PNG stands under a checksum: the picture is the right one or there is none."""
    data = encode(25, 31, mode, "PNG")
    damaged = bytearray(data)
    for place, bit in flips:
        damaged[int(place * len(data))] ^= 1 << bit
    try:
        found = decode_image(bytes(damaged), "flipped.png")
    except ImageError as error:
        check_name(error, "flipped.png")
    else:
        np.testing.assert_array_equal(found, by_pillow(data))


@pytest.fixture(scope="module")
def whole_jpeg() -> bytes:
    return encode(40, 56, "RGB", "JPEG")


@given(
    flips=st.lists(st.tuples(st.integers(0, 700), st.integers(0, 7)), min_size=1, max_size=4),
    removed=st.one_of(st.none(), st.tuples(st.integers(2, 700), st.integers(1, 40))),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_jpeg_header(whole_jpeg, flips, removed):
    """A JPEG has no checksum: where there still is a picture, it is the one that Pillow sees in the same bytes."""
    damaged = bytearray(whole_jpeg)
    for place, bit in flips:
        damaged[place] ^= 1 << bit
    if removed is not None:
        del damaged[removed[0] : sum(removed)]
    try:
        found = decode_image(bytes(damaged), "damaged.jpg")
    except ImageError as error:
        check_name(error, "damaged.jpg")
        return
    assert found.dtype == np.uint8
    expected = by_pillow(bytes(damaged))
    if expected is not None and expected.shape == found.shape:
        np.testing.assert_allclose(found.astype(int), expected, atol=2)


DAMAGED = {
    "PNG": ("RGB", {}),
    "JPEG": ("RGB", {}),
    "JPEG progressive": ("RGB", {"progressive": True}),
    "TIFF LZW": ("RGB", {"compression": "tiff_lzw"}),
    "TIFF deflate": ("RGB", {"compression": "tiff_deflate"}),
    "TIFF JPEG": ("RGB", {"compression": "jpeg"}),
    "TIFF PackBits": ("RGB", {"compression": "packbits"}),
    "TIFF Group 3": ("1", {"compression": "group3"}),
    "TIFF Group 4": ("1", {"compression": "group4"}),
    "TIFF Zstandard": ("RGB", {"compression": "zstd"}),
    "BMP": ("P", {}),
    "WEBP": ("RGB", {}),
    "WEBP lossless": ("RGB", {"lossless": True}),
    "GIF": ("P", {}),
    "JPEG2000": ("RGB", {}),
    "AVIF": ("RGB", {}),
}
# Of 60 damaged files, the least number that is refused: formats without checksums allow no more.
LEAST_REFUSED = {"PNG": 60, "JPEG": 40, "JPEG progressive": 50, "TIFF LZW": 40, "TIFF deflate": 58, "TIFF Group 4": 42}


def damage(data: bytes, generator: np.random.Generator) -> bytes:
    """Flip bits, overwrite a part with zeros or noise, or remove a part."""
    damaged = bytearray(data)
    start, length = int(generator.integers(8, len(data))), int(generator.integers(1, 64))
    kind = generator.integers(4)
    if kind == 0:
        for place in generator.integers(8, len(data), length // 12 + 1):
            damaged[place] ^= 1 << int(generator.integers(8))
    elif kind == 1:
        damaged[start : start + length] = bytes(len(damaged[start : start + length]))
    elif kind == 2:
        damaged[start : start + length] = generator.bytes(len(damaged[start : start + length]))
    else:
        del damaged[start : start + length]
    return bytes(damaged)


@pytest.mark.parametrize("kind", DAMAGED)
def test_what_pillow_refuses_is_refused_and_nothing_is_printed(kind, capfd):
    mode, options = DAMAGED[kind]
    stream = io.BytesIO()
    Image.fromarray(draw(5, 96, 128)).convert(mode).save(stream, kind.split()[0], **options)
    generator = np.random.default_rng(7)
    whole = decode_image(stream.getvalue()).astype(int)
    refused, wrong, wrongly_read = 0, 0, 0
    for _ in range(60):
        data = damage(stream.getvalue(), generator)
        try:
            found = decode_image(data, "damaged.file")
        except ImageError as error:
            check_name(error, "damaged.file")
            refused += 1
            continue
        if found.shape != whole.shape or (np.abs(found - whole).max(axis=2) > 2).mean() > 0.01:
            wrong += 1
            wrongly_read += by_pillow(data) is None
    output, errors = capfd.readouterr()
    print(f"{kind}: of 60 damaged files {refused} refused, {wrong} read wrong")
    assert (output, errors) == ("", "")
    assert wrongly_read == 0
    assert refused >= LEAST_REFUSED.get(kind, 1)


def test_threads_do_not_see_errors_of_each_other(capfd):
    """The error handler of libtiff is one for the whole process."""
    stream = io.BytesIO()
    Image.fromarray(draw(5, 96, 128)).save(stream, "TIFF", compression="tiff_lzw")
    whole = stream.getvalue()
    broken = bytearray(whole)
    broken[200:240] = bytes(40)
    with pytest.raises(ImageError):
        decode_image(bytes(broken))

    def decode(number: int) -> bool:
        try:
            decode_image(bytes(broken) if number % 2 else whole)
        except ImageError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(decode, range(200))) == [True, False] * 100
    assert capfd.readouterr() == ("", "")


@given(
    data=st.binary(max_size=300),
    start=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*"]),
)
@settings(max_examples=300, deadline=None)
def test_arbitrary_bytes_are_no_image(data, start):
    with pytest.raises(ImageError, match="junk"):
        decode_image(start + data, "junk")


@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    resize=st.sampled_from(["stretch", "crop", "pad"]),
)
@settings(max_examples=200, deadline=None)
def test_resizing_keeps_the_range_of_values(shape, size, resize):
    image = np.random.default_rng(0).integers(50, 200, (*shape, 3), dtype=np.uint8)
    out = resize_image(image, size, resize)
    assert out.shape == (*size, 3)
    inside = out[(out != 255).any(axis=2)] if resize == "pad" else out
    assert inside.min() >= image.min()
    assert inside.max() <= image.max()
