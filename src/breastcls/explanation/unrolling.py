"""Unroll a Keras model: the recorded calls of its layers as one list, through models nested at any depth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import keras

from breastcls.errors import ExplanationError
from breastcls.explanation.layer_graph import LayerGraph, Slot, Step
from breastcls.models.keras_internals import (
    computes_in_lower_precision,
    flatten_layers,
    is_functional,
    record_layer_call,
    recorded_calls,
)
from breastcls.models.runtime_model import RuntimeModel, describe_runtime_model


def unroll(model: Any, open_for: Sequence[int] | None = None) -> LayerGraph:
    """Return the layer calls of a Keras model with one image input and one output.

    Functional and Sequential models are unrolled at any depth; anything else (a layer, a subclassed model) is one step.

    Args:
        model: A built `keras.Model`: functional, Sequential or subclassed.
        open_for: The shape (height, width, channels) of images for which subclassed models, and layers that are not
            those of Keras and have layers inside, such as the encoder of a transformer of KerasHub, are unrolled too,
            where their calls can be recorded.

    Raises:
        ExplanationError: If `model` is not a Keras model, is not built, or has several inputs or outputs.

    Example:
        >>> import keras
        >>> inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3, name="conv")], name="inner")
        >>> outer = keras.Sequential([keras.Input((8, 8, 3)), inner, keras.layers.Flatten(name="flat")])
        >>> [step.path for step in unroll(outer).steps]
        ['inner/conv', 'flat']
    """
    if isinstance(model, RuntimeModel):
        raise ExplanationError(f"The layers of a Keras model are needed; {describe_runtime_model(model)}")
    if not isinstance(model, keras.Model):
        raise ExplanationError(
            f"The model is a {type(model).__name__}; expected a keras.Model. Explain the models of a list one at a "
            "time, or join them with `breastcls.models.build_ensemble`."
        )
    if not model.built:
        raise ExplanationError(f"The model {model.name!r} is not built; call it once on a batch of images.")
    if _can_be_opened(model):
        counts = (len(model.inputs), len(model.outputs))
        if counts != (1, 1):
            raise ExplanationError(
                f"The model {model.name!r} has {counts[0]} inputs and {counts[1]} outputs; expected one image batch as "
                "input and one array of class scores as output. Make a keras.Model of that part."
            )
        input_dtype = str(model.inputs[0].dtype)
    else:
        input_dtype = "float32"
    unrolling = _Unrolling(open_for is not None)
    image = None if open_for is None else keras.KerasTensor((None, *open_for), input_dtype)
    outputs = unrolling.add(model, (0,), "", image)
    needed = {outputs[0]}
    kept: list[Step] = []
    for step in reversed(unrolling.steps):
        if needed.intersection(step.outputs):
            kept.append(step)
            needed.update(step.inputs)
    if all(_converts_integers(step.operation) for step in kept if 0 in step.inputs):
        # Integers are converted first: with the pixels as numbers between them the score has a gradient.
        input_dtype = "float32"
    return LayerGraph(tuple(reversed(kept)), outputs[0], unrolling.models, input_dtype)


def _converts_integers(operation: Any) -> bool:
    """Return whether an operation gives the same result for integers and for equal floating-point numbers."""
    kinds = (keras.layers.Rescaling, keras.layers.Normalization)
    return isinstance(operation, kinds) or (
        not isinstance(operation, keras.Layer)
        and type(operation).__name__ == "Cast"
        and bool(keras.backend.is_float_dtype(operation.dtype))
    )


def _can_be_opened(operation: Any) -> bool:
    """Return whether repeating the recorded calls of an operation is the same as calling it."""
    if isinstance(operation, keras.Sequential):
        return bool(operation.built and operation.layers)
    return is_functional(operation)


class _Unrolling:
    """The list of steps while a model is unrolled."""

    def __init__(self, open_layers: bool) -> None:
        self._open_layers = open_layers
        self.steps: list[Step] = []
        self.models: dict[str, tuple[int, ...]] = {}
        self.slots = 1
        self._calls: Counter[str] = Counter()
        self._dtype: str | None = None

    def add(
        self, operation: Any, inputs: tuple[int, ...], prefix: str, image: keras.KerasTensor | None = None
    ) -> tuple[int, ...]:
        """Add a model whose inputs are the given slots, and return the slots of its outputs.

        Args:
            operation: The model.
            inputs: The slots of its inputs.
            prefix: Its path.
            image: What stands for the images where a subclassed model is to be unrolled.
        """
        if not _can_be_opened(operation):
            recorded = None if image is None else self._record(operation, (image,), {})
            if image is not None and recorded is not None:
                return self._add_recorded(operation, recorded, {id(image): (inputs[0], str(image.dtype))}, prefix)
            return self._add_step(prefix or operation.name, operation, ((Slot(inputs[0]),), {}), inputs, 1)
        if isinstance(operation, keras.Sequential):
            outputs = inputs
            for layer in operation.layers:
                path = self._name_call(prefix, layer)
                if _can_be_opened(layer):
                    outputs = self.add(layer, outputs, path)
                else:
                    outputs = self._add_step(path, layer, ((Slot(outputs[0]),), {}), outputs, 1)
        else:
            outputs = self._add_functional(operation, inputs, prefix)
        if prefix:
            self.models[prefix] = outputs
        return outputs

    def _add_functional(self, model: Any, inputs: tuple[int, ...], prefix: str) -> tuple[int, ...]:
        slot_of = {id(tensor): slot for tensor, slot in zip(model.inputs, inputs, strict=True)}
        for node in recorded_calls(model):
            if any(id(tensor) in slot_of for tensor in node.outputs):
                continue
            operation = node.operation
            path = self._name_call(prefix, operation)
            read = tuple(slot_of[id(tensor)] for tensor in node.input_tensors)
            if _can_be_opened(operation) and len(read) == len(operation.inputs):
                written = self.add(operation, read, path)
            elif (inside := self._record(operation, node.arguments.args, node.arguments.kwargs)) is not None:
                given = {id(tensor): (slot_of[id(tensor)], str(tensor.dtype)) for tensor in node.input_tensors}
                written = self._add_recorded(operation, inside, given, path)
                self.models[path] = written
            else:
                arguments = keras.tree.map_structure(
                    lambda item: Slot(slot_of[id(item)]) if isinstance(item, keras.KerasTensor) else item,
                    (node.arguments.args, node.arguments.kwargs),
                )
                written = self._add_step(path, operation, arguments, read, len(node.outputs))
            slot_of.update({id(tensor): slot for tensor, slot in zip(node.outputs, written, strict=True)})
        return tuple(slot_of[id(tensor)] for tensor in model.outputs)

    def _record(self, operation: Any, args: Any, kwargs: Any) -> tuple[Any, list[int]] | None:
        """Return the calls inside of a layer, or None if it stays one step."""
        if not self._open_layers or not isinstance(operation, keras.Layer):
            return None
        own = type(operation).__module__.split(".")[0] != "keras" and len(flatten_layers(operation)) > 1
        return record_layer_call(operation, args, kwargs) if own else None

    def _add_recorded(
        self, layer: Any, recorded: tuple[Any, list[int]], given: dict[int, tuple[int, str]], path: str
    ) -> tuple[int, ...]:
        """Add the calls inside of a layer.

        Args:
            layer: The layer.
            recorded: What `record_layer_call` returned.
            given: Slot and precision of each input of the layer, by the `id` of its tensor.
            path: The path of the layer.
        """
        function, tensors = recorded
        inputs = []
        for tensor, wanted in zip(tensors, function.inputs, strict=True):
            slot, dtype = given[tensor]
            if dtype != wanted.dtype:
                # In mixed precision Keras converts the inputs of a layer in front of its call.
                converter = keras.layers.Identity(dtype=wanted.dtype)
                [slot] = self._add_step(f"{path}/input".lstrip("/"), converter, ((Slot(slot),), {}), (slot,), 1)
            inputs.append(slot)
        outer = self._dtype
        if computes_in_lower_precision(layer):
            self._dtype = layer.compute_dtype
        try:
            return self._add_functional(function, tuple(inputs), path)
        finally:
            self._dtype = outer

    def _name_call(self, prefix: str, operation: Any) -> str:
        """Return the path of one call: of the second call of a layer it ends in `#2`."""
        path = f"{prefix}/{operation.name}" if prefix else str(operation.name)
        self._calls[path] += 1
        return path if self._calls[path] == 1 else f"{path}#{self._calls[path]}"

    def _add_step(
        self, path: str, operation: Any, arguments: Any, inputs: tuple[int, ...], count: int
    ) -> tuple[int, ...]:
        outputs = tuple(range(self.slots, self.slots + count))
        self.slots += count
        self.steps.append(Step(path, operation, arguments, inputs, outputs, self._dtype))
        return outputs
