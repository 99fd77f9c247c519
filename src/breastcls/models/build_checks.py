"""Checks of the arguments of `build_model`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from breastcls.argument_checks import check_choice, check_count
from breastcls.errors import ModelError
from breastcls.images.resize import check_image_size
from breastcls.models.backbones.backbone import HEADS, Backbone
from breastcls.models.heads import default_dropout


def choose_size(entry: Backbone, image_size: object) -> tuple[int, int]:
    """Return the size of the images: the one that is given, else that of the backbone.

    Raises:
        ModelError: If it is not valid, or too small for the backbone.
    """
    size = entry.image_size if image_size is None else check_image_size(image_size, ModelError)
    if size[0] < entry.minimum_size[0] or size[1] < entry.minimum_size[1]:
        raise ModelError(
            f"image_size={size} is too small for the backbone {entry.name!r}; expected at least {entry.minimum_size}."
        )
    return size


def check_head(head: object) -> str:
    """Return the name of a head.

    Raises:
        ModelError: If there is no such head.
    """
    check_choice("head", head, HEADS, error=ModelError)
    return str(head)


def choose_dropout(dropout: object, head: str) -> float:
    """Return the dropout rate: the one that is given, else that of the head.

    Raises:
        ModelError: If it is no number from 0 to less than 1.
    """
    if dropout is None:
        return default_dropout(head)
    if isinstance(dropout, bool) or not isinstance(dropout, (int, float)) or not 0 <= dropout < 1:
        raise ModelError(f"dropout={dropout!r}: expected a number from 0 to less than 1.")
    return float(dropout)


def check_seed(seed: int | None) -> int | None:
    """Return a seed as an int, or None.

    Raises:
        ModelError: If it is neither None nor a whole number of at least 0.
    """
    check_count("seed", seed, 0, optional=True, error=ModelError)
    return None if seed is None else int(seed)


def check_backbone_options(entry: Backbone, options: Mapping[str, Any]) -> None:
    """Raise `ModelError` unless the backbone has all the options."""
    if unknown := [name for name in options if name not in entry.options]:
        known = f"Its options: {', '.join(entry.options)}." if entry.options else "It has no options."
        raise ModelError(
            f"{unknown[0]!r} is neither an argument of build_model nor an option of {entry.name!r}. {known}"
        )


def check_data_format() -> None:
    """Raise `ModelError` unless Keras has the channels last."""
    if keras.config.image_data_format() != "channels_last":
        raise ModelError(
            "The image data format of Keras is 'channels_first'; expected 'channels_last'. "
            "Call keras.config.set_image_data_format('channels_last')."
        )
