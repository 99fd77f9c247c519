"""The structure of BMP and WebP files, and the size in a JPEG 2000 file."""

from __future__ import annotations

import struct

from breastcls.images.image_header import DamagedImageError, Header, UnsupportedImageError, check_frames
from breastcls.text_tables import format_count

_CODESTREAM = b"\xff\x4f\xff\x51"
JPEG2000_SIGNATURES = (_CODESTREAM, b"\0\0\0\x0cjP  \r\n\x87\n")


def inspect_bmp(data: bytes) -> Header:
    """Return the header of a BMP after checking that it is complete.

    Raises:
        DamagedImageError: If it is truncated.
    """
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


def inspect_webp(data: bytes) -> Header:
    """Return the header of a WebP after checking that it is complete.

    Raises:
        DamagedImageError: If it is truncated.
        UnsupportedImageError: If it has several frames.
    """
    (length,) = struct.unpack_from("<I", data, 4) if len(data) >= 8 else (0,)
    if length + 8 > len(data) or len(data) < 30:
        raise DamagedImageError(f"truncated: a WebP of {length + 8} bytes, of which the file has {len(data)}")
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        check_frames("animated WebP", _count_frames(data, length + 8))
    elif kind == b"VP8L":
        (packed,) = struct.unpack_from("<I", data, 21)
        width, height = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise DamagedImageError(f"damaged: the WebP chunk {kind!r} is unknown")
    return Header("webp", height, width)


def _count_frames(data: bytes, end: int) -> int:
    position, frames = 12, 0
    while position + 8 <= end:
        frames += data[position : position + 4] == b"ANMF"
        (length,) = struct.unpack_from("<I", data, position + 4)
        position += 8 + length + length % 2
    return frames


def inspect_jpeg2000(data: bytes) -> Header:
    """Return the size of a JPEG 2000 image from its codestream, which may differ from that in its first boxes.

    Raises:
        DamagedImageError: If it has no codestream.
        UnsupportedImageError: If it has more than four channels.
    """
    start = data.find(_CODESTREAM)
    if start < 0 or start + 42 > len(data):
        raise DamagedImageError("truncated: a JPEG 2000 file without a codestream")
    right, bottom, left, top = struct.unpack_from(">IIII", data, start + 8)
    (channels,) = struct.unpack_from(">H", data, start + 40)
    if channels > 4:
        raise UnsupportedImageError(
            f"a JPEG 2000 image with {format_count(channels, 'channel')} is not read, because RGB has three. Save "
            "three of them as RGB"
        )
    if channels and start + 42 < len(data):
        return Header("jpeg2000", bottom - top, right - left, (data[start + 42] & 0x7F) + 1, channels)
    raise DamagedImageError("damaged: a JPEG 2000 codestream without channels")
