"""The parts of a model: its backbone, its features and its head, its last convolution."""

from __future__ import annotations

from typing import Any

import keras

from breastcls.errors import ModelError
from breastcls.models.backbones.backbone_registry import BACKBONES
from breastcls.models.model_card import get_card, set_card

# What may stand between a backbone and the features that are worth keeping: no weights, and the same in training.
_SUMMARIES = (
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.Flatten,
)


def find_backbone(model: keras.Model) -> keras.Model:
    """Return the backbone inside a model: the one model that is nested in it as a layer.

    Args:
        model: A model from `build_model`, or a user's own that nests its backbone as one layer.

    Raises:
        ModelError: If it nests no model, or several.
    """
    nested = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if len(nested) != 1:
        raise ModelError(
            f"The model {model.name!r} nests {len(nested)} models; expected one, its backbone, as `build_model` does."
        )
    return nested[0]


def split_model(model: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Split a model into the part that gives features and the part that learns from them first.

    The cut is after the backbone and the pooling or flattening that follows it, so that features are as small as they
    can be and everything with weights or randomness of the head is behind it. Both parts share their layers with the
    model: what the head learns, the model has learnt.

    Features are meant to be computed with `training=False`.

    Args:
        model: A functional model with a nested backbone.

    Returns:
        `(features, head)`: `features` takes images (n, height, width, 3) and gives (n, channels) for the heads
        `"linear"` and `"mlp"`, (n, rows * columns * channels) for `"flatten-mlp"`; `head` takes these and gives what
        the model gives.

    Raises:
        ModelError: If the model nests no backbone, or something beside it leads from the images to the output.

    Example:
        >>> from breastcls.models.building import build_model
        >>> model = build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=7)
        >>> features, head = split_model(model)
        >>> features.output_shape, head.output_shape
        ((None, 256), (None, 2))
    """
    layers = list(model.layers)
    behind = layers[layers.index(find_backbone(model)) + 1 :]
    if not behind:
        raise ModelError(f"The model {model.name!r} ends with its backbone: there is no head to split off.")
    cut = behind[0].input
    for layer in behind[:-1]:
        if not isinstance(layer, _SUMMARIES):
            break
        cut = layer.output
    try:
        return keras.Model(model.inputs[0], cut, name="features"), keras.Model(cut, model.outputs[0], name="head")
    # Keras says so in several ways when the output does not hang on the cut alone.
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"The model {model.name!r} cannot be split after its backbone: the path from the images to the output must "
            "lead through the backbone and then through the head, layer by layer."
        ) from error


@keras.saving.register_keras_serializable(package="breastcls")
class InferenceOnly(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Runs the model inside it as in inference, whatever the call around it says.

    Args:
        inner: A `keras.Model`.
    """

    def __init__(self, inner: Any, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.inner = inner

    def build(self, input_shape: Any) -> None:
        """The model inside is built already."""
        self.built = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Return what the model gives with `training=False`."""
        return self.inner(inputs, training=False, mask=mask)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs."""
        return {**super().get_config(), "inner": keras.saving.serialize_keras_object(self.inner)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InferenceOnly:
        """Make the layer again."""
        values = dict(config)
        return cls(keras.saving.deserialize_keras_object(values.pop("inner")), **values)


def with_inference_backbone(model: keras.Model) -> keras.Model:
    """Return a view of a model whose backbone always runs as in inference.

    It shares all weights with the model. Train the head through this view when features are not computed beforehand:
    dropout and stochastic depth inside a backbone go by the `training` argument and not by `trainable`, so a backbone
    that is only marked as frozen would still give noisy features. Calling it with `training=False` when the graph is
    built, as tutorials do, is no remedy: in Keras 3 the `training=True` of `fit` goes before it.

    Save the model and not the view; the view holds a layer of breastcls.

    Args:
        model: A functional model with a nested backbone.

    Raises:
        ModelError: If the model nests no backbone.
    """
    backbone = find_backbone(model)

    def share(layer: Any) -> Any:
        return InferenceOnly(backbone, name=f"{backbone.name}_frozen") if layer is backbone else layer

    view = keras.models.clone_model(model, clone_function=share)
    card = get_card(model)
    if card is not None:
        set_card(view, card)
    return view


def find_last_convolution(model: keras.Model) -> str:
    """Name of the layer in the backbone whose output class activation maps are made of.

    Args:
        model: A model with a nested backbone.

    Returns:
        Name of a layer of `find_backbone(model)` with output (n, rows, columns, channels): the one that the registry
        names for this backbone, otherwise the last one of that shape.

    Raises:
        ModelError: If no layer has such an output.
    """
    backbone = find_backbone(model)
    card = get_card(model)
    if card is not None and card.backbone is not None and card.backbone in BACKBONES:
        name = BACKBONES[card.backbone].last_convolution
        if name is not None:
            return name
    for layer in reversed(backbone.layers):
        if len(getattr(layer.output, "shape", ())) == 4:
            return str(layer.name)
    raise ModelError(f"The backbone {backbone.name!r} has no layer with an output (n, rows, columns, channels).")
