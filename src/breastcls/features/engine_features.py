"""Features of a frozen model by another engine than Keras."""

from __future__ import annotations

import keras

from breastcls.errors import ModelError, TrainingError
from breastcls.models.engines.choose_engine import find_engine
from breastcls.models.engines.converted_network import open_converted
from breastcls.models.engines.session import Session


def open_feature_session(frozen: keras.Model, engine: str) -> Session:
    """Return a session that computes features, float32 (n, features): feature maps are flattened.

    Args:
        frozen: The model that computes the features.
        engine: The name of an engine other than "keras".

    Raises:
        TrainingError: If the engine is not installed, the model cannot be converted, or its features differ from those
            of Keras by more than 1e-4 of their norm.
    """
    outputs = frozen.outputs[0]
    network = frozen if len(outputs.shape) == 2 else keras.Model(frozen.inputs[0], keras.layers.Flatten()(outputs))
    try:
        return open_converted(network, find_engine(engine), relative=True)
    except ModelError as error:
        raise TrainingError(
            f"The features of the frozen backbone cannot be computed with engine={engine!r}, and another engine would "
            f"learn other weights. {error}"
        ) from error
