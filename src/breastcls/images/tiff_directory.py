"""The directories of a TIFF or BigTIFF file: one per page, each a table of tags."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from breastcls.images.image_header import DamagedImageError, UnsupportedImageError

TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MAX_PAGES = 1000
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_LETTERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_ASCII = 2
_DESCRIPTION = 270

# Numbers of tags.
SUBFILE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 256, 257, 258, 259, 262
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_LENGTHS, PLANAR = 273, 277, 278, 279, 284
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_LENGTHS = 322, 323, 324, 325
EXTRA_SAMPLES, SAMPLE_FORMAT, SUBSAMPLING = 338, 339, 530


@dataclass(frozen=True)
class Page:
    """One page of a TIFF file.

    Attributes:
        tags: The values of the tags with whole numbers.
        description: The text of the tag ImageDescription.
    """

    tags: dict[int, tuple[int, ...]]
    description: str = ""

    def first(self, tag: int, default: int) -> int:
        """Return the first value of a tag."""
        return self.tags.get(tag, (default,))[0]

    @property
    def height(self) -> int:
        """Rows."""
        return self.first(HEIGHT, 0)

    @property
    def width(self) -> int:
        """Columns."""
        return self.first(WIDTH, 0)

    @property
    def samples(self) -> int:
        """Channels, with alpha."""
        return self.first(SAMPLES, 1)

    @property
    def compression(self) -> int:
        """Number of the compression; 1 is none."""
        return self.first(COMPRESSION, 1)

    @property
    def photometric(self) -> int:
        """Number of the meaning of the channels; 2 is RGB."""
        return self.first(PHOTOMETRIC, 1)

    @property
    def parts(self) -> list[tuple[int, int]]:
        """Offset and length of each strip or tile."""
        for offsets, lengths in ((TILE_OFFSETS, TILE_LENGTHS), (STRIP_OFFSETS, STRIP_LENGTHS)):
            if offsets in self.tags:
                return list(zip(self.tags[offsets], self.tags.get(lengths, ()), strict=False))
        return []


def read_pages(data: bytes) -> list[Page]:
    """Return the pages of a TIFF or BigTIFF file, in order.

    Raises:
        DamagedImageError: If the file ends inside a directory, or the directories form a loop.
        UnsupportedImageError: If it has more than 1000 pages.
    """
    order = "<" if data[:2] == b"II" else ">"
    big = b"+" in data[2:4]
    if len(data) < (16 if big else 8):
        raise DamagedImageError(f"truncated: a TIFF of {len(data)} bytes")
    (start,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
    pages: list[Page] = []
    seen: set[int] = set()
    while start:
        if start in seen:
            raise DamagedImageError("damaged: the directories of the TIFF form a loop")
        if len(pages) == _MAX_PAGES:
            raise UnsupportedImageError(f"a TIFF of more than {_MAX_PAGES} pages. Save the page that you need as PNG")
        seen.add(start)
        page, start = _read_page(data, start, order, big)
        pages.append(page)
    if not pages:
        raise DamagedImageError("damaged: a TIFF without pages")
    return pages


def _read_page(data: bytes, start: int, order: str, big: bool) -> tuple[Page, int]:
    size = len(data)
    head, entry_bytes, offset_letter = (8, 20, "Q") if big else (2, 12, "I")
    if start + head > size:
        raise DamagedImageError(f"truncated: a directory of the TIFF is at byte {start}, the file has {size}")
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
    end = start + head + entry_bytes * count
    if end > size:
        raise DamagedImageError("truncated: a TIFF that ends inside its directory")
    tags: dict[int, tuple[int, ...]] = {}
    description = ""
    for entry in range(start + head, end, entry_bytes):
        tag, kind, number = struct.unpack_from(f"{order}HH{offset_letter}", data, entry)
        if kind not in _LETTERS and not (kind == _ASCII and tag == _DESCRIPTION):
            continue
        place = entry + (12 if big else 8)
        length = number * _SIZES[kind]
        if length > (8 if big else 4):
            (place,) = struct.unpack_from(order + offset_letter, data, place)
        if place + length > size:
            raise DamagedImageError(f"truncated: the TIFF tag {tag} is beyond the {size} bytes of the file")
        if kind == _ASCII:
            description = data[place : place + length].decode("utf-8", "replace").rstrip("\0")
        elif number:
            tags[tag] = struct.unpack_from(f"{order}{number}{_LETTERS[kind]}", data, place)
    following = 0
    # Some writers omit the offset of the next directory after the last one.
    if end + struct.calcsize(offset_letter) <= size:
        (following,) = struct.unpack_from(order + offset_letter, data, end)
    return Page(tags, description), following
