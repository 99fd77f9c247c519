"""TIFF files of any layout are read correctly, or refused with the cause."""

import io
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from breastcls.errors import ImageError
from breastcls.images.decode import decode_image, read_image
from breastcls.images.integrity import check_images
from support.image_fixtures import draw

tifffile = pytest.importorskip("tifffile")
pytest.importorskip("imagecodecs")

PICTURE = draw(3, 45, 70)
# The options of lossless compressions that have one.
LOSSLESS = {"webp": {"lossless": True}, "jpeg2000": {"reversible": True, "level": 0}}


def write(values, metadata=None, **options) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, metadata=metadata, **options)
    return stream.getvalue()


def write_pages(*pages, **options) -> bytes:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for number, page in enumerate(pages):
            kind = "rgb" if page.ndim == 3 else "minisblack"
            writer.write(page, photometric=kind, metadata=None, **(options if number else {}))
    return stream.getvalue()


@given(
    compression=st.sampled_from([None, "lzw", "zlib", "packbits", "zstd", "lzma", "webp", "jpeg2000"]),
    planar=st.booleans(),
    tile=st.sampled_from([None, (16, 32), (64, 16)]),
    big=st.booleans(),
    order=st.sampled_from("<>"),
    bits=st.sampled_from([8, 16]),
    colour=st.sampled_from(["rgb", "minisblack", "miniswhite"]),
    alpha=st.booleans(),
    predictor=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_any_layout(compression, planar, tile, big, order, bits, colour, alpha, predictor):
    expected = PICTURE if colour == "rgb" else np.repeat(PICTURE[..., :1], 3, axis=2)
    values = PICTURE.astype(np.uint16) << 8 | 77 if bits == 16 else PICTURE
    if colour != "rgb":
        values = values[..., 0]
        values = (2**bits - 1 - values).astype(values.dtype) if colour == "miniswhite" else values
        planar = alpha = False
    if alpha:
        values = np.dstack([values, np.full(values.shape[:2], 2**bits - 1, values.dtype)])
    options = {"extrasamples": ["unassalpha"]} if alpha else {}
    if planar:
        values = np.ascontiguousarray(np.moveaxis(values, -1, 0))
    if colour == "rgb":
        options["planarconfig"] = "separate" if planar else "contig"
    if predictor and compression in ("lzw", "zlib"):
        options["predictor"] = True
    if compression == "webp" and (bits == 16 or colour != "rgb" or planar):
        compression = None
    if compression in LOSSLESS:
        options["compressionargs"] = LOSSLESS[compression]
    data = write(
        values, photometric=colour, compression=compression, tile=tile, bigtiff=big, byteorder=order, **options
    )
    try:
        found = decode_image(data, "layout.tif")
    except ImageError as error:
        assert "big-endian TIFF with 16 bits" in str(error)  # noqa: PT017 - either is right
        assert (compression, order, bits) == ("jpeg2000", ">", 16)
    else:
        np.testing.assert_array_equal(found, expected)


GREY = PICTURE[..., 0]
DEEP = PICTURE.astype(np.uint16)
FIVE = np.dstack([PICTURE, PICTURE[..., :2]])
REFUSED = {
    "RGB as three grey pages": (
        write_pages(*np.moveaxis(PICTURE, -1, 0)),
        "3 pages of 45x70.*red, green and blue",
    ),
    "RGB as three grey pages of ImageJ": (
        (lambda s: (tifffile.imwrite(s, np.moveaxis(PICTURE, -1, 0), imagej=True), s.getvalue())[1])(io.BytesIO()),
        "3 pages",
    ),
    "two pages": (
        write_pages(PICTURE, PICTURE[::-1]),
        "2 pages of 45x70 pixels, which are not the levels",
    ),
    "pages of two sizes": (write_pages(PICTURE, PICTURE[:20]), "2 pages of 20x70, 45x70 pixels"),
    "a smaller page with another content": (
        write_pages(np.tile(PICTURE, (2, 2, 1)), 255 - PICTURE),
        "2 pages that show different images",
    ),
    "five channels": (write(FIVE, photometric="rgb"), "has 5 channels, and RGB has three"),
    "five grey channels": (write(FIVE, photometric="minisblack", planarconfig="contig"), "has 5 channels"),
    "two channels": (write(FIVE[..., :2], photometric="minisblack", planarconfig="contig"), "has 2 channels"),
    "a fourth channel": (write(FIVE[..., :4], photometric="rgb", extrasamples=["unspecified"]), "has 4 channels"),
    "transparent pixels": (write(FIVE[..., :4], photometric="rgb", extrasamples=["unassalpha"]), "transparent"),
    "floating point": (write(PICTURE.astype(np.float32), photometric="rgb"), "floating-point"),
    "signed": (write(PICTURE.astype(np.int16), photometric="rgb"), "signed"),
    "32 bits": (write(PICTURE.astype(np.uint32), photometric="rgb"), "32 bits"),
    "CIELAB": (write(PICTURE, photometric="cielab"), "CIELAB"),
    **{
        f"{bits} of 16 bits, {len(channels)} channels": (
            write(values, photometric="rgb" if len(channels) == 3 else "minisblack", planarconfig="contig"),
            f"it may hold {bits}-bit values",
        )
        for channels in ("rgb", "k")
        for bits in (8, 10, 12, 14)
        for values in [(DEEP if len(channels) == 3 else DEEP[..., 0]) << (bits - 8)]
    },
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_rgb_cannot_hold_is_refused_and_check_names_it(kind, tmp_path):
    data, cause = REFUSED[kind]
    path = tmp_path / "refused.tif"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=cause) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    (finding,) = check_images([str(path)]).itertuples()
    assert finding.problem == "unsupported"
    assert finding.drop
    assert str(caught.value) == f"{path}: {finding.detail}."


@pytest.mark.parametrize("marked", [True, False])
def test_the_largest_level_of_a_pyramid_is_read(marked):
    small = np.asarray(Image.fromarray(PICTURE).reduce(2))
    options = {"subfiletype": 1} if marked else {}
    np.testing.assert_array_equal(decode_image(write_pages(PICTURE, small, **options)), PICTURE)
    np.testing.assert_array_equal(decode_image(write_pages(small, PICTURE)), PICTURE)


def test_planes_without_a_directory_are_found():
    description = "ImageJ=1.54f\nimages=5\nslices=5\n"
    with pytest.raises(ImageError, match="stack of 5 images"):
        decode_image(write(GREY, photometric="minisblack", description=description))
    with pytest.raises(ImageError, match="stack of 3 images"):
        decode_image(write(GREY, photometric="minisblack", description='{"shape": [3, 45, 70]}'))


def test_cmyk_palette_and_few_bits():
    ink = np.asarray(Image.fromarray(PICTURE).convert("CMYK"))
    expected = np.asarray(Image.fromarray(ink, "CMYK").convert("RGB"))
    for planar in ("contig", "separate"):
        values = ink if planar == "contig" else np.ascontiguousarray(np.moveaxis(ink, -1, 0))
        data = write(values, photometric="separated", planarconfig=planar)
        np.testing.assert_array_equal(decode_image(data), expected)
    colours = np.random.default_rng(0).integers(0, 256, (3, 256)).astype(np.uint16)
    data = write(GREY, photometric="palette", colormap=colours << 8)
    np.testing.assert_array_equal(decode_image(data), colours.T.astype(np.uint8)[GREY])
    for bits in (1, 2, 4):
        values = GREY >> (8 - bits)
        data = write(values.astype(bool) if bits == 1 else values, photometric="minisblack", bitspersample=bits)
        np.testing.assert_array_equal(decode_image(data)[..., 1], values * (255 // (2**bits - 1)))


@pytest.mark.parametrize("kind", ["webp", "jpeg2000"])
def test_without_the_extra_packages_the_kind_is_named(kind, monkeypatch):
    data = write(PICTURE, photometric="rgb", compression=kind)
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    name = {"webp": "WebP", "jpeg2000": "JPEG 2000"}[kind]
    with pytest.raises(ImageError, match=rf'a TIFF with {name} compression needs .*"breastcls\[tiff\]".*or save it'):
        decode_image(data)


def test_directories_that_form_a_loop():
    data = bytearray(write(GREY, photometric="minisblack"))
    (start,) = np.frombuffer(data, "<u4", 1, 4)
    (count,) = np.frombuffer(data, "<u2", 1, start)
    end = start + 2 + 12 * int(count)
    data[end : end + 4] = data[4:8]
    with pytest.raises(ImageError, match="form a loop"):
        decode_image(bytes(data))


@pytest.mark.real
def test_a_slide_region_is_read_as_its_largest_level(real_data):
    path = real_data / "slides" / "CMU-1-Small-Region.svs"
    found = read_image(path)
    np.testing.assert_array_equal(found, tifffile.imread(path, key=0))
