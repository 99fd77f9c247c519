"""The structure of a PNG file, with all its checksums."""

from __future__ import annotations

import struct
import zlib

from breastcls.images.image_header import DamagedImageError, Header, check_frames

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Chunks that do not affect the pixels of a reader that ignores alpha.
_SIMPLE_CHUNKS = frozenset(b"IHDR IDAT IEND pHYs oFFs tEXt zTXt iTXt tIME sRGB gAMA cHRM bKGD vpAg".split())
_MAX_DEFLATE_RATIO = 1032


def inspect_png(data: bytes) -> Header:
    """Return the header of a PNG after checking that it is complete.

    Raises:
        DamagedImageError: If it is truncated, or a checksum is wrong.
        UnsupportedImageError: If it has several frames.
    """
    size = len(data)
    position = 8
    names: set[bytes] = set()
    compressed = 0
    width = height = bits = colour = 0
    frames = 1
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
        elif name == b"acTL" and length >= 4:
            (frames,) = struct.unpack_from(">I", data, position + 8)
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
    check_frames("animated PNG", frames)
    simple = colour == 2 and bits == 8 and names <= _SIMPLE_CHUNKS
    return Header("png", height, width, bits, channels, simple)
