"""The engine TensorFlow for SavedModel folders. Such a model is a program: open only what you trust."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from breastcls.errors import ModelError
from breastcls.models.engines.engine_packages import find_version, short_message
from breastcls.models.engines.network_ports import Port, check_ports
from breastcls.models.engines.session import Session, as_pixels, compute_in_parts

_SIGNATURE = "serving_default"


class SavedModelSession(Session):
    """The signature `serving_default` of a SavedModel.

    Args:
        loaded: What `tf.saved_model.load` returned.
        source: What is opened, for messages.
    """

    engine = "saved_model"

    def __init__(self, loaded: Any, source: object = "the network") -> None:
        self.version = find_version("tensorflow")
        self._source = source
        # The signature holds only weak references to the variables of the model.
        self._loaded = loaded
        signatures = getattr(loaded, "signatures", {})
        if _SIGNATURE not in signatures:
            raise ModelError(
                f"{source}: the SavedModel has the signatures {sorted(signatures)}; expected {_SIGNATURE!r}. Export it "
                "with keras.Model.export."
            )
        self._signature: Any = signatures[_SIGNATURE]
        specs = self._signature.structured_input_signature[1]
        outputs = self._signature.structured_outputs
        ports = [[Port(name, _shape(spec)) for name, spec in part.items()] for part in (specs, outputs)]
        self.input_shape, self.output_shape, self._channels_first = check_ports(source, *ports)
        [(self._name, spec)] = specs.items()
        self._type = spec.dtype.as_numpy_dtype
        self._batch_size = ports[0][0].shape[0]

    @override
    def run(self, batch: npt.ArrayLike) -> npt.NDArray[np.float32]:
        pixels = as_pixels(batch, self)
        if self._channels_first:
            pixels = pixels.transpose(0, 3, 1, 2)
        pixels = np.ascontiguousarray(pixels, self._type)
        return compute_in_parts(pixels, self._batch_size, self._compute)

    @override
    def close(self) -> None:
        self._loaded = self._signature = None

    def _compute(self, pixels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        import tensorflow as tf

        if self._signature is None:
            raise ModelError(f"{self._source}: the session was closed. Open it again.")
        [output] = self._signature(**{self._name: tf.constant(pixels)}).values()
        return np.asarray(output, np.float32).reshape(len(pixels), -1)


def open_file(path: str | os.PathLike[str]) -> SavedModelSession:
    """Open a SavedModel. It is a program of TensorFlow, which can read and write files: open only what you trust.

    Args:
        path: The folder.

    Raises:
        ModelError: If there is no SavedModel, it is damaged or needs operations that are not known, or it is not a
            network from images to (n, classes).
    """
    import tensorflow as tf

    folder = Path(path)
    try:
        loaded = tf.saved_model.load(str(folder))
    # TensorFlow raises errors of many classes for damaged files.
    except Exception as error:
        raise ModelError(
            f"TensorFlow {find_version('tensorflow')} cannot load the SavedModel {folder}: {short_message(error)} It "
            "is damaged or was written by a newer version. Export the model again."
        ) from error
    return SavedModelSession(loaded, folder)


def _shape(spec: Any) -> tuple[int | None, ...]:
    return () if spec.shape.rank is None else tuple(spec.shape.as_list())
