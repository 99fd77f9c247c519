"""Images that are already in memory: arrays and images of Pillow, checked and as RGB pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.errors import BreastclsError, ImageError
from breastcls.images.image_header import MAX_PIXELS, DamagedImageError, UnsupportedImageError, check_frames, check_size
from breastcls.images.pillow_decoder import load_image, to_rgb
from breastcls.images.resize import Pixels

_CHANNELS = {
    1: "one channel (grey). Repeat it: `np.repeat(image, 3, axis=-1)`",
    2: "two channels (grey and alpha). Repeat the first: `np.repeat(image[..., :1], 3, axis=-1)`",
    4: "four channels (RGBA). Where all pixels are opaque, leave the last one out: `image[..., :3]`",
}


def check_pixels(values: Any, name: str, error: type[BreastclsError]) -> Pixels:
    """Return an image or a batch of images as an array, if it is one of RGB pixels.

    Args:
        values: uint8 (height, width, 3) or (n, height, width, 3): an array, or a tensor on the CPU of any framework.
        name: What it is, for messages.
        error: The exception to raise.

    Raises:
        error: If it has another type or shape; the message says what was found and how to convert it.

    Example:
        >>> import numpy as np
        >>> from breastcls.errors import EvaluationError
        >>> check_pixels(np.zeros((3, 8, 8), np.uint8), "The image", EvaluationError)
        Traceback (most recent call last):
        ...
        breastcls.errors.EvaluationError: The image has the shape (3, 8, 8); expected (height, width, 3), RGB. It has \
the channels first. Move them: `np.moveaxis(image, 0, -1)`.
    """
    array = _to_array(values, name, error)
    problem = _describe_shape(array.shape)
    if problem is not None:
        expected = "(n, height, width, 3)" if array.ndim == 4 else "(height, width, 3)"
        raise error(f"{name} has the shape {array.shape}; expected {expected}, RGB. {problem}.")
    if array.dtype != np.uint8:
        raise error(f"{name} has {_describe_values(array)}")
    return array


def pillow_pixels(image: Any, name: str, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Return the pixels of an image of Pillow, converted as those of an image file; the image is not changed.

    Args:
        image: A `PIL.Image.Image`.
        name: What it is, for messages.
        max_pixels: As in `read_image`.

    Returns:
        uint8 (height, width, 3), RGB.

    Raises:
        ImageError: If it cannot be decoded, has transparent pixels, several frames, or another colour space.
    """
    from PIL import ImageOps

    kind = image.format or "Pillow image"
    try:
        check_size(image.height, image.width, max_pixels)
        check_frames(kind, int(getattr(image, "n_frames", 1)))
        try:
            upright = ImageOps.exif_transpose(image)
        except MemoryError:
            raise
        except Exception as error:
            raise DamagedImageError(f"damaged: the {kind} data cannot be decoded ({error})") from error
        return to_rgb(load_image(upright, kind), kind)
    except (DamagedImageError, UnsupportedImageError) as error:
        raise ImageError(f"{name}: {error}.") from error
    except MemoryError as error:
        raise ImageError(f"{name}: decoding needs more memory than is free.") from error


def _to_array(values: Any, name: str, error: type[BreastclsError]) -> npt.NDArray[Any]:
    if hasattr(values, "detach"):  # A tensor of PyTorch with a gradient cannot be converted.
        values = values.detach()
    try:
        return np.asarray(values)
    except Exception as problem:  # Frameworks raise errors of any kind.
        raise error(
            f"{name} is a {type(values).__name__} that cannot be read as an array: {problem} Copy it to the memory of "
            "the processor, as uint8."
        ) from problem


def _describe_shape(shape: tuple[int, ...]) -> str | None:
    """Return what is wrong with the shape of an image or a batch, or None."""
    if len(shape) not in (3, 4):
        if len(shape) == 2:
            return "It has no channels (grey). Repeat it: `np.stack([image] * 3, axis=-1)`"
        if len(shape) > 4:
            return "Give batches one after another, as a generator, or reshape it to four axes"
        return (
            "It is not an image. Where images come with labels, give the images alone, such as "
            "`(images for images, labels in batches)`"
        )
    if 0 in shape:
        return "It is empty"
    if shape[-1] == 3:
        return None
    if shape[-3] == 3:
        axis = len(shape) - 3
        name = "images" if axis else "image"
        return f"It has the channels first. Move them: `np.moveaxis({name}, {axis}, -1)`"
    return f"It has {_CHANNELS.get(shape[-1], f'{shape[-1]} values on the last axis, which is no number of channels')}"


def _describe_values(array: npt.NDArray[Any]) -> str:
    """Return the type and the range of values that are not uint8, and how to convert them."""
    expected = "expected the type uint8 with values from 0 to 255."
    if array.dtype == np.bool_:
        return f'the type bool; {expected} Convert it: `image.astype("uint8") * 255`.'
    if array.dtype.kind in "OUSMmc":
        return f"the type {array.dtype}; {expected}"
    numbers = array.astype(np.float64)
    if not np.isfinite(numbers).all():
        return f"the type {array.dtype} and NaN or infinite values; {expected}"
    low, high = float(numbers.min()), float(numbers.max())
    if array.dtype.kind in "iu":
        if low >= 0 and high <= 255:
            remedy = 'Convert it: `image.astype("uint8")`.'
        elif array.dtype == np.uint16:
            remedy = (
                'Where the values use all 16 bits, convert it: `(image // 257).astype("uint8")`; a camera may use '
                "fewer, such as 12."
            )
        else:
            remedy = "Scale it to this range."
    elif low >= 0 and high <= 1:
        remedy = 'Convert it: `(image * 255).round().astype("uint8")`.'
    elif low >= -1 and high <= 1:
        remedy = 'If the range is -1 to 1, convert it: `((image + 1) * 127.5).round().astype("uint8")`.'
    elif low >= 0 and high <= 255:
        remedy = 'Convert it: `image.round().astype("uint8")`.'
    else:
        remedy = (
            "If it was standardised, reverse this: multiply by the standard deviation, add the mean, and convert the "
            "result. The input scaling of the model is part of the model."
        )
    return f"the type {array.dtype} and values from {low:.4g} to {high:.4g}; {expected} {remedy}"
