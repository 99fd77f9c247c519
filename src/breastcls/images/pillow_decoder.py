"""Decoding with Pillow, for all formats except RGB JPEG and 8-bit RGB PNG."""

from __future__ import annotations

import io
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from breastcls.images.image_header import DamagedImageError, Header, UnsupportedImageError, check_frames, check_size
from breastcls.images.resize import Pixels

_DEEP_MODES = frozenset(("I;16", "I;16L", "I;16B", "I;16N", "I;12"))
_RGB_MODES = frozenset(("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "LA", "PA", "RGBA", "La", "RGBa"))
_ALPHA_MODES = frozenset(("LA", "PA", "RGBA", "La", "RGBa"))
# An image without a value above this uses at most 14 of 16 bits.
_LEAST_UPPER = 64


def open_image(data: bytes, kind: str) -> Any:
    """Return an image of Pillow whose header is read, without Pillow's own limit of the size and search of the format.

    Raises:
        DamagedImageError: If the header cannot be read.
    """
    from PIL import (
        AvifImagePlugin,
        BmpImagePlugin,
        GifImagePlugin,
        Jpeg2KImagePlugin,
        JpegImagePlugin,
        PngImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    plugins: dict[str, Any] = {
        "png": PngImagePlugin.PngImageFile,
        "jpeg": JpegImagePlugin.JpegImageFile,
        "tiff": TiffImagePlugin.TiffImageFile,
        "bmp": BmpImagePlugin.BmpImageFile,
        "webp": WebPImagePlugin.WebPImageFile,
        "gif": GifImagePlugin.GifImageFile,
        "jpeg2000": Jpeg2KImagePlugin.Jpeg2KImageFile,
        "avif": AvifImagePlugin.AvifImageFile,
    }
    try:
        return plugins[kind](io.BytesIO(data))
    except Exception as error:  # The parsers of damaged headers raise errors of any kind.
        raise DamagedImageError(f"damaged: the {kind.upper()} header cannot be read ({error})") from error


def decode_with_pillow(data: bytes, header: Header, max_pixels: int) -> Pixels:
    """Decode an image file that has one frame.

    Raises:
        DamagedImageError: If Pillow cannot decode it.
        UnsupportedImageError: If it has too many pixels, several frames, transparent pixels, or unused bits.
    """
    kind = header.format
    image = open_image(data, kind)
    check_size(image.height, image.width, max_pixels)
    if kind == "jpeg2000" and (image.height, image.width) != (header.height, header.width):
        raise DamagedImageError("damaged: the sizes in the boxes and in the codestream of the JPEG 2000 differ")
    if kind in ("gif", "avif"):
        try:
            frames = int(image.n_frames)
        except Exception as error:
            raise DamagedImageError(f"damaged: the frames of the {kind.upper()} cannot be counted ({error})") from error
        check_frames(kind.upper(), frames)
    return to_rgb(load_image(image, kind), kind, header.bits if kind == "png" else 8)


def load_image(image: Any, kind: str) -> Any:
    """Decode the pixels of an image of Pillow, and apply an EXIF rotation.

    Raises:
        DamagedImageError: If Pillow cannot decode it.
    """
    from PIL import ImageOps

    try:
        image.load()
        # Otherwise an image without rotation would be copied.
        ImageOps.exif_transpose(image, in_place=True)
    except MemoryError:
        raise
    except Exception as error:
        raise DamagedImageError(f"damaged: the {kind.upper()} data cannot be decoded ({error})") from error
    return image


def to_rgb(image: Any, kind: str, bits: int = 8) -> Pixels:
    """Convert an image of Pillow to RGB.

    Args:
        image: The decoded image.
        kind: Its format, for messages.
        bits: Bits per channel in the file.

    Raises:
        UnsupportedImageError: If it has transparent pixels, unused bits, or another colour space.
    """
    if image.mode in _DEEP_MODES:
        values = np.asarray(image)
        if "transparency" in image.info and (values == image.info["transparency"]).any():
            raise UnsupportedImageError(_TRANSPARENT)
        return expand_grey(keep_upper_bits(values, bits if 8 < bits < 16 else 16))
    if image.mode not in _RGB_MODES:
        raise UnsupportedImageError(
            f"the {kind.upper()} has the pixel type {image.mode!r} of Pillow, which has no fixed range or colour. Save "
            "it "
            "as 8-bit RGB"
        )
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        image = image.convert("RGBA")
        pixels = np.asarray(image)
        check_opaque(pixels[..., 3])
        pixels = np.ascontiguousarray(pixels[..., :3])
    else:
        pixels = _copy_pixels(image if image.mode == "RGB" else image.convert("RGB"))
    if bits == 16:
        check_used_bits(pixels)
    return pixels


class _PixelWriter:
    """A file that keeps the last bytes of what is written to it in an array."""

    def __init__(self, pixels: Pixels, header_bytes: int) -> None:
        self._bytes = memoryview(pixels).cast("B")
        self._position = -header_bytes

    def write(self, part: bytes) -> None:
        if self._position >= 0:
            self._bytes[self._position : self._position + len(part)] = part
        self._position += len(part)


def _copy_pixels(image: Any) -> Pixels:
    """Return the pixels of an RGB image of Pillow, writable.

    `numpy.array(image)` holds two more copies for a moment, so that the C library returns memory to the system and
    requests it again for every image, which takes up to twice as long as decoding.
    """
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    image.save(_PixelWriter(pixels, len(b"P6\n%d %d\n255\n" % image.size)), "PPM")
    return pixels


_TRANSPARENT = (
    "it has transparent pixels, whose colour is not defined. Save it without alpha, over white: `canvas = "
    'PIL.Image.new("RGBA", image.size, "white"); canvas.alpha_composite(image.convert("RGBA")); '
    'canvas.convert("RGB").save("image.png")`'
)


def check_opaque(alpha: npt.NDArray[Any]) -> None:
    """Check that all pixels are opaque.

    Raises:
        UnsupportedImageError: If one is not.
    """
    if alpha.min() < np.iinfo(alpha.dtype).max:
        raise UnsupportedImageError(_TRANSPARENT)


def keep_upper_bits(values: npt.NDArray[Any], bits: int = 16) -> Pixels:
    """Return the upper 8 of `bits` bits.

    Raises:
        UnsupportedImageError: If 16-bit values use at most 14 bits.
    """
    upper = (values >> (bits - 8)).astype(np.uint8)
    if bits == 16:
        check_used_bits(upper)
    return upper


def check_used_bits(upper: Pixels) -> None:
    """Check that 16-bit values use the whole range; camera files often hold 8, 10, 12 or 14-bit values.

    Args:
        upper: The upper 8 bits of all values.

    Raises:
        UnsupportedImageError: If no value is above 16383.
    """
    largest = int(upper.max())
    if largest < _LEAST_UPPER:
        bits = next(bits for bits in (8, 10, 12, 14) if largest < 1 << (bits - 8))
        shift = f"values >> {bits - 8}" if bits > 8 else "values"
        raise UnsupportedImageError(
            f"a 16-bit image without a value above {(1 << bits) - 1} of 65535: it may hold {bits}-bit values, and "
            "would be "
            "read as almost black. Convert the images to 8 bits with the factor that applies to all of them, for "
            "example "
            f'`PIL.Image.fromarray(({shift}).astype(numpy.uint8)).save("image.png")`'
        )


def expand_grey(values: Pixels) -> Pixels:
    """Return three equal channels."""
    return cast("Pixels", np.repeat(values[..., np.newaxis], 3, axis=2))
