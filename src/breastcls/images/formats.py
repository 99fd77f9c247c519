"""Format and size of an image from its header, and a check that the file is complete.

Decoders treat truncated files differently: some fill the missing part with grey without an error. These checks do not
depend on the decoder: they traverse the structure of the file and compare it with its length before decoding.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

MAX_PIXELS = 2**28
"""Maximum size of a decoded image in pixels, 16384 x 16384; larger sizes in a header are rejected."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Chunks that do not affect the pixels of a reader that ignores alpha.
_SIMPLE_CHUNKS = frozenset(b"IHDR IDAT IEND pHYs oFFs tEXt zTXt iTXt tIME sRGB gAMA cHRM bKGD vpAg".split())
_MAX_DEFLATE_RATIO = 1032


class DamagedImageError(ValueError):
    """The reason why a file is not a complete image; it becomes part of the `ImageError` that names the file."""


@dataclass(frozen=True)
class Header:
    """The header of an image file.

    Attributes:
        format: `"png"`, `"jpeg"`, `"bmp"`, `"webp"` or `"tiff"`.
        height: Rows as stored, before any rotation by an EXIF tag.
        width: Columns as stored.
        bits: Bits per channel.
        channels: Channels as stored; a palette counts as one.
        simple_png: Whether all PNG decoders return the same RGB pixels: 8-bit RGB without rotation or animation.
        alpha_tag: Position in a TIFF file of the mark that colours are not premultiplied by alpha; 0 without it.
    """

    format: str
    height: int
    width: int
    bits: int = 8
    channels: int = 3
    simple_png: bool = False
    alpha_tag: int = 0


def inspect_bytes(data: bytes) -> Header:
    """Return the header of an image after checking that the file is complete.

    Args:
        data: The content of the file.

    Raises:
        DamagedImageError: If it is empty, not an image, truncated, or has more than `MAX_PIXELS` pixels.
    """
    if not data:
        raise DamagedImageError("the file is empty (zero bytes)")
    if data.startswith(_PNG_SIGNATURE):
        header = _inspect_png(data)
    elif data.startswith(b"\xff\xd8\xff"):
        header = _inspect_jpeg(data)
    elif data.startswith(b"BM"):
        header = _inspect_bmp(data)
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        header = _inspect_webp(data)
    elif data[:4] in (b"II*\0", b"MM\0*"):
        header = _inspect_tiff(data)
    else:
        raise DamagedImageError(f"not a PNG, JPEG, TIFF, BMP or WebP image: {_describe(data)}")
    if header.height < 1 or header.width < 1:
        raise DamagedImageError(f"the header has a size of {header.height}x{header.width} pixels")
    if header.height * header.width > MAX_PIXELS:
        raise DamagedImageError(
            f"the header has {header.height}x{header.width} pixels, more than the limit of {MAX_PIXELS}; cut whole "
            "slides into patches first"
        )
    return header


def _describe(data: bytes) -> str:
    head = data[:48]
    if data.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer; download the file with `git lfs pull`"
    if data[:4] == b"PK\x03\x04" or data[:2] == b"\x1f\x8b":
        return "it is a compressed archive; unpack it first"
    if head.lstrip()[:5].lower() in (b"<!doc", b"<html"):
        return "it is a web page, perhaps the error page of a download"
    if not any(head):
        return "it begins with zeros, as files do after an interrupted copy"
    text = head.decode("utf-8", "ignore")
    if text and all(character.isprintable() or character.isspace() for character in text):
        return f"it is text that begins {text[:24]!r}"
    return f"it begins with the bytes {data[:8].hex(' ')}"


def _inspect_png(data: bytes) -> Header:
    size = len(data)
    position = 8
    names: set[bytes] = set()
    compressed = 0
    width = height = bits = colour = 0
    view = memoryview(data)
    while True:
        if position + 12 > size:
            raise DamagedImageError(f"truncated: a PNG of {size} bytes without its end")
        (length,) = struct.unpack_from(">I", data, position)
        name = data[position + 4 : position + 8]
        end = position + 12 + length
        if end > size:
            raise DamagedImageError(
                f"truncated: the file has {size} bytes, its PNG chunk {name!r} would end at byte {end}"
            )
        (expected,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(view[position + 4 : end - 4]) != expected:
            raise DamagedImageError(f"damaged: the checksum of the PNG chunk {name!r} at byte {position} is wrong")
        if not names:
            if name != b"IHDR" or length != 13:
                raise DamagedImageError("damaged: a PNG that does not begin with its header")
            width, height, bits, colour = struct.unpack_from(">IIBB", data, position + 8)
        names.add(name)
        if name == b"IDAT":
            compressed += length
        elif name == b"IEND":
            break
        position = end
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 0)
    if not channels:
        raise DamagedImageError(f"damaged: the PNG colour type {colour} does not exist")
    # A lower bound: interlacing and filter bytes only add to it.
    if height * (width * channels * bits // 8) > compressed * _MAX_DEFLATE_RATIO:
        raise DamagedImageError(
            f"damaged: {compressed} bytes of compressed data are too few for a PNG of {height}x{width} pixels"
        )
    simple = colour == 2 and bits == 8 and names <= _SIMPLE_CHUNKS
    return Header("png", height, width, bits, channels, simple)


def _inspect_jpeg(data: bytes) -> Header:
    size = len(data)
    position = 2
    frame: Header | None = None
    while position + 4 <= size:
        if data[position] != 0xFF:
            raise DamagedImageError(f"damaged: no JPEG marker at byte {position}")
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            position += 2
            continue
        if marker == 0xD9:
            break
        (length,) = struct.unpack_from(">H", data, position + 2)
        if length < 2 or position + 2 + length > size:
            raise DamagedImageError(
                f"truncated: the JPEG segment at byte {position} ends after the file's {size} bytes"
            )
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if length < 8:
                raise DamagedImageError("damaged: the JPEG frame header is too short")
            bits, height, width, channels = struct.unpack_from(">BHHB", data, position + 4)
            frame = Header("jpeg", height, width, bits, channels)
        if marker == 0xDA:
            if frame is None:
                raise DamagedImageError("damaged: a JPEG scan before the frame header")
            # Inside a scan, 0xFF is followed by 0 or a restart marker, so that FF D9 can only be the end of the image.
            if data.rfind(b"\xff\xd9", position) < 0:
                raise DamagedImageError(f"truncated: a JPEG of {size} bytes without its end marker")
            return frame
        position += 2 + length
    raise DamagedImageError(f"truncated: a JPEG of {size} bytes without image data")


def _inspect_bmp(data: bytes) -> Header:
    if len(data) < 30:
        raise DamagedImageError(f"truncated: a BMP of {len(data)} bytes")
    offset, info = struct.unpack_from("<II", data, 10)
    if info == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, bits = struct.unpack_from("<iiHH", data, 18)
        compression = struct.unpack_from("<I", data, 30)[0] if len(data) >= 34 else 0
    width, height = abs(width), abs(height)
    row = (width * bits + 31) // 32 * 4
    if compression in (0, 3) and offset + row * height > len(data):
        raise DamagedImageError(
            f"truncated: a BMP of {height}x{width} pixels needs {offset + row * height} bytes, the file has {len(data)}"
        )
    return Header("bmp", height, width)


def _inspect_webp(data: bytes) -> Header:
    (length,) = struct.unpack_from("<I", data, 4)
    if length + 8 > len(data) or len(data) < 30:
        raise DamagedImageError(f"truncated: a WebP of {length + 8} bytes, of which the file has {len(data)}")
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    elif kind == b"VP8L":
        (packed,) = struct.unpack_from("<I", data, 21)
        width, height = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise DamagedImageError(f"damaged: the WebP chunk {kind!r} is unknown")
    return Header("webp", height, width)


# None, CCITT, LZW, JPEG, Deflate, PackBits. OpenCV may return a black image for others.
_TIFF_COMPRESSIONS = frozenset((1, 2, 3, 4, 5, 7, 8, 32946, 32773))
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}


def _inspect_tiff(data: bytes) -> Header:
    order = "<" if data[:2] == b"II" else ">"
    size = len(data)
    if size < 8:
        raise DamagedImageError(f"truncated: a TIFF of {size} bytes")
    (start,) = struct.unpack_from(order + "I", data, 4)
    if start + 2 > size:
        raise DamagedImageError(f"truncated: the directory of the TIFF is at byte {start}, the file has {size}")
    (count,) = struct.unpack_from(order + "H", data, start)
    if start + 2 + 12 * count > size:
        raise DamagedImageError("truncated: a TIFF that ends inside its directory")
    tags: dict[int, tuple[int, ...]] = {}
    alpha_tag = 0
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, number = struct.unpack_from(order + "HHI", data, entry)
        if kind not in (3, 4):
            continue
        width = _TIFF_SIZES[kind]
        place = entry + 8
        if number * width > 4:
            (place,) = struct.unpack_from(order + "I", data, entry + 8)
        if place + number * width > size:
            raise DamagedImageError(f"truncated: the TIFF tag {tag} is beyond the {size} bytes of the file")
        tags[tag] = struct.unpack_from(f"{order}{number}{'H' if kind == 3 else 'I'}", data, place)
        if tag == 338 and tags[tag] == (2,):
            alpha_tag = place
    if 256 not in tags or 257 not in tags:
        raise DamagedImageError("damaged: a TIFF without a size")
    for offsets, lengths in ((273, 279), (324, 325)):
        for offset, length in zip(tags.get(offsets, ()), tags.get(lengths, ()), strict=False):
            if offset + length > size:
                raise DamagedImageError(f"truncated: image data of the TIFF is beyond the {size} bytes of the file")
    compression = tags.get(259, (1,))[0]
    if compression not in _TIFF_COMPRESSIONS:
        raise DamagedImageError(f"the compression of the TIFF is not supported ({compression})")
    if compression in (8, 32946):
        _check_deflated(data, tags)
    sample_format = tags.get(339, (1,))[0]
    if sample_format not in (1, 4):
        raise DamagedImageError("the TIFF has signed or floating-point samples; save it as 8-bit RGB")
    bits = max(tags.get(258, (1,)))
    channels = tags.get(277, (1,))[0]
    return Header("tiff", tags[257][0], tags[256][0], bits, channels, alpha_tag=alpha_tag)


def _check_deflated(data: bytes, tags: dict[int, tuple[int, ...]]) -> None:
    # libtiff does not verify the checksum of a strip, and OpenCV continues after a truncated strip.
    for offsets, lengths in ((273, 279), (324, 325)):
        for offset, length in zip(tags.get(offsets, ()), tags.get(lengths, ()), strict=False):
            strip = zlib.decompressobj()
            try:
                # The limit stops the decompression of strips that would expand to gigabytes.
                strip.decompress(data[offset : offset + length], 4 * MAX_PIXELS)
            except zlib.error as error:
                raise DamagedImageError(f"damaged: the image data of the TIFF at byte {offset}: {error}") from None
            if not strip.eof:
                raise DamagedImageError(f"damaged: the image data of the TIFF at byte {offset} is truncated")
