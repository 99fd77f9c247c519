"""The region of an original image that became the input of the model."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from breastcls.errors import ExplanationError


@dataclass(frozen=True)
class InputRegion:
    """The region of an image that became the input of the model, in pixels of the image.

    With `resize="pad"` the region is larger than the image, and `top` or `left` is negative.
    """

    top: float
    left: float
    height: float
    width: float


def find_input_region(size: tuple[int, int], image_size: tuple[int, int], resize: str) -> InputRegion:
    """Return the region of an image of `size` that becomes the input of `image_size`.

    Args:
        size: (height, width) of the image.
        image_size: (height, width) of the model's input.
        resize: `"stretch"`: all of it; `"crop"`: the largest region in the middle with the proportions of the input;
            `"pad"`: all of it, in the middle of a larger region with the proportions of the input.

    Raises:
        ExplanationError: If `resize` is something else.

    Example:
        >>> find_input_region((460, 700), (224, 224), "crop")
        InputRegion(top=0.0, left=120.0, height=460.0, width=460.0)
    """
    height, width = size
    if resize == "stretch":
        return InputRegion(0.0, 0.0, float(height), float(width))
    # The same whole pixels as in `breastcls.images.resize.resize_image`.
    rows, columns = image_size
    if resize == "crop":
        scale = max(rows / height, columns / width)
        kept_height = min(height, max(1, round(rows / scale)))
        kept_width = min(width, max(1, round(columns / scale)))
        return InputRegion(
            float((height - kept_height) // 2), float((width - kept_width) // 2), float(kept_height), float(kept_width)
        )
    if resize == "pad":
        scale = min(rows / height, columns / width)
        inner_height = min(rows, max(1, round(height * scale)))
        inner_width = min(columns, max(1, round(width * scale)))
        top, left = (rows - inner_height) // 2, (columns - inner_width) // 2
        return InputRegion(
            -top * height / inner_height,
            -left * width / inner_width,
            rows * height / inner_height,
            columns * width / inner_width,
        )
    raise ExplanationError(f"resize is {resize!r}; expected 'stretch', 'crop' or 'pad'.")


def place_heatmap(heatmap: np.ndarray, size: tuple[int, int], resize: str) -> np.ndarray:
    """Return a heat-map at the size of the original image.

    Args:
        heatmap: float32 (h, w) at the model's input size.
        size: (height, width) of the image.
        resize: How the image was resized to the model's input size.

    Returns:
        float32 (height, width); NaN outside of the input of the model.
    """
    height, width = size
    rows, columns = heatmap.shape
    if resize == "stretch":
        return np.asarray(cv2.resize(heatmap, (width, height), interpolation=cv2.INTER_LINEAR))
    region = find_input_region(size, (rows, columns), resize)
    # Pixel centres: x + 0.5 in the image is the fraction (x + 0.5 - left) / width of the region.
    y = (np.arange(height) + 0.5 - region.top) / region.height
    x = (np.arange(width) + 0.5 - region.left) / region.width
    map_x, map_y = np.meshgrid(
        (x * columns - 0.5).astype(np.float32), (y * rows - 0.5).astype(np.float32), indexing="xy"
    )
    placed = np.asarray(cv2.remap(heatmap, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    placed[(y < 0) | (y > 1), :] = np.nan
    placed[:, (x < 0) | (x > 1)] = np.nan
    return placed
