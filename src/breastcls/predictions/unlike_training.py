"""A warning where images differ from what the card of a model says that it was trained on."""

from __future__ import annotations

import warnings

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.image_table import make_table
from breastcls.errors import EvaluationWarning
from breastcls.models.model_card import ModelCard
from breastcls.models.training_images import describe_images, find_differences
from breastcls.predictions.image_stream import ImageStream


def warn_if_unlike(card: ModelCard | None, images: Dataset | ImageStream) -> None:
    """Warn if images differ from the training images in size, aspect ratio, magnification or physical size.

    Args:
        card: The card of the model; nothing is known without one.
        images: A dataset, of which the sizes of some images are read, or images that were read.
    """
    training = None if card is None else card.provenance.get("training")
    record = training.get("images") if isinstance(training, dict) else None
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
