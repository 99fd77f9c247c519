"""The engine ONNX Runtime: networks in ONNX."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from breastcls.errors import ModelError
from breastcls.models.engines.engine_packages import check_file, find_version, import_onnxruntime, short_message
from breastcls.models.engines.network_ports import Port
from breastcls.models.engines.network_session import NetworkSession

_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


class OnnxSession(NetworkSession):
    """A network that ONNX Runtime runs on the processor.

    Args:
        runtime: An `onnxruntime.InferenceSession` with one input of images and one output (n, classes).
        source: What is opened, for messages.
    """

    engine = "onnxruntime"
    _package = "onnxruntime"

    def __init__(self, runtime: Any, source: object = "the network") -> None:
        inputs, outputs = ([_port(port) for port in ports] for ports in (runtime.get_inputs(), runtime.get_outputs()))
        super().__init__(runtime, source, inputs, outputs)
        [port] = runtime.get_inputs()
        if port.type not in _TYPES:
            raise ModelError(f"{source}: expected a network that takes float or uint8; found {port.type}.")
        self._name, self._dtype = port.name, _TYPES[port.type]

    @override
    def _compute(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        runtime = self._opened()
        try:
            [output] = runtime.run(None, {self._name: values})
        # The class of the error is not public.
        except Exception as error:
            raise ModelError(f"{self._source}: ONNX Runtime cannot run it: {short_message(error)}") from error
        return np.asarray(output, np.float32).reshape(len(values), -1)


def open_file(path: str | os.PathLike[str]) -> OnnxSession:
    """Open a network in ONNX.

    Args:
        path: The file, `.onnx`.

    Raises:
        ModelError: If ONNX Runtime is not installed, the file is missing, damaged or of another kind, its opset is not
            known to the installed ONNX Runtime, or the network is not one from images to (n, classes).
    """
    file = check_file(path)
    runtime = import_onnxruntime()
    options = runtime.SessionOptions()
    # Errors only: they are raised too, and warnings concern the optimisation of the graph.
    options.log_severity_level = 4
    try:
        opened = runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    # ONNX Runtime has a class of error for each of its status codes, none of which is public.
    except Exception as error:
        raise ModelError(
            f"ONNX Runtime {find_version('onnxruntime')} cannot open {file}: {short_message(error)} The file is "
            "damaged, of another kind, or its opset is newer than the installed version knows. Export the model again."
        ) from error
    return OnnxSession(opened, file)


def _port(port: Any) -> Port:
    # A dimension of any length has a name, or no value.
    return Port(port.name, tuple(side if isinstance(side, int) else None for side in port.shape))
