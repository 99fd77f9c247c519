"""`save_model` and `load_model`: one `.keras` file with the model card inside; models of others."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras

from breastcls.argument_checks import check_choice
from breastcls.errors import ModelError
from breastcls.files import atomic_path
from breastcls.images.resize import check_image_size
from breastcls.models.adapted_model import adapt_model, check_images
from breastcls.models.forked_process import check_process
from breastcls.models.input_scaling import InputScaling, Scaling, find_scaling
from breastcls.models.keras_files import CARD_FILE, LARGEST_CARD, TRAINABLE_FILE, describe_trainable, load_keras_file
from breastcls.models.lora import merged_lora
from breastcls.models.model_card import ModelCard, check_classes, get_card, set_card
from breastcls.models.model_formats import find_format
from breastcls.models.runtime_model import RuntimeModel, open_runtime_file, require_keras
from breastcls.models.sidecar import read_sidecar
from breastcls.models.vector_input import vector_size


def save_model(model: keras.Model, path: str | os.PathLike[str]) -> Path:
    """Write a model to one `.keras` file, atomically.

    The file contains the architecture, the weights, which layers are trainable, and the card. It does not contain the
    optimizer, the loss and the metrics, because they would triple its size and Keras could not load a custom loss.
    Adapters of LoRA are added to the kernels in the file, which holds an ordinary model with the same outputs.

    Args:
        model: A `keras.Model`, with a card (`get_card`) or without.
        path: A file name that ends in `.keras`. Missing folders are created; an existing file is replaced.

    Returns:
        The path.

    Raises:
        ModelError: If the name does not end in `.keras`, Keras cannot save the model, or its card is too large.
        OutputError: If the file cannot be written.

    Example:
        >>> import tempfile
        >>> from breastcls.models.building import build_model
        >>> model = build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=7)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = save_model(model, f"{folder}/small.keras")
        ...     get_card(load_model(path)).classes
        ('benign', 'malignant')
    """
    target = Path(path)
    if target.suffix != ".keras":
        raise ModelError(f"path={str(path)!r}: the file name of a saved model must end in '.keras'.")
    require_keras(model, "save_model")
    if not isinstance(model, keras.Model):
        raise ModelError(f"Expected a keras.Model to save; found {type(model).__name__}.")
    card = get_card(model)
    text = None if card is None else card.to_json()
    if text is not None and len(text.encode("utf-8")) > LARGEST_CARD:
        raise ModelError(
            f"The card of the model {model.name!r} is larger than {LARGEST_CARD} bytes, the limit of `load_model`. "
            "Store the large entries of its provenance in another file."
        )
    with atomic_path(target) as temporary:
        try:
            saved = _without_training_state(model)
            with merged_lora(model):
                saved.save(temporary)
        except (ValueError, TypeError, NotImplementedError, AttributeError) as error:
            raise ModelError(f"Keras cannot save the model {model.name!r}: {error}") from error
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(TRAINABLE_FILE, describe_trainable(saved))
            if text is not None:
                archive.writestr(CARD_FILE, text)
    return target


def load_model(
    path: str | os.PathLike[str],
    *,
    classes: Sequence[str] | None = None,
    scaling: Scaling | None = None,
    outputs: Literal["probabilities", "logits"] = "probabilities",
    image_size: int | Sequence[int] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    safe_mode: bool = True,
) -> keras.Model | RuntimeModel:
    """Load a model: one that `save_model` or Keras saved, an exported one, or one of another framework.

    Models of others are changed so that they take RGB images with values 0..255 and return probabilities, as all models
    here do. What the network was trained with cannot be read from most files and has to be stated: the classes, the
    input scaling, and whether the outputs are logits. The card records it.

    A file that Keras does not read is opened by its own runtime, which only runs forward: see `RuntimeModel`. Beside a
    file that `breastcls.export.export_model` wrote, the JSON file with the card is read, and the hashes are compared.

    No pickle is ever read, which excludes the files of PyTorch: export such a model to ONNX. The file is loaded in the
    safe mode of Keras, which refuses code in the file. A Keras model is not compiled.

    Args:
        path: A `.keras` file; an `.h5` file with a whole model, of Keras 3 or 2; `.onnx`; `.xml` of OpenVINO, with the
            `.bin` beside it; `.tflite` of LiteRT; or the folder of a SavedModel. The content is checked. A network of
            another framework takes (n, height, width, 3) or (n, 3, height, width), one input and one output.
        classes: Class names for a model without a card, in the order of its outputs, the positive class last. For a
            model with a card they must equal those of the card.
        scaling: What the network expects to be applied to RGB images with values 0..255, for a model without a card
            that does not contain it: `"0-1"`, `"-1-1"`, `"imagenet"` or `"caffe"`; a number to multiply by, such as
            `1 / 255`; `(mean, sd)` of values 0..1 as in torchvision; or an `InputScaling`. None or `"none"` if the
            network takes 0..255.
        outputs: `"logits"` for a network that ends without softmax or sigmoid, which is then added: a sigmoid of one
            output, otherwise a softmax.
        image_size: (height, width) of the images, or one number for squares, for a network that takes any size.
        custom_objects: Classes of layers that are not of Keras, by their names.
        safe_mode: False allows code in the file, such as that of Lambda layers and of a SavedModel. It can do anything
            on this computer; use it only for files whose origin you trust.

    Returns:
        A `keras.Model`, or a `RuntimeModel`, with its card (`get_card`). A model of others has no card unless `classes`
        is passed.

    Raises:
        ModelError: If the file is missing, damaged, of another kind, or unsafe, if its runtime is not installed, if a
            newer version of breastcls wrote its card, or if an argument does not match the model.

    Example:
        >>> model = load_model("student.h5", classes=("benign", "malignant"), scaling="0-1")  # doctest: +SKIP
    """
    file = Path(path)
    given = find_scaling(scaling)
    check_choice("outputs", outputs, ("probabilities", "logits"), error=ModelError)
    names = None if classes is None else check_classes(classes)
    size = None if image_size is None else check_image_size(image_size, ModelError)
    kind = find_format(file)
    if kind == "saved_model" and safe_mode:
        raise ModelError(
            f"{file} is a SavedModel, a program of TensorFlow that can read and write files on this computer. If you "
            "trust its origin, load it with load_model(path, safe_mode=False); otherwise ask for the model as '.keras' "
            "or ONNX, which contain no code."
        )
    if kind in ("keras", "h5"):
        model, card = load_keras_file(file, kind, custom_objects or {}, safe_mode=safe_mode)
    else:
        check_process()
        sidecar = read_sidecar(file)
        if sidecar is not None:
            sidecar.check_files(file)
        card = None if sidecar is None else sidecar.card
        model = RuntimeModel(
            open_runtime_file(file, kind, is_intact=sidecar is not None),
            file,
            scaling=given,
            logits=outputs == "logits",
            image_size=size,
        )
    if card is not None:
        _check_card(file, card, names, given, size, outputs)
        set_card(model, card)
        return model
    if isinstance(model, RuntimeModel):
        pass
    elif vector_size(model) is not None:
        if given is not None or size is not None or outputs == "logits":
            raise ModelError(
                f"{file}: the model takes vectors {model.input_shape}; scaling=, image_size= and outputs='logits' are "
                "for models of images. Leave them out; add a softmax where the model is defined."
            )
    elif names is not None or given is not None or size is not None or outputs == "logits":
        model = adapt_model(model, file, image_size=size, scaling=given, logits=outputs == "logits")
    if names is not None:
        set_card(model, make_card(model, names, file, kind, given, outputs))
    return model


def _check_card(file: Path, card: ModelCard, names: Any, scaling: InputScaling | None, size: Any, outputs: str) -> None:
    """Refuse arguments that contradict the card, or would change a model that is described completely."""
    if names is not None and card.classes != names:
        raise ModelError(f"{file} was saved with the classes {card.classes}; expected classes={names}. Omit `classes`.")
    if size is not None and card.image_size != size:
        raise ModelError(f"{file} takes images of {card.image_size}; found image_size={size}. Omit `image_size`.")
    for name, changed in (("scaling", scaling is not None), ("outputs", outputs == "logits")):
        if changed:
            raise ModelError(
                f"{file} has a card: its input scaling and last activation are part of the model. Omit `{name}`."
            )


def make_card(
    model: Any, names: tuple[str, ...], file: Path, kind: str, scaling: InputScaling | None, outputs: str
) -> ModelCard:
    """Return the card of a model of others.

    Raises:
        ModelError: If the model takes images of any size, or has other outputs than one per class.
    """
    size = None if vector_size(model) is not None else _size_of(model, file)
    if size is None and vector_size(model) is None:
        raise ModelError(
            f"{file}: the model takes images of any size; pass the size that it was trained with: "
            "image_size=(height, width)."
        )
    found = model.output_shape
    fitting = (2, 1) if len(names) == 2 else (len(names),)
    if not (isinstance(found, tuple) and len(found) == 2 and found[1] in (None, *fitting)):
        raise ModelError(
            f"{file}: the model has the output {found}; expected (n, {len(names)}) for classes={names}"
            f"{' or (n, 1) with the probability of the last one' if len(names) == 2 else ''}."
        )
    origin = {
        "file": file.name,
        "format": kind,
        "scaling": None if scaling is None else scaling.to_dict(),
        "outputs": outputs,
    }
    return ModelCard(classes=names, image_size=size, provenance={"loaded_from": origin})


def _size_of(model: Any, file: Path) -> tuple[int, int] | None:
    if not isinstance(model, RuntimeModel):
        return check_images(model, file, None)
    height, width = model.input_shape[1:3]
    return None if height is None or width is None else (height, width)


def _without_training_state(model: keras.Model) -> keras.Model:
    """Return a model with the same graph and layers that was never compiled."""
    # A model without a graph, or with several inputs, is saved as it is.
    if len(getattr(model, "inputs", None) or ()) != 1 or len(getattr(model, "outputs", None) or ()) != 1:
        return model
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
