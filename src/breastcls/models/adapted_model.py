"""A Keras model of others as the model that breastcls uses: RGB 0..255 of a fixed size in, probabilities out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from breastcls.errors import ModelError
from breastcls.models.input_scaling import InputScaling
from breastcls.models.output_layer import find_last_activation


def adapt_model(
    model: keras.Model, file: Path, *, image_size: tuple[int, int] | None, scaling: InputScaling | None, logits: bool
) -> keras.Model:
    """Return a model with input scaling, image size and last activation as part of its graph.

    The layers are copied and stay on the top level, so that the model can be trained and explained like the original.

    Args:
        model: A Keras model with one input of images and one output.
        file: Its file, for messages.
        image_size: (height, width) for a model that takes images of any size, or None.
        scaling: What the network expects to be applied to RGB images with values 0..255, or None.
        logits: Whether the outputs are logits.

    Returns:
        `model` itself if nothing has to be changed.

    Raises:
        ModelError: If the model does not take RGB images, or cannot be changed.
    """
    size = check_images(model, file, image_size)
    batch = model.input_shape[0]
    scaled = scaling is not None and not scaling.is_identity
    fixed = None not in model.input_shape[1:3] or size is None
    if logits and find_last_activation(model) in ("softmax", "sigmoid"):
        raise ModelError(
            f"{file}: outputs='logits', but the model ends with a {find_last_activation(model)}, so that its outputs "
            "are probabilities. Leave out `outputs`."
        )
    if fixed and batch is None and not scaled and not logits:
        return model
    try:
        return _rebuild(model, size, scaling or InputScaling(), logits)
    # Layers of others may raise anything.
    except Exception as error:
        raise ModelError(
            f"{file}: the model cannot be rebuilt for images of {size} with its input scaling: "
            f"{' '.join(str(error).split())[:300]} Where it is defined, add the scaling as a keras.layers.Rescaling "
            "layer and save it again."
        ) from error


def check_images(model: Any, file: Path, image_size: tuple[int, int] | None) -> tuple[int, int] | None:
    """Return the image size (height, width) of a model, or None for a model of any size without `image_size`.

    Raises:
        ModelError: If the model does not take RGB images with the channels last, has several inputs or outputs, or
            takes images of another size than `image_size`.
    """
    ports = {}
    for what in ("inputs", "outputs"):
        tensors = getattr(model, what, None) or []
        ports[what] = [f"{tensor.name} {tuple(tensor.shape)}" for tensor in tensors]
        if len(tensors) != 1:
            found = f"has {len(tensors)} {what}: {', '.join(ports[what])}" if tensors else f"has unknown {what}"
            raise ModelError(
                f"{file}: the model {found}; expected one. Make a functional model of the ones that matter: "
                "keras.Model(model.inputs[0], model.outputs[0])."
            )
    shape = tuple(model.input_shape)
    if len(shape) != 4 or shape[3] != 3:
        hint = ""
        if len(shape) == 4 and shape[1] == 3:
            hint = " Its channels are first; build it with data_format='channels_last'."
        elif len(shape) == 4 and shape[3] == 1:
            hint = (
                " It takes grey images: make a model that converts RGB first, images = keras.Input((height, width, 3)) "
                "and keras.Model(images, model(keras.ops.image.rgb_to_grayscale(images)))."
            )
        raise ModelError(f"{file}: the model has the input {shape}; expected images (n, height, width, 3).{hint}")
    sides = shape[1:3]
    if image_size is None:
        return None if None in sides else (int(sides[0]), int(sides[1]))
    if any(side not in (None, wanted) for side, wanted in zip(sides, image_size, strict=True)):
        raise ModelError(f"{file}: image_size={image_size}, but the model takes images of {sides} (height, width).")
    return image_size


def _rebuild(model: keras.Model, size: tuple[int, int] | None, scaling: InputScaling, logits: bool) -> keras.Model:
    flat = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    images = keras.Input((*(size or (None, None)), 3), name="images")
    scaled = scaling.scale_tensor(images)

    def call(layer: Any, *arguments: Any, **keywords: Any) -> Any:
        arguments, keywords = keras.tree.map_structure(
            lambda value: scaled if value is images else value, (arguments, keywords)
        )
        return layer(*arguments, **keywords)

    def copy(layer: Any) -> Any:
        # Keras makes a Lambda layer from its configuration only where code was allowed.
        return layer if isinstance(layer, keras.layers.Lambda) else type(layer).from_config(layer.get_config())

    cloned = keras.models.clone_model(flat, input_tensors=images, clone_function=copy, call_function=call)
    outputs = cloned.outputs[0]
    if logits:
        outputs = keras.layers.Activation("sigmoid" if outputs.shape[-1] == 1 else "softmax", name="probabilities")(
            outputs
        )
    made = keras.Model(cloned.inputs[0], outputs, name=model.name)
    made.set_weights(flat.get_weights())
    return made
