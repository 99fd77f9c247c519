"""The structure of a JPEG file, up to its image data."""

from __future__ import annotations

import struct

from breastcls.images.image_header import DamagedImageError, Header, UnsupportedImageError

SIGNATURE = b"\xff\xd8\xff"
_APP1 = 0xE1
# Baseline, extended, progressive, and the last two with arithmetic coding.
_READ_FRAMES = frozenset((0xC0, 0xC1, 0xC2, 0xC9, 0xCA))


def inspect_jpeg(data: bytes) -> Header:
    """Return the header of a JPEG after checking its segments and its end marker.

    Raises:
        DamagedImageError: If it is truncated or damaged.
        UnsupportedImageError: If it is lossless, hierarchical, or has more than 8 bits per channel.
    """
    size = len(data)
    position = 2
    frame: Header | None = None
    rotation = False
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
        rotation |= marker == _APP1
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if length < 8:
                raise DamagedImageError("damaged: the JPEG frame header is too short")
            bits, height, width, channels = struct.unpack_from(">BHHB", data, position + 4)
            if bits != 8 or marker not in _READ_FRAMES:
                kind = f"{bits}-bit" if marker in _READ_FRAMES else "lossless or hierarchical"
                raise UnsupportedImageError(f"a {kind} JPEG is not read. Convert it to an 8-bit PNG")
            frame = Header("jpeg", height, width, bits, channels)
        if marker == 0xDA:
            if frame is None:
                raise DamagedImageError("damaged: a JPEG scan before the frame header")
            # Inside a scan, 0xFF is followed by 0 or a restart marker, so that FF D9 can only be the end of the image.
            if data.rfind(b"\xff\xd9", position) < 0:
                raise DamagedImageError(f"truncated: a JPEG of {size} bytes without its end marker")
            return Header("jpeg", frame.height, frame.width, 8, frame.channels, rotation=rotation)
        position += 2 + length
    raise DamagedImageError(f"truncated: a JPEG of {size} bytes without image data")
