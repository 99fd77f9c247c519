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
from breastcls.models.engines.network_ports import Port
from breastcls.models.engines.network_session import NetworkSession

_SIGNATURE = "serving_default"


class SavedModelSession(NetworkSession):
    """The signature `serving_default` of a SavedModel.

    Args:
        loaded: What `tf.saved_model.load` returned.
        source: What is opened, for messages.
    """

    engine = "saved_model"
    _package = "tensorflow"

    def __init__(self, loaded: Any, source: object = "the network") -> None:
        signatures = getattr(loaded, "signatures", {})
        if _SIGNATURE not in signatures:
            raise ModelError(
                f"{source}: the SavedModel has the signatures {sorted(signatures)}; expected {_SIGNATURE!r}. Export it "
                "with keras.Model.export."
            )
        signature = signatures[_SIGNATURE]
        parts = signature.structured_input_signature[1], signature.structured_outputs
        inputs, outputs = ([Port(name, _shape(spec)) for name, spec in part.items()] for part in parts)
        # The signature alone holds only weak references to the variables of the model.
        super().__init__(loaded, source, inputs, outputs)
        [(self._name, spec)] = parts[0].items()
        self._dtype = spec.dtype.as_numpy_dtype

    @override
    def _compute(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        import tensorflow as tf

        loaded = self._opened()
        [output] = loaded.signatures[_SIGNATURE](**{self._name: tf.constant(values)}).values()
        return np.asarray(output, np.float32).reshape(len(values), -1)


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
