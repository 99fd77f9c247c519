"""Perturbations of an image of the same tissue: stain, focus, camera and file format.

Strength 0 does not change the pixels; the sign, where a perturbation has one, is the direction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

import cv2
import numpy as np
import numpy.typing as npt

from breastcls.augmentation.policy import Policy
from breastcls.augmentation.resampling import DRAWS, augment_batch
from breastcls.errors import ImageError
from breastcls.images.resize import Pixels
from breastcls.registry import Registry

Change = Callable[[Pixels, float, np.random.Generator], Pixels]


@dataclass(frozen=True)
class Perturbation:
    """A perturbation that changes an image but not the tissue.

    Attributes:
        name: Its name in the registry.
        summary: Its effect in one sentence.
        unit: What a strength of 1 means, in words that follow the number: "px" or "of full brightness".
        strengths: The strengths that `measure_robustness` uses; 0 is always added.
        change: From an image uint8 (height, width, 3), a strength other than 0 and a random generator to an image of
            the same shape.
        shared_by: Whether images of one slide have the same random draws ("slide"), as for a stain, or each its own
            ("image"), as for noise.

    Example:
        >>> import numpy as np
        >>> darker = PERTURBATIONS["brightness"](np.full((2, 2, 3), 200, np.uint8), -0.1, np.random.default_rng(0))
        >>> int(darker[0, 0, 0])
        174
    """

    name: str
    summary: str
    unit: str
    strengths: tuple[float, ...]
    change: Change
    shared_by: Literal["image", "slide"] = "image"

    def __call__(self, image: Pixels, strength: float, generator: np.random.Generator) -> Pixels:
        """Return the changed image; at strength 0 the image itself.

        Args:
            image: uint8 (height, width, 3), RGB; it is not written to.
            strength: In `unit`.
            generator: It determines the random draws.

        Returns:
            uint8 of the same shape.

        Raises:
            ImageError: If `change` returns another shape or dtype.
        """
        if strength == 0:
            return image
        changed: Pixels = self.change(image, strength, generator)
        if changed.shape != image.shape or changed.dtype != np.uint8:
            raise ImageError(
                f"The perturbation {self.name!r} returned {changed.dtype} of shape {changed.shape} for uint8 of shape "
                f"{image.shape}; it must keep both."
            )
        return changed


PERTURBATIONS: Registry[Perturbation] = Registry("perturbation")
"""Perturbations by name, in the order of `list_perturbations`."""


def register_perturbation(perturbation: Perturbation) -> Perturbation:
    """Register a perturbation under its name, and return it.

    Args:
        perturbation: The perturbation; `measure_robustness` finds it by its `name`.

    Raises:
        RegistryError: If the name is taken.

    Example:
        >>> from breastcls.robustness.perturbations import Perturbation, register_perturbation
        >>> mirrored = Perturbation(
        ...     "mirrored", "Left and right change places.", "(1 is mirrored)", (1.0,),
        ...     lambda image, strength, generator: image[:, ::-1].copy())
        >>> register_perturbation(mirrored).name  # doctest: +SKIP
        'mirrored'
    """
    return PERTURBATIONS.register(perturbation.name, perturbation)


def list_perturbations() -> tuple[str, ...]:
    """Return the names of all perturbations.

    Example:
        >>> list_perturbations()[:4]
        ('stain', 'blur', 'jpeg', 'brightness')
    """
    return tuple(PERTURBATIONS)


def _recolour(image: Pixels, draws: npt.NDArray[np.float64], **strength: float) -> Pixels:
    """Change colours by the code of the training augmentation, so that a strength means the same in both."""
    try:
        policy = Policy("perturbation", "", **strength)  # type: ignore[arg-type]
    except ValueError as error:
        raise ImageError(f"The strength is not valid: {error}") from error
    return cast("Pixels", augment_batch(policy, image[None], draws[None].astype(np.float32))[0])


def _jitter_stain(image: Pixels, strength: float, generator: np.random.Generator) -> Pixels:
    return _recolour(image, generator.random(DRAWS), stain=abs(strength))


def _blur(image: Pixels, strength: float, _: np.random.Generator) -> Pixels:
    return cast("Pixels", cv2.GaussianBlur(image, (0, 0), abs(strength), borderType=cv2.BORDER_REFLECT_101))


def _compress(image: Pixels, strength: float, _: np.random.Generator) -> Pixels:
    quality = round(100 - abs(strength))
    if not 1 <= quality <= 99:
        raise ImageError(f"The strength of 'jpeg' is 100 minus the quality, 1 to 99; found {strength:g}.")
    _written, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cast("Pixels", cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))


def _brighten(image: Pixels, strength: float, _: np.random.Generator) -> Pixels:
    return _recolour(image, _direction(strength), brightness=abs(strength))


def _contrast(image: Pixels, strength: float, _: np.random.Generator) -> Pixels:
    return _recolour(image, _direction(strength), contrast=abs(strength))


def _turn_hue(image: Pixels, strength: float, _: np.random.Generator) -> Pixels:
    return _recolour(image, _direction(strength), hue=abs(strength))


def _add_noise(image: Pixels, strength: float, generator: np.random.Generator) -> Pixels:
    noise = generator.standard_normal(image.shape, dtype=np.float32) * np.float32(abs(strength))
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def _direction(strength: float) -> npt.NDArray[np.float64]:
    # A policy draws uniformly from its range; here the upper or lower end of the range is needed.
    return np.full(DRAWS, 1.0 if strength > 0 else 0.0)


for _perturbation in (
    Perturbation(
        "stain",
        "Haematoxylin, eosin and the rest, each in optical density, become stronger or weaker at random, in the "
        "same way for all images of a slide (Tellez et al. 2018, DOI 10.1109/TMI.2018.2820199).",
        "largest relative change of a stain",
        (0.1, 0.2, 0.4, 0.6),
        _jitter_stain,
        shared_by="slide",
    ),
    Perturbation(
        "blur",
        "Out of focus: Gaussian blur.",
        "px of the file, standard deviation",
        (0.5, 1.0, 2.0, 4.0),
        _blur,
    ),
    Perturbation(
        "jpeg",
        "The artefacts of JPEG compression.",
        "below quality 100",
        (10.0, 30.0, 50.0, 70.0, 90.0),
        _compress,
    ),
    Perturbation(
        "brightness",
        "Every pixel brighter or darker by the same amount.",
        "of full brightness",
        (-0.2, -0.1, 0.1, 0.2),
        _brighten,
    ),
    Perturbation(
        "contrast",
        "More or less contrast about the mean of the image.",
        "relative change of the contrast",
        (-0.4, -0.2, 0.2, 0.4),
        _contrast,
    ),
    Perturbation(
        "hue",
        "All hues rotated by the same angle.",
        "of the colour circle",
        (-0.1, -0.05, 0.05, 0.1),
        _turn_hue,
    ),
    Perturbation(
        "noise",
        "Gaussian noise of a camera in low light, independent for each pixel and channel.",
        "grey levels of 255, standard deviation",
        (5.0, 10.0, 20.0, 40.0),
        _add_noise,
    ),
):
    register_perturbation(_perturbation)
