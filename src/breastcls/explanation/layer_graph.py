"""A Keras model as one list of layer calls, through models nested at any depth.

Building a second model from the symbolic output of a nested layer fails with "graph disconnected". Here nothing is
built and no layer of the caller's model is changed: the calls that Keras recorded are repeated on actual images, one by
one, so that every intermediate tensor can be observed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from breastcls.errors import ExplanationError
from breastcls.models.keras_internals import is_functional, recorded_calls
from breastcls.models.runtime_model import RuntimeModel, describe_runtime_model

Observer = Callable[[int, Any], Any]


@dataclass(frozen=True)
class Slot:
    """The number of a tensor in a `LayerGraph`; slot 0 is the image batch."""

    index: int


@dataclass(frozen=True, eq=False)
class Step:
    """One call of one layer or operation.

    Attributes:
        path: Names from the outermost model inwards, joined by `/`: `"mobilenet_0.25_224/conv_pw_13_relu"`.
        operation: The layer or operation.
        arguments: Positional and keyword arguments, with a `Slot` in the place of each tensor.
        inputs: The slots of the inputs.
        outputs: The slots of the outputs.
    """

    path: str
    operation: Any
    arguments: tuple[tuple[Any, ...], dict[str, Any]]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class LayerGraph:
    """The steps from the image batch to the output of a model, in an order in which they can be executed.

    Attributes:
        steps: Only those on which the output depends.
        output: The slot of the output of the model.
        models: The slots of the outputs of each nested model, by its path.
        input_dtype: The dtype of the model's input.
    """

    steps: tuple[Step, ...]
    output: int
    models: dict[str, tuple[int, ...]]
    input_dtype: str

    def producer(self, slot: int) -> Step | None:
        """Return the step that computes `slot`, or None for the image batch."""
        return next((step for step in self.steps if slot in step.outputs), None)

    def run(self, images: Any, wanted: int | None = None, observe: Observer | None = None) -> Any:
        """Compute the tensor of one slot for a batch, with every layer in inference mode.

        Args:
            images: Batch, float32 (n, h, w, 3), values 0..255.
            wanted: The slot to return; the output of the model by default.
            observe: Called with the number and the value of each tensor when it is computed. The value that it returns
                replaces the tensor.
        """
        wanted = self.output if wanted is None else wanted
        values: dict[int, Any] = {0: keras.ops.cast(images, self.input_dtype)}
        if observe is not None:
            values[0] = observe(0, values[0])
        last_use = {slot: number for number, step in enumerate(self.steps) for slot in step.inputs}
        for number, step in enumerate(self.steps):
            if wanted in values:
                break
            args, kwargs = keras.tree.map_structure(
                lambda item: values[item.index] if isinstance(item, Slot) else item, step.arguments
            )
            results = keras.tree.flatten(_call_for_inference(step.operation, args, kwargs))
            for slot, value in zip(step.outputs, results, strict=True):
                values[slot] = value if observe is None else observe(slot, value)
            for slot in step.inputs:
                # Activations of a large batch are released after their last use.
                if last_use[slot] == number and slot != wanted:
                    values.pop(slot, None)
        return values[wanted]


def _call_for_inference(operation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a layer with `training=False`, also if the recorded call has another value."""
    if isinstance(operation, keras.Layer):
        names = list(inspect.signature(operation.call).parameters)
        if "training" in names:
            place = names.index("training")
            if place < len(args):
                args = (*args[:place], False, *args[place + 1 :])
            else:
                kwargs = {**kwargs, "training": False}
    return operation(*args, **kwargs)


def unroll(model: Any) -> LayerGraph:
    """Return the layer calls of a Keras model with one image input and one output.

    Functional and Sequential models are unrolled at any depth; anything else (a layer, a subclassed model) is one step.

    Args:
        model: A built `keras.Model`: functional, Sequential or subclassed.

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
    unrolling = _Unrolling()
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

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.models: dict[str, tuple[int, ...]] = {}
        self.slots = 1

    def add(self, operation: Any, inputs: tuple[int, ...], prefix: str) -> tuple[int, ...]:
        """Add a model whose inputs are the given slots, and return the slots of its outputs."""
        if not _can_be_opened(operation):
            return self._add_step(prefix or operation.name, operation, ((Slot(inputs[0]),), {}), inputs, 1)
        if isinstance(operation, keras.Sequential):
            outputs = inputs
            for layer in operation.layers:
                path = f"{prefix}/{layer.name}" if prefix else layer.name
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
            path = f"{prefix}/{operation.name}" if prefix else operation.name
            read = tuple(slot_of[id(tensor)] for tensor in node.input_tensors)
            if _can_be_opened(operation) and len(read) == len(operation.inputs):
                written = self.add(operation, read, path)
            else:
                arguments = keras.tree.map_structure(
                    lambda item: Slot(slot_of[id(item)]) if isinstance(item, keras.KerasTensor) else item,
                    (node.arguments.args, node.arguments.kwargs),
                )
                written = self._add_step(path, operation, arguments, read, len(node.outputs))
            slot_of.update({id(tensor): slot for tensor, slot in zip(node.outputs, written, strict=True)})
        return tuple(slot_of[id(tensor)] for tensor in model.outputs)

    def _add_step(
        self, path: str, operation: Any, arguments: Any, inputs: tuple[int, ...], count: int
    ) -> tuple[int, ...]:
        outputs = tuple(range(self.slots, self.slots + count))
        self.slots += count
        self.steps.append(Step(path, operation, arguments, inputs, outputs))
        return outputs
