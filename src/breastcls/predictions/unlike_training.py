"""A warning where images differ from what the card of a model says that it was trained on."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.image_table import make_table
from breastcls.errors import EvaluationWarning
from breastcls.models.model_card import ModelCard
from breastcls.models.training_images import ImageKinds, describe_images, find_differences
from breastcls.predictions.image_stream import ImageStream


def warn_if_unlike(card: ModelCard | None, images: Dataset | ImageStream) -> None:
    """Warn if images differ from the training images in size, aspect ratio, magnification or physical size.

    Args:
        card: The card of the model; nothing is known without one.
        images: A dataset, of which the sizes of some images are read, or images that were read.
    """
    record = _find_record(card)
    if not record:
        return
    if isinstance(images, Dataset):
        found = describe_images(images)
    else:
        found = describe_images(Dataset(make_table({"path": [path or "-" for path in images.paths]})), images.sizes)
    phrases = find_differences(record, found)
    if phrases:
        warnings.warn(
            f"Images differ from those that the model was trained on, so its probabilities may not hold for them: "
            f"{'; '.join(phrases)}.",
            EvaluationWarning,
            stacklevel=3,
        )


def describe_differences(card: ModelCard | None, sizes: Sequence[tuple[int, int]]) -> list[str]:
    """Return for each image how its size differs from the training images of a model, "" where it does not.

    `predict` warns of the images of one call together. A service, whose calls hold images of several clients, answers
    each with its own.

    Args:
        card: The card of the model, as `breastcls.models.get_card` returns it; without one no image differs.
        sizes: (height, width) of each image in pixels, before it is resized for the model.

    Example:
        >>> from breastcls.models import ModelCard
        >>> training = {"images": {"shorter_side": [456, 460], "aspect": [1.52, 1.54]}}
        >>> card = ModelCard(("benign", "malignant"), (224, 224), provenance={"training": training})
        >>> describe_differences(card, [(460, 700), (50, 76)])
        ['', 'the image has a shorter side of 50 pixels (in training 456 to 460)']
    """
    record = _find_record(card)
    each = [find_differences(record, ImageKinds(sides=((min(size), max(size)),))) for size in sizes]
    return ["; ".join(phrases).replace("1 image has", "the image has") for phrases in each]


def _find_record(card: ModelCard | None) -> Mapping[str, Any] | None:
    training = None if card is None else card.provenance.get("training")
    return training.get("images") if isinstance(training, dict) else None
