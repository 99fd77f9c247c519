"""The parts of a model: backbone, features and head."""

from __future__ import annotations

from typing import Any

import keras

from breastcls.errors import ModelError
from breastcls.models.model_card import get_card, set_card
from breastcls.models.runtime_model import require_keras

# Layers that are counted to the features: they have no weights and are the same in training and inference.
_SUMMARIES = (
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.Flatten,
)


def find_backbone(model: keras.Model) -> keras.Model:
    """Return the backbone of a model: the only model that is one of its layers.

    Args:
        model: A model of `build_model`, or another one with a nested backbone.

    Raises:
        ModelError: If it has no nested model, or several.
    """
    require_keras(model, "What works on the backbone of a model")
    nested = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if len(nested) != 1:
        raise ModelError(f"The model {model.name!r} has {len(nested)} nested models; expected one, its backbone.")
    return nested[0]


def split_model(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Split a model into a feature extractor and a head.

    The split is after the backbone and the pooling or flattening that follows it, so that features are as small as
    possible and all weights and dropout of the head are in the head. Both parts share their layers, and therefore their
    weights, with the model.

    Compute features with `training=False`.

    Args:
        model: A functional model with a nested backbone.

    Returns:
        `(features, head)`: `features` maps images (n, height, width, 3) to (n, channels) for the heads `"linear"` and
        `"mlp"`, and to (n, rows * columns * channels) for `"flatten-mlp"`; `head` maps these to the output of `model`.

    Raises:
        ModelError: If the model has no nested backbone, or a path from the images to the output around it.

    Example:
        >>> from breastcls.models.building import build_model
        >>> model = build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=7)
        >>> features, head = split_model(model)
        >>> features.output_shape, head.output_shape
        ((None, 256), (None, 2))
    """
    backbone = find_backbone(model)
    layers = list(model.layers)
    behind = layers[layers.index(backbone) + 1 :]
    if not behind:
        raise ModelError(f"The model {model.name!r} ends with its backbone; expected a head after it.")
    cut = behind[0].input
    for layer in behind[:-1]:
        if not isinstance(layer, _SUMMARIES):
            break
        cut = layer.output
    try:
        return keras.Model(model.inputs[0], cut, name="features"), keras.Model(cut, model.outputs[0], name="head")
    # Keras raises different errors where the output does not depend on the features alone.
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"The model {model.name!r} cannot be split after its backbone: every path from the images to the output "
            "must pass through the backbone first and then through the layers of the head."
        ) from error


@keras.saving.register_keras_serializable(package="breastcls")
class InferenceOnly(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Runs the model inside it in inference mode, also during training.

    Args:
        inner: A `keras.Model`.
    """

    def __init__(self, inner: Any, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.inner = inner

    def build(self, input_shape: Any) -> None:
        """Mark the layer as built; the model inside is built already."""
        self.built = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Return the output of the model with `training=False`."""
        return self.inner(inputs, training=False, mask=mask)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "inner": keras.saving.serialize_keras_object(self.inner)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InferenceOnly:
        """Create the layer from the result of `get_config`."""
        values = dict(config)
        return cls(keras.saving.deserialize_keras_object(values.pop("inner")), **values)


def with_inference_backbone(model: keras.Model) -> keras.Model:
    """Return a model that shares all weights with `model` and whose backbone is always in inference mode.

    Use it to train the head when features are not computed beforehand: dropout and stochastic depth inside a backbone
    depend on the argument `training` and not on `trainable`, so a backbone that is only frozen has random features in
    training. Calling the backbone with `training=False` when the graph is built, as in tutorials, does not prevent
    this: in Keras 3 the `training=True` of `fit` takes precedence.

    Save `model` and not the returned model, which contains a layer of breastcls.

    Args:
        model: A functional model with a nested backbone.

    Raises:
        ModelError: If the model has no nested backbone.
    """
    backbone = find_backbone(model)

    def share(layer: Any) -> Any:
        return InferenceOnly(backbone, name=f"{backbone.name}_frozen") if layer is backbone else layer

    shared = keras.models.clone_model(model, clone_function=share)
    card = get_card(model)
    if card is not None:
        set_card(shared, card)
    return shared
