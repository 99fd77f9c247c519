"""Fast inference of a frozen model, close to float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.argument_checks import check_choice
from breastcls.errors import TrainingError
from breastcls.images.resize import Pixels
from breastcls.models.engines.keras_session import run_keras_batches
from breastcls.models.keras_internals import flatten_layers
from breastcls.models.precision import has_gpu, processor_flags, switch_policies

Features = npt.NDArray[np.float32]

TOLERANCE = 1e-2
"""The largest difference between features in a faster precision and in float32, relative to their norm."""

# With fewer multiplications per image the gain of bfloat16 is negligible.
_LEAST_PRODUCTS = 1e9
# A graph that contains its weights must be smaller than two gigabytes.
_MOST_CONSTANT_BYTES = 2**29
PRECISIONS = ("float32", "bfloat16")


def preferred_precision(frozen: keras.Model, flags: frozenset[str] | None = None) -> str:
    """Return the precision to try first: bfloat16 where it is expected to be faster, else float32.

    It is faster with TensorFlow on processors with AVX512-BF16 for networks of ordinary convolutions with many
    multiplications.
    Depthwise convolutions are slower in it. On a GPU float32 is fast enough for features that are computed once.

    Args:
        frozen: The model that computes the features.
        flags: The instruction sets of the processor; by default those of this one.
    """
    flags = processor_flags() if flags is None else flags
    if keras.backend.backend() != "tensorflow" or "avx512_bf16" not in flags or has_gpu():
        return "float32"
    layers = flatten_layers(frozen, include_self=False)
    if any("Depthwise" in type(layer).__name__ or "Separable" in type(layer).__name__ for layer in layers):
        return "float32"
    return "bfloat16" if sum(map(_products, layers)) >= _LEAST_PRODUCTS else "float32"


def settle_precision(frozen: keras.Model, images: Pixels, wanted: str) -> str:
    """Return `wanted` if features of some images are close to those in float32, else "float32".

    Args:
        frozen: The model that computes the features.
        images: A few images, uint8 of shape (b, height, width, 3).
        wanted: "float32" or "bfloat16".

    Returns:
        The precision whose features are, for every one of these images, within `TOLERANCE` of those in float32: the
        norm of the difference over the norm.
    """
    if wanted == "float32":
        return wanted
    exact, fast = (
        compile_frozen(frozen, len(images), precision)(images).reshape(len(images), -1).astype(np.float64)
        for precision in ("float32", wanted)
    )
    lengths = np.linalg.norm(exact, axis=1)
    # A feature vector of zeros, of a blank image, must be zero in both.
    near = np.linalg.norm(fast - exact, axis=1) <= TOLERANCE * lengths
    return wanted if near.all() else "float32"


def compile_frozen(frozen: keras.Model, size: int, precision: str = "float32") -> Callable[[Pixels], Features]:
    """Return a function from a batch of images to features.

    With TensorFlow the weights are constants of the graph: batch normalisation is then folded into the convolutions,
    which made MobileNet a third faster on a processor. Later changes of the weights have no effect.

    Args:
        frozen: The model that computes the features, run as in inference.
        size: Images per batch. Smaller batches are filled up, since each size would be compiled separately.
        precision: "float32" or "bfloat16".

    Returns:
        A function from uint8 (b, height, width, 3), b at most `size`, to float32 (b, ...).

    Raises:
        TrainingError: If the precision is unknown.
    """
    check_choice("precision", precision, PRECISIONS, error=TrainingError)
    compile_network = _compile_graph if keras.backend.backend() == "tensorflow" else _compile_by_keras
    run = compile_network(frozen, size, precision)

    def compute(images: Pixels) -> Features:
        count = len(images)
        if count < size:
            images = np.concatenate([images, np.repeat(images[-1:], size - count, axis=0)])
        return np.asarray(run(images), np.float32)[:count]

    return compute


def _compile_by_keras(frozen: keras.Model, size: int, precision: str) -> Callable[[Pixels], Any]:
    # A model of its own around the same layers, since Keras keeps one compiled function per model.
    network = keras.Model(frozen.inputs[0], frozen.outputs[0])
    layers = flatten_layers(frozen)

    def run(images: Pixels) -> Any:
        with switch_policies(layers, precision):
            return next(run_keras_batches(network, [images]))

    return run


def _compile_graph(frozen: keras.Model, size: int, precision: str) -> Callable[[Pixels], Any]:
    import tensorflow as tf

    kept = [
        [variable.numpy() for variable in variables]
        for variables in (frozen.trainable_variables, frozen.non_trainable_variables)
    ]
    constant = sum(values.nbytes for group in kept for values in group) <= _MOST_CONSTANT_BYTES

    def call(images: Any) -> Any:
        images = tf.cast(images, frozen.inputs[0].dtype)
        if not constant:
            return tf.cast(frozen(images, training=False), tf.float32)
        learning, fixed = ([tf.constant(values) for values in group] for group in kept)
        outputs, _ = frozen.stateless_call(learning, fixed, images, training=False)
        return tf.cast(outputs, tf.float32)

    signature = [tf.TensorSpec((size, *frozen.input_shape[1:]), tf.uint8)]
    # XLA would be slower on a processor by a factor of up to 14.
    graph = tf.function(call, input_signature=signature, autograph=False, jit_compile=False)
    with switch_policies(flatten_layers(frozen), precision):
        concrete = graph.get_concrete_function()
    return lambda images: concrete(tf.constant(images)).numpy()


def _products(layer: Any) -> float:
    """Return the number of multiplications of a layer for one image."""
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        return 0.0
    places = layer.output.shape[1:-1] if isinstance(layer, keras.layers.Conv2D) else ()
    return float(np.prod(kernel.shape) * np.prod([1 if place is None else place for place in places]))
