"""The stain normalizer in the card of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from breastcls.errors import BreastclsError, ModelError
from breastcls.models.model_card import ModelCard

if TYPE_CHECKING:
    from breastcls.stain.normalizer import StainNormalizer


def find_normalizer(card: ModelCard | None) -> StainNormalizer | None:
    """Return the stain normalizer that is applied to images before the model, or None.

    Args:
        card: The model's card, or None for a model without one.

    Raises:
        ModelError: If the card names a normalizer that is not registered, or its parameters are wrong.

    Example:
        >>> stain = {"name": "reinhard", "means": [70.0, 20.0, -10.0], "spreads": [15.0, 8.0, 6.0]}
        >>> find_normalizer(ModelCard(classes=("benign", "malignant"), image_size=(32, 32), stain=stain)).name
        'reinhard'
    """
    if card is None or card.stain is None:
        return None
    # Not at the top of the file: a card without a normalizer needs no OpenCV.
    from breastcls.stain.normalizer_registry import normalizer_from_dict

    try:
        return normalizer_from_dict(card.stain)
    except BreastclsError as error:
        raise ModelError(
            f"The stain normalizer in the model card cannot be created: {error} If another package registers it, "
            "import that package first."
        ) from error
