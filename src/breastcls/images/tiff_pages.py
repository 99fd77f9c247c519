"""Which page of a TIFF file is the image, and whether its content can be read as RGB."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from math import prod

from breastcls.images.image_header import DamagedImageError, Header, UnsupportedImageError
from breastcls.images.tiff_content import BY_TIFFFILE, WHITE_IS_ZERO, check_content, check_parts, find_special
from breastcls.images.tiff_directory import (
    BITS,
    HEIGHT,
    SUBFILE,
    WIDTH,
    Page,
    read_pages,
)

_REDUCED = 1
_ASPECT_TOLERANCE = 0.02


@dataclass(frozen=True)
class TiffHeader(Header):
    """The header of the page of a TIFF file that is read.

    Attributes:
        page: Its position.
        copies: Positions of smaller pages, which are no separate images if they show the same.
        special: The property that Pillow does not decode correctly; empty if it decodes the file.
        inverted: Whether white is zero.
    """

    page: int = 0
    copies: tuple[int, ...] = field(default=())
    special: str = ""
    inverted: bool = False


def inspect_tiff(data: bytes) -> TiffHeader:
    """Return the header of the page that is read, after checking that it is complete.

    Raises:
        DamagedImageError: If it is truncated or damaged.
        UnsupportedImageError: If there are several images, or it cannot be read as RGB.
    """
    pages = read_pages(data)
    for page in pages:
        if WIDTH not in page.tags or HEIGHT not in page.tags:
            raise DamagedImageError("damaged: a TIFF page without a size")
    chosen, copies = _choose_page(pages)
    page = pages[chosen]
    _check_stack(page, len(pages))
    check_content(page)
    check_parts(data, page)
    bits = max(page.tags.get(BITS, (1,)))
    if data[:2] == b"MM" and (8 < bits < 16 or (bits == 16 and page.compression in BY_TIFFFILE)):
        # tifffile exchanges the bytes of these.
        raise UnsupportedImageError(
            f"a big-endian TIFF with {bits} bits per channel and compression {page.compression} is not read. Save it "
            "as "
            "8-bit RGB"
        )
    return TiffHeader(
        "tiff",
        page.height,
        page.width,
        bits,
        page.samples,
        page=chosen,
        copies=copies,
        special=find_special(page, bits, data[:4]),
        inverted=page.photometric == WHITE_IS_ZERO,
    )


def _choose_page(pages: list[Page]) -> tuple[int, tuple[int, ...]]:
    """Return the position of the largest page, and those of unmarked pages that may be smaller copies of it."""
    whole = [number for number, page in enumerate(pages) if not page.first(SUBFILE, 0) & _REDUCED]
    whole = whole or list(range(len(pages)))
    chosen = max(whole, key=lambda number: pages[number].height * pages[number].width)
    copies = [number for number in whole if number != chosen]
    if all(_may_be_copy(pages[number], pages[chosen]) for number in copies):
        return chosen, tuple(copies)
    raise UnsupportedImageError(_describe_pages([pages[number] for number in whole]))


def _may_be_copy(small: Page, large: Page) -> bool:
    # A width of n pixels stands for n - 1 to n + 1 after rounding.
    rounding = 1 / min(small.height, small.width, large.height, large.width) if min(small.height, small.width) else 1.0
    ratio = (small.height / large.height) / (small.width / large.width) if small.width and large.height else 0.0
    return small.height < large.height and abs(ratio - 1) <= _ASPECT_TOLERANCE + rounding


def _describe_pages(pages: list[Page]) -> str:
    sizes = sorted({f"{page.height}x{page.width}" for page in pages})
    text = f"a TIFF with {len(pages)} pages of {', '.join(sizes[:3])} pixels, which are not the levels of a pyramid"
    if len(pages) == 3 and len(sizes) == 1 and all(page.samples == 1 for page in pages):
        return (
            f"{text}; three grey pages may be the red, green and blue channel. Save them as one RGB image: "
            '`PIL.Image.merge("RGB", [page.convert("L") for page in PIL.ImageSequence.Iterator(PIL.Image.open(file))])'
            '.save("image.png")`'
        )
    return (
        f"{text}, and only one image is read from a file. Save each page as a file of its own: `for n, page in "
        'enumerate(PIL.ImageSequence.Iterator(PIL.Image.open(file))): page.save(f"page{n}.png")`'
    )


def _check_stack(page: Page, pages: int) -> None:
    """Check for planes that follow the first one without a directory, as ImageJ and tifffile may write them."""
    planes = 1
    if page.description.startswith("ImageJ="):
        found = re.search(r"^images=(\d+)", page.description, re.MULTILINE)
        planes = int(found[1]) if found else 1
    elif page.description.startswith('{"shape"'):
        try:
            shape = json.loads(page.description)["shape"]
            planes = prod(map(int, shape)) // max(1, page.height * page.width * page.samples)
        except (ValueError, TypeError, KeyError, RecursionError):
            planes = 1
    if planes > pages:
        raise UnsupportedImageError(
            f"a TIFF stack of {planes} images, and only one image is read from a file. Save each as a file of its own, "
            "for example with ImageJ: Image > Stacks > Stack to Images"
        )
