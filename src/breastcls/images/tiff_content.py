"""Whether the page of a TIFF file is complete, and can be read as RGB."""

from __future__ import annotations

import zlib

from breastcls.images.image_header import MAX_PIXELS, DamagedImageError, UnsupportedImageError
from breastcls.images.tiff_directory import (
    BITS,
    EXTRA_SAMPLES,
    PLANAR,
    SAMPLE_FORMAT,
    SUBSAMPLING,
    TILE_HEIGHT,
    TILE_WIDTH,
    Page,
)

_DEFLATE = (8, 32946)
# None, CCITT, LZW, JPEG, Deflate, PackBits, LZMA, Zstandard.
_BY_PILLOW = frozenset((1, 2, 3, 4, 5, 7, *_DEFLATE, 32773, 34925, 50000))
BY_TIFFFILE = {
    33003: "JPEG 2000",
    33004: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    34887: "LERC",
    34934: "PNG",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK, _CMYK, _YCBCR = range(7)
_COLOURS = {8: "CIELAB", 9: "ICC LAB", 10: "ITU LAB", 32803: "the raw mosaic of a camera", 34892: "a linear raw image"}
_CHANNELS = {WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _CMYK: 4, _YCBCR: 3}
_ALPHA = (1, 2)


def find_special(page: Page, bits: int, signature: bytes) -> str:
    """Return the property that Pillow does not decode correctly, or an empty text."""
    if page.compression in BY_TIFFFILE:
        return f"{BY_TIFFFILE[page.compression]} compression"
    if signature == b"MM\0+":
        return "the big-endian form of BigTIFF"
    if _is_planar(page) and (bits > 8 or page.samples > 3) and page.photometric == _RGB:
        return "separate planes of more than 8 bits or with alpha"
    if bits > 8 and page.photometric == WHITE_IS_ZERO:
        return "inverted 16-bit values"
    return ""


def _is_planar(page: Page) -> bool:
    return page.samples > 1 and page.first(PLANAR, 1) == 2


def check_content(page: Page) -> None:
    """Check that the channels and the compression of a page are read.

    Raises:
        DamagedImageError: If its tags contradict each other.
        UnsupportedImageError: If they are not read.
    """
    compression, photometric = page.compression, page.photometric
    if compression == 6:
        raise UnsupportedImageError(
            "a TIFF with old-style JPEG compression. Convert it with `tiffcp -c lzw in.tif out.tif`"
        )
    if compression not in _BY_PILLOW and compression not in BY_TIFFFILE:
        raise UnsupportedImageError(
            f"the compression of the TIFF is not supported ({compression}). Save it with LZW or none"
        )
    formats = set(page.tags.get(SAMPLE_FORMAT, (1,)))
    bits = set(page.tags.get(BITS, (1,)))
    if not formats <= {1, 4}:
        raise UnsupportedImageError(
            "the TIFF has signed or floating-point samples, whose range is not known. Scale them to 0..255 and save "
            "them "
            'as 8-bit RGB: `PIL.Image.fromarray(values.astype(numpy.uint8)).save("image.png")`'
        )
    if len(bits) > 1 or max(bits) > 16:
        raise UnsupportedImageError(
            f"the TIFF has {', '.join(map(str, sorted(bits)))} bits per channel; 1 to 16, the same in all, are read. "
            "Save "
            "it as 8-bit RGB"
        )
    if photometric in _COLOURS or photometric not in _CHANNELS:
        colours = _COLOURS.get(photometric, f"an unknown colour space ({photometric})")
        raise UnsupportedImageError(f"the TIFF has {colours}, which is not read. Convert it to RGB")
    extra = page.tags.get(EXTRA_SAMPLES, ())
    beyond = page.samples - _CHANNELS[photometric]
    if beyond < 0:
        raise DamagedImageError(f"damaged: a TIFF with {page.samples} channels for the colour space {photometric}")
    # OpenCV writes RGBA without stating that the fourth channel is alpha; it is checked as alpha then.
    unstated = photometric == _RGB and not extra and not _is_planar(page)
    if beyond > 1 or (beyond == 1 and not unstated and extra[:1] not in [(kind,) for kind in _ALPHA]):
        raise UnsupportedImageError(
            f"the TIFF has {page.samples} channels, and RGB has three. Save three of them as RGB, for example "
            '`PIL.Image.fromarray(tifffile.imread(file)[..., :3]).save("image.png")`'
        )
    if photometric == _YCBCR and compression != 7 and page.tags.get(SUBSAMPLING, (2, 2)) != (1, 1):
        raise UnsupportedImageError(
            "the TIFF has YCbCr with subsampled colour without JPEG compression. Convert it to RGB"
        )
    if _is_planar(page) and photometric not in (_RGB, _CMYK if max(bits) == 8 else _RGB):
        raise UnsupportedImageError(
            "the TIFF has separate planes of grey and alpha, YCbCr, or 16-bit CMYK. Save it with interleaved channels "
            "as RGB"
        )
    if page.first(PLANAR, 1) not in (1, 2):
        raise DamagedImageError(f"damaged: the planar configuration of the TIFF is {page.first(PLANAR, 1)}")


def check_parts(data: bytes, page: Page) -> None:
    """Check that all strips or tiles of a page are in the file, and those with checksums are intact.

    Raises:
        DamagedImageError: If not.
    """
    size = len(data)
    parts = page.parts
    if not parts:
        raise DamagedImageError("damaged: a TIFF page without image data")
    for offset, length in parts:
        if offset + length > size:
            raise DamagedImageError(f"truncated: image data of the TIFF is beyond the {size} bytes of the file")
        if not offset or not length:
            raise DamagedImageError("damaged: a part of the image in the TIFF has no data")
    if page.first(TILE_WIDTH, 0) * page.first(TILE_HEIGHT, 0) > MAX_PIXELS:
        raise DamagedImageError("damaged: the tiles of the TIFF are larger than any image")
    if page.compression in _DEFLATE:
        _check_deflated(data, parts)


def _check_deflated(data: bytes, parts: list[tuple[int, int]]) -> None:
    # libtiff does not verify the checksum of a strip.
    for offset, length in parts:
        strip = zlib.decompressobj()
        try:
            # The limit stops the decompression of strips that would expand to gigabytes.
            strip.decompress(data[offset : offset + length], 4 * MAX_PIXELS)
        except zlib.error as error:
            raise DamagedImageError(f"damaged: the image data of the TIFF at byte {offset}: {error}") from None
        if not strip.eof:
            raise DamagedImageError(f"damaged: the image data of the TIFF at byte {offset} is truncated")
