"""A Keras model as one list of layer calls, through models nested at any depth.

Building a second model from the symbolic output of a nested layer fails with "graph disconnected". Here nothing is
built and no layer of the caller's model is changed: the calls that Keras recorded are repeated on actual images, one by
one, so that every intermediate tensor can be observed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from breastcls.models.keras_internals import read_variables_as

Observer = Callable[[int, Any], Any]


@dataclass(frozen=True)
class Slot:
    """The number of a tensor in a `LayerGraph`; slot 0 is the image batch."""

    index: int


@dataclass(frozen=True, eq=False)
class Step:
    """One call of one layer or operation.

    Attributes:
        path: Names from the outermost model inwards, joined by `/`: `"mobilenet_0.25_224/conv_pw_13_relu"`. The
            second call of a layer or model has the name `"shared#2"`.
        operation: The layer or operation.
        arguments: Positional and keyword arguments, with a `Slot` in the place of each tensor.
        inputs: The slots of the inputs.
        outputs: The slots of the outputs.
        dtype: The precision in which variables are read, of a call inside of a layer in mixed precision; else None.
    """

    path: str
    operation: Any
    arguments: tuple[tuple[Any, ...], dict[str, Any]]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    dtype: str | None = None


@dataclass(frozen=True, eq=False)
class LayerGraph:
    """The steps from the image batch to the output of a model, in an order in which they can be executed.

    Attributes:
        steps: Only those on which the output depends.
        output: The slot of the output of the model.
        models: The slots of the outputs of each nested model, by its path.
        input_dtype: The dtype of the model's input; that of the pixels where the first layers convert integers.
        patch_starts: Of a transformer the number of tokens in front of the patches, by the number of all tokens, where
            it was measured.
    """

    steps: tuple[Step, ...]
    output: int
    models: dict[str, tuple[int, ...]]
    input_dtype: str
    patch_starts: Mapping[int, int] = field(default_factory=dict)

    def producer(self, slot: int) -> Step | None:
        """Return the step that computes `slot`, or None for the image batch."""
        return next((step for step in self.steps if slot in step.outputs), None)

    def run(
        self,
        images: Any,
        wanted: int | None = None,
        observe: Observer | None = None,
        given: Mapping[int, Any] | None = None,
    ) -> Any:
        """Compute the tensor of one slot for a batch, with every layer in inference mode.

        Args:
            images: Batch, float32 (n, h, w, 3), values 0..255. It may be None if `wanted` follows from `given` alone.
            wanted: The slot to return; the output of the model by default.
            observe: Called with the number and the value of each tensor when it is computed. The value that it returns
                replaces the tensor.
            given: The values of some slots, which are not computed.
        """
        wanted = self.output if wanted is None else wanted
        values: dict[int, Any] = dict(given or {})
        if images is not None and 0 not in values:
            values[0] = keras.ops.cast(images, self.input_dtype)
            if observe is not None:
                values[0] = observe(0, values[0])
        known = frozenset(values)
        steps, _ = self.needed_for(wanted, known)
        last_use = {slot: number for number, step in enumerate(steps) for slot in step.inputs}
        for number, step in enumerate(steps):
            args, kwargs = keras.tree.map_structure(
                lambda item: values[item.index] if isinstance(item, Slot) else item, step.arguments
            )
            with read_variables_as(step.dtype):
                results = keras.tree.flatten(_call_for_inference(step.operation, args, kwargs))
            for slot, value in zip(step.outputs, results, strict=True):
                if slot not in known:
                    values[slot] = value if observe is None else observe(slot, value)
            for slot in step.inputs:
                # Activations of a large batch are released after their last use.
                if last_use[slot] == number and slot != wanted:
                    values.pop(slot, None)
        return values[wanted]

    def needed_for(self, wanted: int, given: Iterable[int]) -> tuple[tuple[Step, ...], frozenset[int]]:
        """Return the steps that compute one slot from others, and the slots that they read besides their own outputs.

        Args:
            wanted: The slot that is computed.
            given: The slots whose values are known, so that what comes before them need not be computed.
        """
        known = frozenset(given)
        needed = {wanted} - known
        read = {wanted} & known
        kept: list[Step] = []
        for step in reversed(self.steps):
            if needed.intersection(step.outputs):
                kept.append(step)
                needed.update(slot for slot in step.inputs if slot not in known)
                read.update(slot for slot in step.inputs if slot in known)
        computed = {slot for step in kept for slot in step.outputs}
        return tuple(reversed(kept)), frozenset(read | (needed - computed))


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
