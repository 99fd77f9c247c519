"""`keras.Model.export` on every backend of Keras: where it is not TensorFlow, in a process with TensorFlow.

The converters of Keras to ONNX, OpenVINO and LiteRT begin with a graph of TensorFlow. TensorFlow is installed with the
package on every backend, and a model has the same file on all of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from breastcls.errors import ModelError
from breastcls.models.engines.engine_packages import import_openvino, short_message
from breastcls.models.engines.openvino_outputs import drop_unused_outputs
from breastcls.models.keras_export import prepare_export
from breastcls.models.keras_files import load_keras_file

# The side of an image for a model that takes any size.
_ANY_SIDE = 128


def export_network(model: keras.Model, path: Path, export_format: str, **options: Any) -> None:
    """Write a model in a format of `keras.Model.export`, in the context of `prepare_export`.

    Args:
        model: The model; it was called before, as Keras requires.
        path: The file or folder.
        export_format: The format.
        **options: Further arguments of `keras.Model.export`, as JSON values; `signature=True` names the input after
            that of the model, float32, with any number of images.

    Raises:
        ModelError: If another process is needed and fails: it cannot load layers of the caller's own.
    """
    if keras.backend.backend() == "tensorflow":
        _export_here(model, path, export_format, dict(options))
        return
    with tempfile.TemporaryDirectory(prefix="breastcls-", ignore_cleanup_errors=True) as folder:
        source = Path(folder) / "model.keras"
        # Without its training state, which the other process could not load if it has objects of the caller's own.
        network = keras.Model(model.inputs, model.outputs, name=model.name) if model.compiled else model
        network.save(source)
        texts = [str(source), str(path), export_format, json.dumps(options)]
        environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}
        done = subprocess.run(
            [sys.executable, "-m", __name__, *texts], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"status {done.returncode}"]
            raise ModelError(f"in a process with TensorFlow: {lines[-1]}")


def _export_here(model: keras.Model, path: Path, export_format: str, options: dict[str, Any]) -> None:
    if export_format == "openvino":
        # Before Keras imports it: without telemetry.
        import_openvino()
    if options.pop("signature", False):
        shape, name = (None, *model.input_shape[1:]), model.inputs[0].name
        options["input_signature"] = [keras.InputSpec(dtype="float32", shape=shape, name=name)]
    model.export(str(path), format=export_format, verbose=False, **options)
    if export_format == "openvino":
        drop_unused_outputs(path)


def _export_file(source: str, path: str, export_format: str, options: str) -> int:
    try:
        model, _ = load_keras_file(Path(source), "keras", {}, safe_mode=True)
        model(np.zeros([1, *(_ANY_SIDE if side is None else side for side in model.input_shape[1:])], np.float32))
        with prepare_export(model, export_format, "Keras"):
            _export_here(model, Path(path), export_format, json.loads(options))
    # Keras, TensorFlow and each converter raise errors of many kinds; the last line is the message.
    except Exception as error:
        print(short_message(error).replace(source, "the model"), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_export_file(*sys.argv[1:]))
