"""The format of an image from its content, and a check that the file is complete.

Decoders treat truncated files differently: some fill the missing part with grey without an error. These checks do not
depend on the decoder: they traverse the structure of the file and compare it with its length before decoding.
"""

from __future__ import annotations

from breastcls.images.image_header import MAX_PIXELS, DamagedImageError, Header, UnsupportedImageError, check_size
from breastcls.images.jpeg_structure import SIGNATURE as JPEG
from breastcls.images.jpeg_structure import inspect_jpeg
from breastcls.images.other_structures import JPEG2000_SIGNATURES, inspect_bmp, inspect_jpeg2000, inspect_webp
from breastcls.images.png_structure import SIGNATURE as PNG
from breastcls.images.png_structure import inspect_png
from breastcls.images.tiff_directory import TIFF_SIGNATURES
from breastcls.images.tiff_pages import inspect_tiff
from breastcls.images.unread_formats import describe_content, is_avif

_NOT_READ = "not a PNG, JPEG, TIFF, JPEG 2000, BMP, WebP, GIF or AVIF image"


def inspect_bytes(data: bytes, max_pixels: int = MAX_PIXELS) -> Header:
    """Return the header of an image after checking that the file is complete.

    Args:
        data: The content of the file.
        max_pixels: Largest number of pixels in the header.

    Raises:
        DamagedImageError: If it is empty, not an image, truncated or damaged.
        UnsupportedImageError: If it has more than `max_pixels` pixels, is of a kind that is not read, or has several
            frames or pages.
    """
    header = _inspect(data)
    # The size of other formats is known after their decoder has read the header.
    if header.format not in ("gif", "avif"):
        check_size(header.height, header.width, max_pixels)
    return header


def _inspect(data: bytes) -> Header:
    if not data:
        raise DamagedImageError("the file is empty (zero bytes)")
    if data.startswith(PNG):
        return inspect_png(data)
    if data.startswith(JPEG):
        return inspect_jpeg(data)
    if data.startswith(TIFF_SIGNATURES):
        return inspect_tiff(data)
    if data.startswith(b"BM"):
        return inspect_bmp(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return inspect_webp(data)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return Header("gif")
    if data.startswith(JPEG2000_SIGNATURES):
        return inspect_jpeg2000(data)
    if is_avif(data):
        return Header("avif")
    kind, remedy = describe_content(data)
    if not remedy:
        raise DamagedImageError(f"{_NOT_READ}: it is {kind}")
    raise UnsupportedImageError(f"{_NOT_READ}: it is {kind}. {remedy}")
