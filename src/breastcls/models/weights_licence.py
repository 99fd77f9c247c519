"""The licence of the initial weights of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from breastcls.models.backbones.backbone_registry import BACKBONES

# The terms of ImageNet, on which all weights were trained that are downloaded or installed as packages.
_IMAGENET = "the images of ImageNet are for non-commercial research and education"


def weights_licence(card: Mapping[str, Any]) -> str:
    """Return the licence of the initial weights of the backbone, or "" where they are random or not known.

    For a model of vectors, it is the licence of the encoder of the training vectors.

    Args:
        card: Fields of a model card: `backbone`, `weights` and `provenance`.

    Example:
        >>> weights_licence({"backbone": "vgg16", "weights": "imagenet"}).split(";")[0]
        'CC BY 4.0'
    """
    name, weights = str(card.get("backbone")), card.get("weights")
    terms = (card.get("provenance") or {}).get("weights_terms")
    if isinstance(terms, Mapping):
        return f"{terms.get('licence')} if the file holds the published weights of {name}: {terms.get('restriction')}"
    training = (card.get("provenance") or {}).get("training")
    encoder = training.get("encoder") if isinstance(training, Mapping) else None
    if isinstance(encoder, Mapping) and encoder.get("licence"):
        return f"{encoder['licence']} (of the encoder {encoder.get('name')})"
    if not weights or name not in BACKBONES:
        return ""
    licence = BACKBONES[name].licence
    if weights == "imagenet":
        return f"{licence}; {_IMAGENET}"
    if BACKBONES[name].obtain:
        return f"{licence} if the file holds the published weights of {name}"
    return f"{licence} if the file holds the published ImageNet weights of {name}; {_IMAGENET}"
