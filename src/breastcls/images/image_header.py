"""The header of an image file, and the reasons why a file is not read."""

from __future__ import annotations

from dataclasses import dataclass

MAX_PIXELS = 2**26
"""Default limit of the size of an image in pixels, 8192 x 8192: about 0.2 GB as RGB, and 1 GB while it is decoded."""


class DamagedImageError(ValueError):
    """The reason why a file is not a complete image; it becomes part of the `ImageError` that names the file."""


class UnsupportedImageError(ValueError):
    """The reason why an intact image is not read: its kind, its size, or content that RGB cannot hold."""


@dataclass(frozen=True)
class Header:
    """The header of an image file.

    Attributes:
        format: `"png"`, `"jpeg"`, `"bmp"`, `"webp"`, `"tiff"`, `"gif"`, `"jpeg2000"` or `"avif"`.
        height: Rows as stored, before any rotation by an EXIF tag; 0 if only the decoder determines it.
        width: Columns as stored.
        bits: Bits per channel.
        channels: Channels as stored; a palette counts as one.
        simple_png: Whether all PNG decoders return the same RGB pixels: 8-bit RGB without rotation or animation.
        rotation: Whether a JPEG has metadata that may contain a rotation.
    """

    format: str
    height: int = 0
    width: int = 0
    bits: int = 8
    channels: int = 3
    simple_png: bool = False
    rotation: bool = False


def check_size(height: int, width: int, max_pixels: int) -> None:
    """Check the size of an image in its header, before memory for it is allocated.

    Raises:
        DamagedImageError: If it is zero.
        UnsupportedImageError: If it has more than `max_pixels` pixels.
    """
    if height < 1 or width < 1:
        raise DamagedImageError(f"the header has a size of {height}x{width} pixels")
    if height * width > max_pixels:
        raise UnsupportedImageError(
            f"the header has {height}x{width} pixels, more than the limit of {max_pixels}. Cut whole slides into "
            "patches "
            "first, or raise max_pixels"
        )


def check_frames(kind: str, frames: int) -> None:
    """Check that an image has one frame.

    Raises:
        UnsupportedImageError: If it has several.
    """
    if frames > 1:
        raise UnsupportedImageError(
            f"the {kind} has {frames} frames, and only one image is read from a file. Save each frame as a file of its "
            "own, for example with `for n, frame in enumerate(PIL.ImageSequence.Iterator(PIL.Image.open(file))): "
            'frame.convert("RGB").save(f"frame{n}.png")`'
        )
