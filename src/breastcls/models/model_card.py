"""The model card: what a model needs to know about itself to be used rightly, wherever it is loaded."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from breastcls._version import __version__
from breastcls.errors import ModelError
from breastcls.models.backbones.backbone import check_image_size

CARD_FORMAT = 1
"""Version of the card's JSON; raised when older releases could misread it."""

_ATTRIBUTE = "breastcls_card"


@dataclass(frozen=True)
class ModelCard:
    """What travels with a model.

    Attributes:
        classes: Class names in the order of the model's outputs, the positive class last.
        image_size: (height, width) of the images that the model takes.
        backbone: Name of the backbone, or None for a model that breastcls did not build.
        backbone_options: Options that the backbone was built with.
        weights: `"imagenet"`, the name of the weight file, or None for a start from random weights.
        head: Name of the head, or None.
        dropout: Dropout rate of the head, or None.
        seed: Seed of the initial weights, or None.
        resize: How images were brought to `image_size` in training, or None where it was never trained.
        stain: What `to_dict` of a stain normalizer gave, where the model was trained on normalised images; `predict`,
            `evaluate` and `explain` then normalise alike. None for images as they are.
        threshold: Probability of the positive class from which on it is predicted, binary models only; None stands
            for 0.5.
        temperature: What the logits are divided by to calibrate the probabilities; None stands for 1.
        provenance: Where and on what it was trained: anything that JSON can hold.
        version: Version of breastcls that wrote the card.

    Raises:
        ModelError: If a field is not what it should be.

    Example:
        >>> card = ModelCard(classes=("benign", "malignant"), image_size=(224, 224), backbone="resnet50")
        >>> ModelCard.from_json(card.to_json()) == card
        True
    """

    classes: tuple[str, ...]
    image_size: tuple[int, int]
    backbone: str | None = None
    backbone_options: dict[str, Any] = field(default_factory=dict)
    weights: str | None = None
    head: str | None = None
    dropout: float | None = None
    seed: int | None = None
    resize: str | None = None
    stain: dict[str, Any] | None = None
    threshold: float | None = None
    temperature: float | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    version: str = __version__

    def __post_init__(self) -> None:
        """Check the fields, and take copies of what the caller could change afterwards."""
        object.__setattr__(self, "classes", check_classes(self.classes))
        object.__setattr__(self, "image_size", check_image_size(self.image_size))
        for name in ("backbone_options", "provenance"):
            object.__setattr__(self, name, _json_values(name, getattr(self, name)))
        if self.stain is not None:
            object.__setattr__(self, "stain", _json_values("stain", self.stain))
            if not isinstance(self.stain.get("name"), str):
                raise ModelError(f"stain={self.stain!r}: expected what `to_dict` of a stain normalizer gives, or None.")
        if self.threshold is not None:
            if len(self.classes) != 2:
                raise ModelError(
                    f"threshold={self.threshold!r}: a threshold is for two classes; this model has {self.classes}."
                )
            if not 0 < self.threshold < 1:
                raise ModelError(f"threshold={self.threshold!r}: expected a probability between 0 and 1.")
        if self.temperature is not None and not 0 < self.temperature < float("inf"):
            raise ModelError(f"temperature={self.temperature!r}: expected a positive number.")

    def replace(self, **changes: Any) -> ModelCard:
        """Return a card with some fields changed.

        Raises:
            ModelError: If there is no such field, or the value is not what it should be.
        """
        known = {item.name for item in dataclasses.fields(self)}
        if unknown := sorted(set(changes) - known):
            raise ModelError(f"A model card has no field {', '.join(unknown)}. Fields: {', '.join(sorted(known))}.")
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The card as a dict that JSON can hold, a copy."""
        return {**_json_values("card", dataclasses.asdict(self)), "format": CARD_FORMAT}

    def to_json(self) -> str:
        """The card as JSON text, keys in a fixed order."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Read what `to_json` wrote.

        Raises:
            ModelError: If the text is not a card, or one of a newer format.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"The model card is not JSON: {error}") from error
        if not isinstance(values, dict):
            raise ModelError(f"The model card should be a JSON object; found {type(values).__name__}.")
        version = values.pop("format", None)
        if not isinstance(version, int) or version < 1:
            raise ModelError(f"The model card has no valid format number; found {version!r}.")
        if version > CARD_FORMAT:
            raise ModelError(
                f"The model card has format {version}, written by breastcls {values.get('version', 'unknown')}; this "
                f"is breastcls {__version__}, which reads up to format {CARD_FORMAT}. Install a newer breastcls."
            )
        known = {item.name for item in dataclasses.fields(cls)}
        missing, unknown = {"classes", "image_size"} - set(values), set(values) - known
        if missing or unknown:
            raise ModelError(
                f"The model card is not complete or not ours: missing {sorted(missing)}, unknown {sorted(unknown)}."
            )
        _check_types(values)
        return cls(**values)


_TYPES: Mapping[str, tuple[type, ...]] = {
    "backbone": (str, type(None)),
    "weights": (str, type(None)),
    "head": (str, type(None)),
    "dropout": (float, int, type(None)),
    "seed": (int, type(None)),
    "resize": (str, type(None)),
    "stain": (dict, type(None)),
    "threshold": (float, int, type(None)),
    "temperature": (float, int, type(None)),
    "version": (str,),
}


def _check_types(values: Mapping[str, Any]) -> None:
    for name, types in _TYPES.items():
        if name in values and not isinstance(values[name], types):
            raise ModelError(f"{name} in the model card is of an unexpected type: {values[name]!r}.")


def _json_values(name: str, values: Any) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise ModelError(f"{name} of a model card must be a dict; found {values!r}.")
    try:
        # Through JSON and back: tuples become lists here as they would in a file, so that a card read equals a card
        # written, and nobody holds a reference into it.
        result: dict[str, Any] = json.loads(json.dumps(dict(values), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"{name} of a model card must hold what JSON can hold ({error}). Turn arrays into lists, paths into text."
        ) from error
    return result


def check_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """Return class names as a tuple.

    Raises:
        ModelError: If there are fewer than two, two are equal, or one is not a text.
    """
    if isinstance(classes, str) or not isinstance(classes, Sequence):
        raise ModelError(f"classes must be a sequence of names such as ('benign', 'malignant'); found {classes!r}.")
    names = tuple(classes)
    if wrong := [name for name in names if not isinstance(name, str) or not name]:
        raise ModelError(f"classes must be names, that is, texts; found {wrong[0]!r} in {names!r}.")
    if len(names) < 2:
        raise ModelError(f"A classifier needs at least two classes; found {names!r}.")
    if len(set(names)) < len(names):
        raise ModelError(f"classes holds a name twice: {names!r}.")
    return names


def get_card(model: Any) -> ModelCard | None:
    """Return the card of a model, or None for a model that has none.

    Args:
        model: A `keras.Model`.

    Returns:
        The card that `build_model`, `load_model` or `set_card` gave it.
    """
    card = getattr(model, _ATTRIBUTE, None)
    return card if isinstance(card, ModelCard) else None


def set_card(model: Any, card: ModelCard) -> None:
    """Give a model a card, in the place of the one it may have.

    Args:
        model: A `keras.Model` whose output is (n, classes).
        card: The card.

    Raises:
        ModelError: If the card names another number of classes than the model has outputs, or another image size than
            it takes.
    """
    outputs, inputs = getattr(model, "output_shape", None), getattr(model, "input_shape", None)
    if isinstance(outputs, tuple) and len(outputs) == 2 and outputs[1] not in (None, len(card.classes)):
        raise ModelError(
            f"The card names {len(card.classes)} classes {card.classes}, the model has {outputs[1]} outputs."
        )
    if isinstance(inputs, tuple) and len(inputs) == 4 and None not in inputs[1:3] and inputs[1:3] != card.image_size:
        raise ModelError(f"The card says image_size={card.image_size}, the model takes {inputs[1:3]}.")
    # An attribute of the model: it lives as long as the model does and goes where the model goes.
    setattr(model, _ATTRIBUTE, copy.deepcopy(card))
