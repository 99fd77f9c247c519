"""The model card: what is needed to use a model correctly, saved with the model."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from breastcls._version import __version__
from breastcls.errors import EvaluationError, ModelError
from breastcls.images.resize import check_image_size
from breastcls.models.card_schema import CARD_SCHEMA, read_card
from breastcls.models.training_history import check_history
from breastcls.result import ShownInNotebook
from breastcls.text_tables import format_count

_ATTRIBUTE = "breastcls_card"


@dataclass(frozen=True)
class ModelCard(ShownInNotebook):
    """What is saved with a model: class names, image size, threshold, calibration, stain, cases seen.

    Attributes:
        classes: Class names in the order of the model's outputs, the positive class last.
        image_size: (height, width) in pixels of the images that the model takes; None for a model of vectors.
        backbone: Name of the backbone, or None for a model that `build_model` did not build.
        backbone_options: Options of the backbone.
        weights: `"imagenet"`, the name of the file of the initial weights, or None for random initial weights.
        head: Name of the head, or None.
        dropout: Dropout rate of the head, or None.
        seed: Seed of the initial weights, or None.
        resize: How images were resized to `image_size` in training: `"stretch"`, `"crop"` or `"pad"`; None for a model
            that was never trained.
        stain: `to_dict()` of the stain normalizer of the training images; `predict`, `evaluate` and `explain` apply
            the same one. None for a model that was trained on images without stain normalisation.
        threshold: The positive class is predicted where its probability is at least this; of two classes only. None
            means 0.5.
        temperature: The number that the logits are divided by to calibrate the probabilities. None means 1.
        training_history: The curves of the last training, written by `fit`; None for a model that was never trained.
            A mapping of JSON values: `date` of the training; `epochs`, the epoch numbers, at most about 200; `metrics`,
            for `loss`, `val_loss` and the monitored score one list with a value per epoch; `phases`, the `name` and
            `first_epoch` of each phase; `monitor` and `best_epoch`, both None without a validation set; `exact_head`,
            how the penalty of an exactly fitted head was chosen, else None.
        provenance: Records of training, calibration and the like: JSON values.
        version: Version of breastcls that wrote the card.

    Raises:
        ModelError: If a field has a wrong type or value.

    Example:
        >>> card = ModelCard(classes=("benign", "malignant"), image_size=(224, 224), backbone="resnet50")
        >>> ModelCard.from_json(card.to_json()) == card
        True
    """

    classes: tuple[str, ...]
    image_size: tuple[int, int] | None
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
    training_history: dict[str, Any] | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    version: str = __version__

    def __post_init__(self) -> None:
        """Check the fields, and copy those that the caller could change afterwards."""
        object.__setattr__(self, "classes", check_classes(self.classes))
        if self.image_size is not None:
            object.__setattr__(self, "image_size", check_image_size(self.image_size, ModelError))
        for name in ("backbone_options", "provenance"):
            object.__setattr__(self, name, _json_values(name, getattr(self, name)))
        if self.stain is not None:
            object.__setattr__(self, "stain", _json_values("stain", self.stain))
            if not isinstance(self.stain.get("name"), str):
                raise ModelError(f"stain={self.stain!r}: expected `to_dict()` of a stain normalizer, or None.")
        if self.training_history is not None:
            object.__setattr__(self, "training_history", _json_values("training_history", self.training_history))
            check_history(self.training_history)
        if self.threshold is not None:
            if len(self.classes) != 2:
                raise ModelError(
                    f"threshold={self.threshold!r}: only a model of two classes has a threshold; this one has the "
                    f"classes {self.classes}."
                )
            if not 0 < self.threshold < 1:
                raise ModelError(f"threshold={self.threshold!r}: expected a probability between 0 and 1.")
        if self.temperature is not None and not 0 < self.temperature < float("inf"):
            raise ModelError(f"temperature={self.temperature!r}: expected a positive number.")

    def replace(self, **changes: Any) -> ModelCard:
        """Return a card with some fields changed.

        Raises:
            ModelError: If there is no such field, or a value is wrong.
        """
        known = {item.name for item in dataclasses.fields(self)}
        if unknown := sorted(set(changes) - known):
            raise ModelError(f"A model card has no field {', '.join(unknown)}. Fields: {', '.join(sorted(known))}.")
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return a copy of the card as JSON values, with the schema version of the card."""
        return {**_json_values("card", dataclasses.asdict(self)), "schema": CARD_SCHEMA}

    def to_json(self) -> str:
        """Return the card as JSON text, with the keys in a fixed order."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """Return the card of which `to_json` returned the text.

        Raises:
            ModelError: If the text is not a card, or a card of a newer schema.
        """
        return cls(**read_card(text, {item.name for item in dataclasses.fields(cls)}))


def _json_values(name: str, values: Any) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise ModelError(f"{name} of a model card must be a dict; found {values!r}.")
    try:
        # To JSON and back: tuples become lists as they do in a file, so that a loaded card equals the saved one, and
        # the caller holds no reference into the card.
        result: dict[str, Any] = json.loads(json.dumps(dict(values), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"{name} of a model card cannot be written as JSON ({error}). Convert arrays to lists and paths to str."
        ) from error
    return result


def check_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """Return class names as a tuple.

    Raises:
        ModelError: If there are fewer than two names, two are equal, or one is not a non-empty str.
    """
    if isinstance(classes, str) or not isinstance(classes, Sequence):
        raise ModelError(f"classes must be a sequence of names such as ('benign', 'malignant'); found {classes!r}.")
    names = tuple(classes)
    if wrong := [name for name in names if not isinstance(name, str) or not name]:
        raise ModelError(f"classes must be names of type str; found {wrong[0]!r} in {names!r}.")
    if len(names) < 2:
        raise ModelError(f"A classifier needs at least two classes; found {names!r}.")
    if len(set(names)) < len(names):
        raise ModelError(f"classes contains a name twice: {names!r}; expected different names.")
    return names


def get_card(model: Any) -> ModelCard | None:
    """Return the card of a model, or None for a model that has none.

    Args:
        model: A `keras.Model`.

    Returns:
        The card that `build_model`, `load_model` or `set_card` attached to the model.

    Example:
        >>> from breastcls.models.building import build_model
        >>> get_card(build_model("cnn4", classes=("benign", "malignant"), image_size=32)).classes
        ('benign', 'malignant')
    """
    card = getattr(model, _ATTRIBUTE, None)
    return card if isinstance(card, ModelCard) else None


def require_card(model: Any) -> ModelCard:
    """Return the card of a model in which something is to be stored.

    Raises:
        EvaluationError: If the model has no card.
    """
    card = get_card(model)
    if card is None:
        raise EvaluationError(
            "The model has no card to store this in. Give it one: `set_card(model, "
            "ModelCard(classes=..., image_size=...))`."
        )
    return card


def set_card(model: Any, card: ModelCard) -> None:
    """Attach a card to a model; it replaces an earlier card.

    Args:
        model: A `keras.Model` whose output is (n, classes), or (n, 1) for the positive class of two.
        card: The card.

    Raises:
        ModelError: If the card names another number of classes than the model has outputs, or another image size than
            it takes.
    """
    outputs, inputs = getattr(model, "output_shape", None), getattr(model, "input_shape", None)
    # One output is the probability of the positive class of two.
    fitting = (None, len(card.classes), 1 if len(card.classes) == 2 else None)
    if isinstance(outputs, tuple) and len(outputs) == 2 and outputs[1] not in fitting:
        raise ModelError(
            f"The card names {format_count(len(card.classes), 'class', 'classes')} {card.classes}, the model has "
            f"{format_count(outputs[1], 'output')}."
        )
    if isinstance(inputs, tuple) and len(inputs) == 4 and None not in inputs[1:3] and inputs[1:3] != card.image_size:
        raise ModelError(f"The card has image_size={card.image_size}; the model takes images of {inputs[1:3]}.")
    # An attribute of the model, so that it exists as long as the model does.
    setattr(model, _ATTRIBUTE, copy.deepcopy(card))
