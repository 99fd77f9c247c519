"""Models that take vectors (n, d), such as the embeddings of another model, and not images."""

from __future__ import annotations

from typing import Any

from breastcls.errors import BreastclsError, ModelError
from breastcls.models.model_card import ModelCard


def vector_size(model: Any) -> int | None:
    """Return the number d of components of the vectors that a model takes, or None for a model of images.

    Args:
        model: A Keras model, or another object with an `input_shape`.

    Example:
        >>> import keras
        >>> vector_size(keras.Sequential([keras.Input((384,)), keras.layers.Dense(2)]))
        384
    """
    try:
        shape = getattr(model, "input_shape", None)
    # Keras raises where a model of a subclass has no shapes.
    except (AttributeError, ValueError):
        return None
    return int(shape[1]) if isinstance(shape, tuple) and len(shape) == 2 and shape[1] is not None else None


def check_vector_data(model: Any, data: Any, error: type[BreastclsError]) -> None:
    """Check that a dataset has what a model takes: vectors of its size, or images.

    Args:
        model: The model.
        data: A `Dataset`.
        error: The exception to raise.

    Raises:
        error: If the dataset does not have it.
    """
    size = vector_size(model)
    if size is None:
        if not data.has_images:
            raise error(
                f"The model {_name(model)} takes images, and the data are vectors without image files. Build a model "
                f"of vectors: build_model('embeddings', classes=data.classes, dimensions={data.vector_rows.size})."
            )
        return
    if data.vector_rows is None:
        raise error(
            f"The model {_name(model)} takes vectors of {size} components, and the data are images. Compute their "
            "vectors by breastcls.features.extract_features, or read them by load_embeddings."
        )
    if data.vector_rows.size != size:
        raise error(
            f"The model {_name(model)} takes vectors of {size} components; those of the data have "
            f"{data.vector_rows.size}. Use the encoder that the model was trained with."
        )


def require_pixels(model: Any, data: Any, purpose: str, error: type[BreastclsError]) -> None:
    """Check that a model takes images and a dataset has them, where pixels are changed or measured.

    Args:
        model: The model.
        data: A `Dataset`.
        purpose: What needs pixels, the beginning of the message.
        error: The exception to raise.

    Raises:
        error: If the model takes vectors.
        DatasetError: If the dataset has vectors without image files.
    """
    if vector_size(model) is not None:
        raise error(
            f"{purpose} needs a model that takes images, since it works on their pixels; {_name(model)} takes vectors. "
            "Use the network that computed the vectors with its head."
        )
    data.require_images(purpose)


def require_image_size(card: ModelCard, purpose: str) -> tuple[int, int]:
    """Return the (height, width) of the images that a model takes.

    Args:
        card: Its card.
        purpose: What needs images, such as "Export".

    Raises:
        ModelError: If the model takes vectors.
    """
    if card.image_size is None:
        raise ModelError(f"{purpose} needs a model that takes images; this one takes vectors.")
    return card.image_size


def _name(model: Any) -> str:
    return repr(getattr(model, "name", type(model).__name__))
