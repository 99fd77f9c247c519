"""The engine LiteRT (TensorFlow Lite): networks in its own format (`.tflite`)."""

from __future__ import annotations

import os
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from breastcls.errors import ModelError
from breastcls.models.engines.engine_packages import check_file, find_version, import_litert, short_message
from breastcls.models.engines.litert_check import check_in_process
from breastcls.models.engines.network_ports import Port
from breastcls.models.engines.network_session import NetworkSession

_INTEGERS = (np.dtype(np.uint8), np.dtype(np.int8), np.dtype(np.int16))


class LiteRtSession(NetworkSession):
    """A network that LiteRT runs on the processor.

    Args:
        interpreter: An `ai_edge_litert` interpreter with one input of images and one output.
        source: What is opened, for messages.
    """

    engine = "litert"
    _package = "ai-edge-litert"

    def __init__(self, interpreter: Any, source: object = "the network") -> None:
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        super().__init__(interpreter, source, [_port(one) for one in inputs], [_port(one) for one in outputs])
        self._input, self._output = inputs[0], outputs[0]
        self._dtype = np.dtype(self._input["dtype"])
        for port in (self._input, self._output):
            if port["dtype"] is not np.float32 and np.dtype(port["dtype"]) not in _INTEGERS:
                raise ModelError(f"{source}: expected float32 or quantised numbers; found {np.dtype(port['dtype'])}.")
        if any(np.dtype(port["dtype"]) in _INTEGERS for port in (self._input, self._output)):
            self.precision = "int8"
        self._shape: tuple[int, ...] = ()
        # An interpreter keeps the tensors of one computation.
        self._lock = Lock()

    @override
    def close(self) -> None:
        with self._lock:
            super().close()

    @override
    def to_input(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return super().to_input(_quantize(pixels, self._input))

    @override
    def _compute(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        with self._lock:
            interpreter = self._opened()
            try:
                if values.shape != self._shape:
                    self._shape = ()
                    interpreter.resize_tensor_input(self._input["index"], values.shape)
                    interpreter.allocate_tensors()
                    self._shape = values.shape
                interpreter.set_tensor(self._input["index"], values)
                interpreter.invoke()
                output = interpreter.get_tensor(self._output["index"])
            except (RuntimeError, ValueError) as error:
                raise ModelError(f"{self._source}: LiteRT cannot run it: {short_message(error)}") from error
        return _dequantize(output, self._output)


def open_file(path: str | os.PathLike[str], *, is_intact: bool = False) -> LiteRtSession:
    """Open a network in the format of LiteRT.

    Args:
        path: The file, `.tflite`.
        is_intact: Whether its hash was compared. Any other file is opened in a second process first, because a damaged
            one can end the process that opens it.

    Raises:
        ModelError: If LiteRT is not installed, the file is missing, damaged or of another kind, its operations are not
            known to the installed LiteRT, or the network is not one from images to (n, classes).
    """
    file = check_file(path)
    litert = import_litert()
    if not is_intact:
        check_in_process(file)
    try:
        # From memory the file is verified first. From a path it would be mapped, and could change while it is used.
        interpreter = litert.Interpreter(model_content=file.read_bytes(), num_threads=os.cpu_count())
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError, OSError) as error:
        text = short_message(error)
        hint = (
            "It needs operations of TensorFlow, which LiteRT does not contain: convert the model with built-in "
            "operations only, or to ONNX."
            if "Flex" in text or "TensorFlow ops" in text
            else "The file is damaged, of another kind, or was written by a newer version. Export the model again."
        )
        raise ModelError(
            f"LiteRT {find_version('ai-edge-litert')} cannot open {file}: {text.rstrip('.')}. {hint}"
        ) from error
    return LiteRtSession(interpreter, file)


def _port(details: Any) -> Port:
    signature = details.get("shape_signature")
    shape = details["shape"] if signature is None or not len(signature) else signature
    return Port(str(details["name"]), tuple(None if side < 0 else int(side) for side in shape))


def _quantize(pixels: npt.NDArray[Any], port: Any) -> npt.NDArray[Any]:
    dtype = np.dtype(port["dtype"])
    scale, zero = port["quantization"]
    if dtype not in _INTEGERS or not scale:
        return pixels
    limits = np.iinfo(dtype)
    values = np.round(pixels.astype(np.float32) / np.float32(scale)) + zero
    return np.asarray(np.clip(values, limits.min, limits.max))


def _dequantize(output: npt.NDArray[Any], port: Any) -> npt.NDArray[np.float32]:
    scale, zero = port["quantization"]
    values = output.reshape(len(output), -1)
    if np.dtype(port["dtype"]) not in _INTEGERS or not scale:
        return np.array(values, np.float32)
    return (values.astype(np.float32) - np.float32(zero)) * np.float32(scale)
