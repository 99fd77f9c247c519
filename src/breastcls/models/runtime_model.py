"""A model loaded from a file that another runtime than Keras runs: ONNX, OpenVINO, LiteRT, SavedModel."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

from breastcls.errors import ModelError
from breastcls.models.engines import litert_session, onnx_session, openvino_session, saved_model_session
from breastcls.models.engines.engine_packages import short_message
from breastcls.models.engines.session import Session, Shape
from breastcls.models.input_scaling import InputScaling
from breastcls.models.sidecar import hash_model

_OPEN: Mapping[str, Callable[[Path], Session]] = {
    "onnx": onnx_session.open_file,
    "openvino": openvino_session.open_file,
    "saved_model": saved_model_session.open_file,
}


class RuntimeModel:
    """A model that runs forward only. `predict`, `evaluate`, `measure_robustness` and occlusion maps take it.

    `load_model` makes it. It cannot be trained, saved or exported, and has no gradients: keep the `.keras` file for
    that. Several threads may use it at once. `get_card` and `set_card` work as for a Keras model.

    Args:
        session: The opened network.
        path: Its file.
        scaling: What the network expects to be applied to RGB images with values 0..255, or None.
        logits: Whether the outputs of the network are logits, of which softmax or sigmoid are computed here.
        image_size: (height, width) for a network that takes images of any size, or None.

    Attributes:
        session: The opened network, with the name and version of its engine.
        path: Its file.
        name: The name of the file without its suffix.
        input_shape: (None, height, width, 3).
        output_shape: (None, outputs).
        scaling_stated: Whether the input scaling was given, also as "none".
    """

    def __init__(
        self,
        session: Session,
        path: Path,
        *,
        scaling: InputScaling | None = None,
        logits: bool = False,
        image_size: tuple[int, int] | None = None,
    ) -> None:
        self.session, self.path, self.name = session, path, path.stem
        self.input_shape: Shape = (None, *_find_size(path, session.input_shape[1:3], image_size), 3)
        self.output_shape: Shape = session.output_shape
        self.scaling_stated = scaling is not None
        self._scaling, self._logits = scaling or InputScaling(), logits

    def run_batches(self, batches: Iterable[Any]) -> Iterator[npt.NDArray[Any]]:
        """Yield the probabilities float32 (b, outputs) for each batch of RGB images, values 0..255, in order.

        Args:
            batches: Arrays or tensors (b, height, width, 3), uint8 or float32.
        """
        scaled = (self._scaling.scale_array(np.asarray(batch)) for batch in batches)
        for output in self.session.run_batches(scaled):
            yield self._probabilities(output) if self._logits else output

    def hash_files(self) -> str:
        """Return a SHA-256 over the files of the model, in hexadecimal."""
        return hashlib.sha256(repr(sorted(hash_model(self.path).values())).encode()).hexdigest()

    def __repr__(self) -> str:
        return f"<RuntimeModel {self.path.name}: {self.session!r}>"

    @staticmethod
    def _probabilities(logits: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        wide = logits.astype(np.float64)
        return np.asarray(expit(wide) if wide.shape[1] == 1 else softmax(wide, axis=1), np.float32)


def open_runtime_file(file: Path, kind: str, *, is_intact: bool = False) -> Session:
    """Open a network in a file.

    Args:
        file: The file, or the folder of a SavedModel.
        kind: "onnx", "openvino", "litert" or "saved_model".
        is_intact: Whether the hash of the file was compared.

    Raises:
        ModelError: If the runtime is not installed, or the file is damaged or no network for images.
    """
    try:
        return litert_session.open_file(file, is_intact=is_intact) if kind == "litert" else _OPEN[kind](file)
    except ModelError:
        raise
    # A damaged file may have names that are no text, sizes below zero and so on, of which runtimes raise many errors.
    except Exception as error:
        raise ModelError(
            f"{file} cannot be opened: {short_message(error)} It is damaged; copy or export it again."
        ) from error


def require_keras(model: Any, purpose: str) -> None:
    """Refuse a model that runs forward only where the layers of a Keras model are needed.

    Args:
        model: A model.
        purpose: What it is needed for, the beginning of the message.

    Raises:
        ModelError: If it is a `RuntimeModel`.
    """
    if isinstance(model, RuntimeModel):
        raise ModelError(f"{purpose} needs a Keras model; {describe_runtime_model(model)}")


def describe_runtime_model(model: RuntimeModel) -> str:
    """Return the end of a message that a model was refused, and what to do."""
    return (
        f"{model.path.name} is a file for {model.session.engine}, which only runs forward. Load the '.keras' or '.h5' "
        "file that it was exported from."
    )


def _find_size(path: Path, sides: Shape, image_size: tuple[int, int] | None) -> Shape:
    if image_size is None:
        return sides
    if any(side not in (None, wanted) for side, wanted in zip(sides, image_size, strict=True)):
        raise ModelError(f"{path}: image_size={image_size}, but the network takes images of {sides} (height, width).")
    return image_size
