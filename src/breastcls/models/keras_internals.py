"""The only file that uses private parts of Keras: what they do has no public counterpart in Keras 3.12 to 3.15."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import keras


def flatten_layers(layer: Any, *, include_self: bool = True) -> list[Any]:
    """Return a layer or model and all layers inside it, at any depth, from the outside in.

    Example:
        >>> inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="dense")], name="inner")
        >>> outer = keras.Sequential([keras.Input((4,)), inner], name="outer")
        >>> [part.name for part in flatten_layers(outer) if part.weights]
        ['outer', 'inner', 'dense']
    """
    return list(layer._flatten_layers(include_self=include_self))


def forget_functions(model: keras.Model) -> None:
    """Let Keras trace a model again: its compiled functions contain the former weights or precision."""
    model.train_function = model.test_function = model.predict_function = None


def find_seed_generators(model: Any) -> list[Any]:
    """Return the random generators of the layers of a model, each once, in the order of the layers.

    They are found under whatever name a layer keeps them: Keras records each as it is assigned.
    """
    tracked = [generator for layer in flatten_layers(model) for generator in layer._seed_generators]
    return list({id(generator): generator for generator in tracked}.values())


def is_functional(operation: Any) -> bool:
    """Return whether an operation does exactly what its recorded graph of layer calls does.

    A subclass of a functional model with a `call` of its own may do more.
    """
    if not (isinstance(operation, keras.Model) and isinstance(operation, keras.Function)):
        return False
    return bool(type(operation).call.__qualname__ == "Functional.call")


def recorded_calls(model: Any) -> Iterator[Any]:
    """Yield the recorded calls (Keras nodes) of a functional model, each after those whose outputs it reads.

    A node has `operation`, `arguments.args`, `arguments.kwargs`, `input_tensors` and `outputs`.
    """
    nodes_by_depth = model._nodes_by_depth
    for depth in sorted(nodes_by_depth, reverse=True):
        for node in nodes_by_depth[depth]:
            if not node.is_input:
                yield node


def is_in_stateless_scope() -> bool:
    """Return whether the values of variables are replaced by those of a `keras.StatelessScope`."""
    return keras.src.backend.common.stateless_scope.in_stateless_scope()  # type: ignore[no-any-return]


def computes_in_lower_precision(layer: Any) -> bool:
    """Return whether a layer converts its variables and inputs to another precision than that of its variables."""
    return bool(layer.autocast and layer.compute_dtype != layer.variable_dtype)


def read_variables_as(dtype: str | None) -> Any:
    """Return a context in which variables are read in the precision `dtype`; None changes nothing."""
    if dtype is None:
        return nullcontext()
    return keras.src.backend.common.AutocastScope(dtype)


def record_layer_call(layer: Any, arguments: Any, keywords: Any) -> tuple[Any, list[int]] | None:
    """Return the calls inside of a layer as a `keras.Function`, or None where they cannot be recorded.

    The layer computes with tensors without values. The records of these calls are removed from its inner layers, so
    that the layer is the same afterwards. In mixed precision the inputs of the function have the precision in which the
    layer computes, as Keras converts them in front of the call.

    Args:
        layer: A built layer or model with layers inside.
        arguments: The positional arguments of its call, with a `keras.KerasTensor` in the place of each tensor.
        keywords: The keyword arguments.

    Returns:
        The function, and the `id` of the tensor that each of its inputs stands for.
    """
    inputs: dict[int, Any] = {}

    def replace(value: Any) -> Any:
        if not isinstance(value, keras.KerasTensor):
            return value
        converted = layer.autocast and keras.backend.is_float_dtype(value.dtype)
        dtype = layer.compute_dtype if converted else value.dtype
        return inputs.setdefault(id(value), keras.Input(batch_shape=value.shape, dtype=dtype))

    given, named = keras.tree.map_structure(replace, (arguments, keywords))
    inner = [part for part in flatten_layers(layer) if part is not layer]
    before = [(part, len(part._inbound_nodes), len(part._outbound_nodes)) for part in inner]
    try:
        if "training" in inspect.signature(layer.call).parameters:
            named = {**named, "training": False}
        with read_variables_as(layer.compute_dtype if computes_in_lower_precision(layer) else None):
            outputs = keras.tree.flatten(layer.call(*given, **named))
        if not all(isinstance(value, keras.KerasTensor) for value in outputs):
            return None
        return keras.Function(list(inputs.values()), outputs), list(inputs)
    # Layers of other packages that need values, such as the number of images, raise errors of many kinds.
    except Exception:
        return None
    finally:
        for part, inbound, outbound in before:
            del part._inbound_nodes[inbound:], part._outbound_nodes[outbound:]


def skip_gradient_sum(optimizer: Any) -> None:
    """Keep an optimizer from summing the gradients over replicas: there is one, or the caller has summed them already.

    On one replica the sum changes no value, but TensorFlow registers a gradient function for it under a new name, which
    keeps the graph of the training step, some 10 MiB, until the process ends.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    inner._all_reduce_sum_gradients = lambda pairs: pairs


def logits_of(output: Any) -> Any | None:
    """Return the tensor that a sigmoid or softmax was applied to in the same computation, or None where unknown.

    The losses of Keras use it in the same way.
    """
    return getattr(output, "_keras_logits", None)


def initial_rate(optimizer: Any) -> Any:
    """Return the learning rate that an optimizer was made with: a variable, a schedule or a function."""
    return optimizer._learning_rate


def excludes_from_weight_decay(optimizer: Any) -> bool:
    """Return whether `exclude_from_weight_decay` was called on an optimizer; its configuration does not say so."""
    names = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")
    return any(getattr(optimizer, name, None) for name in names)


def with_rate_factors(base: Any) -> Any:
    """Return a subclass of an optimizer under which some variables have a fraction of the learning rate.

    Its method `set_factors` takes, by the path of a variable, the factor by which the learning rate and the weight
    decay of this variable are multiplied; variables without an entry have the factor 1.

    Args:
        base: A class of Keras optimizers.
    """

    class RateFactors(base):  # type: ignore[misc]
        """An optimizer under which some variables have a fraction of the learning rate and of the weight decay."""

        weight_decay: Any

        def set_factors(self, factors: Mapping[str, float]) -> None:
            """Set the factors by the path of a variable, before the first step."""
            self._factors, self._full_decay = dict(factors), self.weight_decay

        def _apply_weight_decay(self, variables: Any) -> None:
            # Keras multiplies the decay by the full learning rate, so the factor has to be part of the decay.
            groups: dict[float, list[Any]] = {}
            for variable in variables:
                groups.setdefault(self._factors.get(variable.path, 1.0), []).append(variable)
            try:
                for factor, group in groups.items():
                    self.weight_decay = None if self._full_decay is None else self._full_decay * factor
                    super()._apply_weight_decay(group)
            finally:
                self.weight_decay = self._full_decay

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> Any:
            """Update one variable at its own learning rate."""
            # The argument may be the variable of the backend, which has no path.
            path = self._trainable_variables[self._get_variable_index(variable)].path
            return super().update_step(gradient, variable, learning_rate * self._factors.get(path, 1.0))

    return RateFactors


def remove_lora(layer: Any) -> None:
    """Add the adapter of a layer to its kernel, and remove the adapter; the output stays the same."""
    layer._kernel.assign(_merged_kernel(layer))
    layer.lora_enabled, layer.lora_rank, layer.lora_alpha = False, None, None
    for name in ("lora_kernel_a", "lora_kernel_b"):
        weight = getattr(layer, name)
        # A graph that was traced before the removal adds the adapter to the kernel.
        weight.assign(keras.ops.zeros(weight.shape))
        # `del layer.lora_kernel_a` does the same, and collects garbage after each weight, which takes seconds in all.
        layer._untrack_variable(weight)
        object.__delattr__(layer, name)


@contextmanager
def without_lora(layers: Sequence[Any]) -> Iterator[None]:
    """Within the block the adapters of layers are part of their kernels, also in what is saved."""
    kept = []
    for layer in layers:
        kernel = keras.ops.convert_to_numpy(layer._kernel)
        kept.append((layer, kernel, layer.lora_rank, layer.lora_alpha))
        layer._kernel.assign(_merged_kernel(layer))
        layer.lora_enabled, layer.lora_rank = False, None
    try:
        yield
    finally:
        for layer, kernel, rank, alpha in kept:
            layer._kernel.assign(kernel)
            layer.lora_enabled, layer.lora_rank, layer.lora_alpha = True, rank, alpha


def _merged_kernel(layer: Any) -> Any:
    # `layer.kernel` is the same in the precision of the computations, which may be lower than that of the weights.
    kernel, first, second = (
        keras.ops.convert_to_numpy(weight) for weight in (layer._kernel, layer.lora_kernel_a, layer.lora_kernel_b)
    )
    return kernel + (layer.lora_alpha / layer.lora_rank) * (first @ second)


@contextmanager
def observe_attention(layers: Sequence[Any], observe: Callable[[Any], Any]) -> Iterator[None]:
    """Pass the attention weights of `keras.layers.MultiHeadAttention` layers through a function within the block.

    Args:
        layers: The layers. Their weights and settings are not changed.
        observe: Takes the weights after softmax, (n, heads, tokens, tokens), and returns those to be used.
    """

    def replacement(layer: Any) -> Callable[..., Any]:
        original = layer._compute_attention

        def compute(
            query: Any,
            key: Any,
            value: Any,
            attention_mask: Any = None,
            training: Any = None,
            return_attention_scores: bool = False,
            **more: Any,
        ) -> tuple[Any, Any]:
            flash, layer._flash_attention = layer._flash_attention, False
            try:
                _, weights = original(query, key, value, attention_mask, training, True, **more)
            finally:
                layer._flash_attention = flash
            weights = observe(weights)
            output = keras.ops.einsum(layer._combine_equation, weights, value)
            return output, weights if return_attention_scores else None

        return compute

    try:
        for layer in layers:
            object.__setattr__(layer, "_compute_attention", replacement(layer))
        yield
    finally:
        for layer in layers:
            if "_compute_attention" in vars(layer):
                object.__delattr__(layer, "_compute_attention")
