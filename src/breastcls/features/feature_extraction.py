"""`extract_features`: the vectors of images, computed by any encoder, as a dataset and a file."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls._version import __version__
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_argument import require_dataset
from breastcls.datasets.vectors.vector_archive import write_vectors
from breastcls.datasets.vectors.vector_checks import check_vectors
from breastcls.datasets.vectors.vector_rows import VectorRows, VectorSource
from breastcls.errors import DatasetError, ModelError
from breastcls.features.engine_features import open_feature_session
from breastcls.features.frozen_inference import compile_frozen
from breastcls.images.progress_bar import progress_bar
from breastcls.models.building import build_model
from breastcls.models.card_normalizer import find_normalizer
from breastcls.models.engines.choose_engine import AUTO, KERAS, choose_automatically
from breastcls.models.engines.engine_registry import ENGINES
from breastcls.models.model_card import ModelCard, get_card
from breastcls.models.model_parts import split_model
from breastcls.models.output_layer import find_last_activation
from breastcls.models.runtime_model import RuntimeModel
from breastcls.models.weight_hash import hash_weights
from breastcls.models.weights_licence import weights_licence

_ANY_CLASSES = ("first", "second")


def extract_features(
    encoder: str | keras.Model | RuntimeModel,
    data: Dataset,
    *,
    output: str | os.PathLike[str] | None = None,
    batch_size: int = 32,
    engine: str = KERAS,
    progress: bool | None = None,
) -> Dataset:
    """Compute the vectors of images, and return a dataset with them.

    The dataset with `vectors` can be used for training and evaluation as often as needed, without the encoder.
    `load_embeddings` reads the written file again.

    Args:
        encoder: The name of a backbone of `list_backbones()`, with its default weights and its default image size; a
            Keras model: of one of `build_model`, or another with a nested backbone, the features in front of its head
            are taken, of one that ends in a dense layer with softmax or sigmoid the input of that layer, and of any
            other its output; or a `RuntimeModel`, whose output is taken. Feature maps are averaged over their
            positions.
        data: The images.
        output: A file `.npz` to write the vectors to, with the ids of the images (their paths relative to
            `data.root`) and the record of the encoder. It is written at the end, atomically.
        batch_size: Images at a time.
        engine: `"keras"`, `"openvino"`, `"onnxruntime"` or `"auto"`; see `breastcls.models.open_session`. All compute
            in float32.
        progress: Whether to show a progress bar; by default if standard error is a terminal.

    Returns:
        The dataset with `vectors`, float32 (n, d). Its attribute `encoder` records the name, the weights (SHA-256), the
        image size, the resize mode and the stain normalizer.

    Raises:
        DatasetError: If `data` is no dataset, has no image files, or `output` does not end in `.npz`.
        ModelError: If the encoder does not take images, or gives neither vectors nor feature maps.
        RegistryError: If there is no such backbone or engine.
        TrainingError: If the engine cannot run the encoder.
        ImageError: If an image cannot be read.
        OutputError: If the file cannot be written.

    Example:
        >>> data = extract_features("mobilenet", train, output="features.npz")  # doctest: +SKIP
        >>> data.vectors.shape  # doctest: +SKIP
        (571, 1024)
    """
    require_dataset("data", data)
    if output is not None:
        _check_output(output)
    if isinstance(encoder, str):
        encoder = build_model(encoder, classes=data.classes if len(data.classes) > 1 else _ANY_CLASSES)
    card = get_card(encoder)
    runtime = isinstance(encoder, RuntimeModel)
    network = encoder if runtime else find_features(encoder)
    shape: Any = network.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] != 3 or None in shape[1:3]:
        raise ModelError(f"An encoder takes images (n, height, width, 3) of a fixed size; this one takes {shape}.")
    if not len(data) or not data.has_images:
        raise DatasetError("There are no images to compute vectors of: the rows of the dataset have no image files.")
    size = (int(shape[1]), int(shape[2]))
    chosen = choose_automatically()[0] if engine == AUTO else engine
    if chosen != KERAS:
        ENGINES[chosen]
    batches = _open_images(data, card, size, batch_size)
    parts = []
    with progress_bar("Computing vectors", len(data), progress) as advance:
        for part in _run(network, batches, batch_size, KERAS if runtime else chosen):
            parts.append(_pool(part))
            for _ in part:
                advance()
    vectors = np.concatenate(parts)
    vectors, _ = check_vectors(vectors, "The output of the encoder", data.paths)
    record = _describe(encoder, network, card, size, chosen)
    if output is not None:
        write_vectors(output, vectors, data.relative_paths, record)
    return dataclasses.replace(data, vector_rows=VectorRows(VectorSource(vectors, record, has_images=True)))


def find_features(model: Any) -> keras.Model:
    """Return the part of a model in front of its head, or the model itself if it has no head.

    Raises:
        ModelError: If it is no functional Keras model.
    """
    if not isinstance(model, keras.Model):
        raise ModelError(
            f"encoder must be the name of a backbone, a Keras model or a RuntimeModel; found {type(model).__name__}."
        )
    try:
        return split_model(model)[0]
    except ModelError:
        last = model.layers[-1]
        if find_last_activation(model) not in ("softmax", "sigmoid"):
            return model
        dense = next((layer for layer in model.layers[:-3:-1] if isinstance(layer, keras.layers.Dense)), None)
        if dense is None:
            raise ModelError(
                f"The model {model.name!r} ends with {type(last).__name__!r} after no dense layer, so its features are "
                "not known. Pass keras.Model(model.inputs[0], layer.output)."
            ) from None
        return keras.Model(model.inputs[0], dense.input, name="features")


def _check_output(output: str | os.PathLike[str]) -> None:
    if not os.fspath(output).lower().endswith(".npz"):
        raise DatasetError(f"output={os.fspath(output)!r}: vectors are written to a file .npz, with their ids.")


def _open_images(data: Dataset, card: ModelCard | None, size: tuple[int, int], batch_size: int) -> Iterator[Any]:
    pipeline = data.to_keras(size, batch_size=batch_size, resize=_resize_of(card), normalizer=find_normalizer(card))
    return (pipeline[number][0] for number in range(len(pipeline)))


def _resize_of(card: ModelCard | None) -> str:
    return (None if card is None else card.resize) or "stretch"


def _run(network: Any, batches: Iterator[Any], batch_size: int, engine: str) -> Iterator[npt.NDArray[np.float32]]:
    if isinstance(network, RuntimeModel):
        yield from network.run_batches(batches)
    elif engine == KERAS:
        run = compile_frozen(network, batch_size)
        for batch in batches:
            yield run(np.asarray(batch))
    else:
        shape = network.output_shape[1:]
        with open_feature_session(network, engine) as session:
            for part in session.run_batches(batches):
                yield part.reshape(len(part), *shape)


def _pool(part: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    part = np.asarray(part, np.float32)
    if part.ndim not in (2, 4):
        raise ModelError(
            f"The encoder gives outputs of shape {part.shape}; expected vectors (n, d) or feature maps (n, rows, "
            "columns, channels)."
        )
    return part if part.ndim == 2 else np.asarray(part.mean(axis=(1, 2), dtype=np.float64), np.float32)


def _describe(encoder: Any, network: Any, card: ModelCard | None, size: tuple[int, int], engine: str) -> dict[str, Any]:
    backbone = None if card is None else card.backbone
    return {
        "name": backbone or str(getattr(encoder, "name", type(encoder).__name__)),
        "options": dict(card.backbone_options) if card is not None else {},
        "weights": card.weights if card is not None else None,
        "weights_sha256": hash_weights(network),
        "licence": "" if card is None else weights_licence(vars(card)),
        "image_size": list(size),
        "resize": _resize_of(card),
        "stain": None if card is None else card.stain,
        "engine": encoder.session.engine if isinstance(encoder, RuntimeModel) else engine,
        "written_by": f"breastcls {__version__}",
    }
