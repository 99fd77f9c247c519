"""Unroll a Keras model: the recorded calls of its layers as one list, through models nested at any depth."""

from __future__ import annotations

from collections import Counter
from typing import Any

import keras

from breastcls.errors import ExplanationError
from breastcls.explanation.layer_graph import LayerGraph, Slot, Step
from breastcls.models.keras_internals import flatten_layers, is_functional, record_layer_call, recorded_calls
from breastcls.models.runtime_model import RuntimeModel, describe_runtime_model


def unroll(model: Any, *, open_layers: bool = False) -> LayerGraph:
    """Return the layer calls of a Keras model with one image input and one output.

    Functional and Sequential models are unrolled at any depth; anything else (a layer, a subclassed model) is one step.

    Args:
        model: A built `keras.Model`: functional, Sequential or subclassed.
        open_layers: Whether layers that are not those of Keras and have layers inside, such as the encoder of a
            transformer of KerasHub, are unrolled too, where their calls can be recorded.

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
    unrolling = _Unrolling(open_layers)
    outputs = unrolling.add(model, (0,), prefix="")
    needed = {outputs[0]}
    kept: list[Step] = []
    for step in reversed(unrolling.steps):
        if needed.intersection(step.outputs):
            kept.append(step)
            needed.update(step.inputs)
    return LayerGraph(tuple(reversed(kept)), outputs[0], unrolling.models, input_dtype)


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

    def add(self, operation: Any, inputs: tuple[int, ...], prefix: str) -> tuple[int, ...]:
        """Add a model whose inputs are the given slots, and return the slots of its outputs."""
        if not _can_be_opened(operation):
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
            elif (inside := self._record(operation, node.arguments)) is not None:
                function, tensors = inside
                written = self._add_functional(function, tuple(slot_of[tensor] for tensor in tensors), path)
                self.models[path] = written
            else:
                arguments = keras.tree.map_structure(
                    lambda item: Slot(slot_of[id(item)]) if isinstance(item, keras.KerasTensor) else item,
                    (node.arguments.args, node.arguments.kwargs),
                )
                written = self._add_step(path, operation, arguments, read, len(node.outputs))
            slot_of.update({id(tensor): slot for tensor, slot in zip(node.outputs, written, strict=True)})
        return tuple(slot_of[id(tensor)] for tensor in model.outputs)

    def _record(self, operation: Any, arguments: Any) -> tuple[Any, list[int]] | None:
        """Return the calls inside of a layer, or None if it stays one step."""
        if not self._open_layers or not isinstance(operation, keras.Layer):
            return None
        own = type(operation).__module__.split(".")[0] != "keras" and len(flatten_layers(operation)) > 1
        # In mixed precision a layer converts its variables and inputs, which repeated calls would not.
        if not own or operation.compute_dtype != operation.variable_dtype:
            return None
        return record_layer_call(operation, arguments.args, arguments.kwargs)

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
        self.steps.append(Step(path, operation, arguments, inputs, outputs))
        return outputs
