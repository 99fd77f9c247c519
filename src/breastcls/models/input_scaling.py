"""Input scaling of RGB images with values 0..255, as layers of Keras or on arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from breastcls.errors import ModelError
from breastcls.models.imagenet_statistics import MEAN, MEAN_BGR_255, STANDARD_DEVIATION
from breastcls.result import ShownInNotebook

Factor = float | tuple[float, float, float]


def _factor(name: str, value: Any) -> Factor:
    """Return one number, or three as a tuple."""
    try:
        numbers = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        numbers = np.asarray(np.nan)
    if numbers.shape not in ((), (1,), (3,)) or not np.isfinite(numbers).all():
        raise ModelError(f"{name}: found {value!r}; expected a finite number, or three, one per channel.")
    if numbers.size == 1:
        return float(numbers.reshape(()))
    red, green, blue = numbers.tolist()
    return (red, green, blue)


@dataclass(frozen=True)
class InputScaling(ShownInNotebook):
    """What a network computes with RGB images of values 0..255 first: `images * scale + offset`.

    Attributes:
        scale: One number, or one per channel in the order of `channels`.
        offset: Likewise.
        channels: The order of the channels that the network expects, `"RGB"` or `"BGR"`.

    Raises:
        ModelError: If a value is not a finite number, a scale is 0, or the order is another.

    Example:
        >>> InputScaling(scale=1 / 127.5, offset=-1.0) == INPUT_SCALINGS["-1-1"]
        True
    """

    scale: Factor = 1.0
    offset: Factor = 0.0
    channels: str = "RGB"

    def __post_init__(self) -> None:
        """Check the fields."""
        object.__setattr__(self, "scale", _factor("scale", self.scale))
        object.__setattr__(self, "offset", _factor("offset", self.offset))
        if not np.all(np.asarray(self.scale)):
            raise ModelError(f"InputScaling: scale={self.scale}; expected numbers other than 0.")
        if self.channels not in ("RGB", "BGR"):
            raise ModelError(f"InputScaling: channels={self.channels!r}; expected 'RGB' or 'BGR'.")

    @property
    def is_identity(self) -> bool:
        """Whether the images are left unchanged."""
        return self == InputScaling()

    @property
    def name(self) -> str | None:
        """Its name in `INPUT_SCALINGS`, or None."""
        return next((name for name, scaling in INPUT_SCALINGS.items() if scaling == self), None)

    def scale_tensor(self, images: Any) -> Any:
        """Return symbolic images (n, height, width, 3) after layers of Keras, which loads them without breastcls."""
        if self.is_identity:
            return images
        # Here, so that the list of backbones does not load Keras.
        import keras

        if self.channels == "BGR":
            images = keras.ops.flip(images, axis=-1)
        scale, offset = (list(part) if isinstance(part, tuple) else part for part in (self.scale, self.offset))
        # float32 in every precision policy: in bfloat16, 251.3 and 251.9 are the same number.
        return keras.layers.Rescaling(scale, offset, dtype="float32", name="scaling")(images)

    def scale_array(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return images (n, height, width, 3) as float32 after the scaling, or as they are without one."""
        if self.is_identity:
            return images
        if self.channels == "BGR":
            images = images[..., ::-1]
        return images.astype(np.float32) * np.asarray(self.scale, np.float32) + np.asarray(self.offset, np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        scale, offset = (list(part) if isinstance(part, tuple) else part for part in (self.scale, self.offset))
        return {"name": self.name, "scale": scale, "offset": offset, "channels": self.channels}


INPUT_SCALINGS: Mapping[str, InputScaling] = {
    "none": InputScaling(),
    "0-1": InputScaling(1 / 255),
    "-1-1": InputScaling(1 / 127.5, -1.0),
    "imagenet": InputScaling(
        (1 / (255 * STANDARD_DEVIATION[0]), 1 / (255 * STANDARD_DEVIATION[1]), 1 / (255 * STANDARD_DEVIATION[2])),
        (-MEAN[0] / STANDARD_DEVIATION[0], -MEAN[1] / STANDARD_DEVIATION[1], -MEAN[2] / STANDARD_DEVIATION[2]),
    ),
    "caffe": InputScaling(1.0, (-MEAN_BGR_255[0], -MEAN_BGR_255[1], -MEAN_BGR_255[2]), "BGR"),
}
"""The named input scalings.

`"0-1"` divides by 255. `"-1-1"` scales to -1..1, the mode `tf` of `preprocess_input` in Keras Applications.
`"imagenet"` divides by 255, subtracts the ImageNet mean and divides by the standard deviation of each channel, as
torchvision does; the mode `torch`. `"caffe"` reverses the channels to BGR and subtracts the ImageNet mean; the mode
`caffe`. `"none"` leaves the images unchanged.
"""

Scaling = str | float | InputScaling | Sequence[Any]


def find_scaling(scaling: Scaling | None) -> InputScaling | None:
    """Return the input scaling that an argument describes, or None for None.

    Args:
        scaling: A name of `INPUT_SCALINGS`; a number that the values 0..255 are multiplied by; `(mean, sd)` of values
            0..1, each one number or one per channel, as torchvision's `Normalize` takes them; or an `InputScaling`.

    Raises:
        ModelError: If it is something else.

    Example:
        >>> find_scaling(1 / 255) == find_scaling("0-1") == find_scaling((0.0, 1.0))
        True
    """
    if scaling is None or isinstance(scaling, InputScaling):
        return scaling
    if isinstance(scaling, str):
        if scaling not in INPUT_SCALINGS:
            raise ModelError(
                f"scaling={scaling!r}; expected {', '.join(map(repr, INPUT_SCALINGS))}, a number such as 1 / 255, "
                "(mean, sd) of values 0..1, or an InputScaling."
            )
        return INPUT_SCALINGS[scaling]
    if isinstance(scaling, int | float | np.number) and not isinstance(scaling, bool):
        return InputScaling(float(scaling))
    if isinstance(scaling, Sequence | np.ndarray) and len(scaling) == 2:
        mean, deviation = (np.asarray(_factor("scaling", part)) for part in scaling)
        if (np.abs(mean) > 1).any() or (deviation <= 0).any() or (deviation > 1).any():
            raise ModelError(
                f"scaling={scaling!r}; expected (mean, sd) of values 0..1, as torchvision's Normalize takes them: sd "
                "above 0, both at most 1. Divide a mean and sd of values 0..255 by 255."
            )
        return InputScaling(_plain(1 / (255 * deviation)), _plain(-mean / deviation))
    raise ModelError(
        f"scaling={scaling!r}; expected one of {', '.join(map(repr, INPUT_SCALINGS))}, a number, (mean, sd) or an "
        "InputScaling."
    )


def _plain(values: npt.NDArray[np.float64]) -> Any:
    return float(values) if values.ndim == 0 else tuple(values.tolist())
