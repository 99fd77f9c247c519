"""The graph that is exported: from images to the probabilities that `predict` returns."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from breastcls.export.calibration_graph import apply_calibration
from breastcls.export.ensemble_graph import join_members
from breastcls.models.card_calibration import find_calibration
from breastcls.models.ensemble import list_members
from breastcls.models.model_card import ModelCard
from breastcls.models.vector_input import require_image_size

INPUT, OUTPUT = "image", "probabilities"


def build_export_graph(model: keras.Model, card: ModelCard) -> keras.Model:
    """Return a model from images to calibrated probabilities of all classes.

    Its input `image` is float32 (n, height, width, 3), RGB 0..255; its output `probabilities` float32 (n, classes). The
    weights are those of `model`, which is not changed.

    Args:
        model: A functional model with one input and one output.
        card: Its card.
    """
    image = keras.Input((*require_image_size(card, "Export"), 3), dtype="float32", name=INPUT)
    members = list_members(model)
    if any(member.resize is not None for member in members):
        outputs = join_members(model, members, image)
    else:
        # A model of its own around the same layers, so that no node is added to the graph of the given one.
        outputs = keras.Model(model.inputs[0], model.outputs[0], name=model.name)(image, training=False)
    outputs = _all_classes(outputs)
    calibration = find_calibration(card)
    if calibration is not None:
        outputs = apply_calibration(outputs, calibration)
    named = keras.layers.Identity(dtype="float32", name=OUTPUT)(outputs)
    return keras.Model(image, {OUTPUT: named}, name=model.name)


def _all_classes(outputs: Any) -> Any:
    """Return probabilities float32 (n, classes), as `breastcls.models.probability_rule` makes them."""
    half = keras.backend.standardize_dtype(outputs.dtype) != "float32"
    outputs = ops.cast(outputs, "float32")
    if outputs.shape[-1] == 1:
        return ops.concatenate([1 - outputs, outputs], axis=-1)
    return outputs / ops.sum(outputs, axis=-1, keepdims=True) if half else outputs
