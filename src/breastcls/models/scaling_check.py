"""Whether a model of others was probably trained with an input scaling that it does not get here.

A network that was trained on values of 0..1 and gets 0..255 has saturated outputs, nearly the same for every image,
without any error. It is recognised by its structure, no scaling behind its input, and by its behaviour: the outputs are
saturated or constant as the images are, and neither under one of the usual scalings.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.errors import ModelWarning
from breastcls.models.inference import run_batches
from breastcls.models.input_scaling import INPUT_SCALINGS, InputScaling
from breastcls.models.keras_internals import is_functional, recorded_calls
from breastcls.models.model_card import ModelCard
from breastcls.models.runtime_model import RuntimeModel
from breastcls.models.single_output import expand_single_output
from breastcls.models.vector_input import vector_size

_SATURATED = 0.999
"""A largest probability from which an output counts as saturated."""

_MOST_IMAGES = 32
_FEW_IMAGES = 8
_BRIGHTNESS = (1.0, 0.85, 0.7, 0.5)
_SPREAD = 0.02

_PASSED_THROUGH = (
    keras.layers.Identity,
    keras.layers.Dropout,
    keras.layers.Resizing,
    keras.layers.ZeroPadding2D,
    keras.layers.CenterCrop,
    keras.layers.Cropping2D,
    keras.layers.Permute,
    keras.layers.Reshape,
    keras.layers.Flatten,
    keras.layers.Pipeline,
    keras.layers.InputLayer,
)
_WEIGHTED = (keras.layers.Dense, keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


def may_lack_scaling(model: Any, card: ModelCard | None) -> bool:
    """Return whether a model may get images without scaling, as far as its card and its graph show.

    False for a model of vectors, one that breastcls built, trained or exported, one whose scaling was stated when it
    was loaded, and one with a scaling, a normalisation or an arithmetic operation before its first layer with weights.
    """
    if vector_size(model) is not None:
        return False
    if card is not None:
        stated = card.provenance.get("loaded_from")
        known = card.backbone is not None or card.training_history is not None
        if known or {"training", "ensemble", "export"} & set(card.provenance):
            return False
        if isinstance(stated, dict) and stated.get("scaling") is not None:
            return False
    if isinstance(model, RuntimeModel):
        return not model.scaling_stated
    return isinstance(model, keras.Model) and _first_is_weighted(model)


class ScalingCheck:
    """Warns if the outputs for the first images show that a scaling is missing.

    Args:
        model: A Keras model or a `RuntimeModel`.
        card: Its card, or None.
    """

    def __init__(self, model: Any, card: ModelCard | None) -> None:
        self._model, self._needed = model, may_lack_scaling(model, card)
        self._first: npt.NDArray[Any] | None = None

    def watch(self, batches: Iterable[Any]) -> Iterable[Any]:
        """Return the batches; the first of them is kept for the check where one is needed."""
        return self._keep_first(batches) if self._needed else batches

    def _keep_first(self, batches: Iterable[Any]) -> Iterator[Any]:
        for batch in batches:
            if self._first is None:
                self._first = np.asarray(keras.ops.convert_to_numpy(batch))[:_MOST_IMAGES]
            yield batch

    def warn(self, outputs: npt.NDArray[Any]) -> None:
        """Issue a `ModelWarning` if a scaling is missing.

        Args:
            outputs: The outputs of the model for all images, (n, classes) or (n, 1).
        """
        if self._first is None or not _looks_saturated(outputs):
            return
        images = self._first
        if len(images) < _FEW_IMAGES:
            # One image has no spread: darker versions of it take the place of others.
            images = np.concatenate([images * np.float32(factor) for factor in _BRIGHTNESS])
        better = [
            repr(name)
            for name, scaling in INPUT_SCALINGS.items()
            if name != "none" and _is_informative(self._model, images, scaling)
        ]
        if not better:
            return
        shown = np.median(np.asarray(expand_single_output(outputs), np.float64).max(axis=1))
        warnings.warn(
            f"The outputs of the model {getattr(self._model, 'name', 'without a name')!r} are saturated or the same "
            f"for all images (largest probability {shown:.3g} in the median), and nothing scales its input; for the "
            f"same images, scaled by {' or '.join(better)}, they are not. The network was probably trained on scaled "
            "images, and these predictions are worthless. Load it with the scaling of its training: "
            "load_model(path, classes=..., scaling='0-1') for x/255, '-1-1' or 'imagenet'; with scaling='none', which "
            "ends this warning, if it was trained on 0..255.",
            ModelWarning,
            stacklevel=4,
        )


def _looks_saturated(outputs: npt.NDArray[Any]) -> bool:
    probabilities = expand_single_output(np.asarray(outputs, np.float64))
    if not np.isfinite(probabilities).all() or probabilities.min() < 0 or probabilities.max() > 1:
        return False
    saturated = float((probabilities.max(axis=1) >= _SATURATED).mean())
    constant = len(probabilities) >= _FEW_IMAGES and float(probabilities.std(axis=0).max()) < _SPREAD / 4
    return saturated >= 0.9 or constant


def _is_informative(model: Any, images: npt.NDArray[Any], scaling: InputScaling) -> bool:
    """Return whether the outputs for scaled images are neither saturated nor nearly constant."""
    batch = scaling.scale_array(images)
    [outputs] = run_batches(model, [batch])
    probabilities = expand_single_output(np.asarray(outputs, np.float64))
    spread = float(probabilities.std(axis=0).max())
    saturated = float((probabilities.max(axis=1) >= _SATURATED).mean())
    return spread >= _SPREAD and saturated <= 0.5


def _first_is_weighted(model: keras.Model) -> bool:
    """Return whether the images reach a layer with weights before anything that may scale them."""
    if not is_functional(model) and not isinstance(model, keras.Sequential):
        return False
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0])
    reached = {id(tensor) for tensor in model.inputs}
    for call in recorded_calls(model):
        if not any(id(tensor) in reached for tensor in call.input_tensors):
            continue
        operation = call.operation
        if isinstance(operation, keras.Model):
            return _first_is_weighted(operation)
        if isinstance(operation, _WEIGHTED):
            return True
        random = type(operation).__name__.startswith("Random")
        if not random and not isinstance(operation, _PASSED_THROUGH):
            return False
        reached.update(id(tensor) for tensor in call.outputs)
    return False
