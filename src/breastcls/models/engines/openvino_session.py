"""The engine OpenVINO: networks in its own format (`.xml` and `.bin`)."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Iterable, Iterator
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from breastcls.errors import ModelError
from breastcls.models.engines.engine_packages import check_file, find_version, short_message
from breastcls.models.engines.network_ports import Port
from breastcls.models.engines.network_session import NetworkSession
from breastcls.models.engines.openvino_core import open_core


class OpenVinoSession(NetworkSession):
    """A network that OpenVINO runs on the processor, in float32 unless its weights are quantised.

    Args:
        network: An `openvino.Model` with one input of images and one output (n, classes).
        source: What is opened, for messages.
    """

    engine = "openvino"
    _package = "openvino"

    def __init__(self, network: Any, source: object = "the network") -> None:
        inputs, outputs = ([_port(port) for port in ports] for ports in (network.inputs, network.outputs))
        super().__init__(network, source, inputs, outputs)
        if any(node.get_type_name() == "FakeQuantize" for node in network.get_ops()):
            self.precision = "int8"
        self._compiled: dict[tuple[str, str], _Requests] = {}
        self._lock = Lock()

    @override
    def to_input(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        # The compiled network converts them.
        return pixels

    @override
    def _compute(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        # All threads of the processor work on this batch.
        requests = self._requests("LATENCY", values)
        request = requests.take()
        try:
            request.infer([values], share_inputs=True)
            return _output(request)
        except RuntimeError as error:
            raise ModelError(f"{self._source}: OpenVINO cannot run it: {short_message(error)}") from error
        finally:
            requests.give(request)

    @override
    def run_batches(self, batches: Iterable[Any]) -> Iterator[npt.NDArray[Any]]:
        if self._batch_size is not None:
            yield from super().run_batches(batches)
            return
        remaining = iter(batches)
        begun = list(itertools.islice(remaining, 2))
        if len(begun) == 1:
            # All threads of the processor work on the only batch.
            yield self.run(begun[0])
            return
        running: deque[tuple[_Requests, Any, npt.NDArray[Any]]] = deque()
        try:
            for batch in itertools.chain(begun, remaining):
                pixels = self._as_pixels(batch)
                # The threads of the processor work on different batches, while the next one is read.
                requests = self._requests("THROUGHPUT", pixels)
                request = requests.take()
                # The pixels are stored with the request, which does not copy them.
                running.append((requests, request, pixels))
                request.start_async([pixels], share_inputs=True)
                if len(running) > requests.parallel:
                    yield _finish(running)
            while running:
                yield _finish(running)
        finally:
            while running:
                _finish(running)

    @override
    def close(self) -> None:
        super().close()
        self._compiled.clear()

    def _requests(self, hint: str, pixels: npt.NDArray[Any]) -> _Requests:
        """Return the requests of the network compiled for a hint and a type of pixels, each compiled when needed."""
        key = (hint, pixels.dtype.name)
        with self._lock:
            if key not in self._compiled:
                self._compiled[key] = _Requests(self._compile(*key))
            return self._compiled[key]

    def _compile(self, hint: str, dtype: str) -> Any:
        import openvino
        from openvino.preprocess import PrePostProcessor

        steps = PrePostProcessor(self._opened().clone())
        steps.input().tensor().set_element_type(openvino.Type.u8 if dtype == "uint8" else openvino.Type.f32)
        if self._channels_first:
            steps.input().tensor().set_layout(openvino.Layout("NHWC"))
            steps.input().model().set_layout(openvino.Layout("NCHW"))
        steps.output().tensor().set_element_type(openvino.Type.f32)
        # On processors with AVX512-BF16, OpenVINO would otherwise compute in bfloat16.
        # Threads that are bound to cores wait for each other where other programs use these cores.
        options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": hint, "ENABLE_CPU_PINNING": False}
        try:
            return open_core().compile_model(steps.build(), "CPU", options)
        except RuntimeError as error:
            raise ModelError(f"{self._source}: OpenVINO cannot compile it: {short_message(error)}") from error


class _Requests:
    """Inference requests of one compiled network; a request must not be used by two threads at once."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._free: SimpleQueue[Any] = SimpleQueue()
        self.parallel = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))

    def take(self) -> Any:
        try:
            return self._free.get_nowait()
        except Empty:
            return self._compiled.create_infer_request()

    def give(self, request: Any) -> None:
        self._free.put(request)


def open_file(path: str | os.PathLike[str]) -> OpenVinoSession:
    """Open a network in the format of OpenVINO.

    Args:
        path: The file, `.xml`, with the `.bin` file of the same name beside it.

    Raises:
        ModelError: If OpenVINO is not installed, the file is missing, damaged or of another kind, its operations are
            not known to the installed OpenVINO, or the network is not one from images to (n, classes).
    """
    file = check_file(path)
    check_file(file.with_suffix(".bin"))
    core = open_core()
    try:
        network = core.read_model(file)
    except RuntimeError as error:
        raise ModelError(
            f"OpenVINO {find_version('openvino')} cannot read {file}: {short_message(error)} The file is damaged, of "
            "another kind, or was written by a newer version. Export the model again."
        ) from error
    return OpenVinoSession(network, file)


def _port(port: Any) -> Port:
    shape = port.get_partial_shape()
    names = ", ".join(sorted(port.get_names())) or "unnamed"
    if shape.rank.is_dynamic:
        return Port(names, ())
    return Port(names, tuple(None if side.is_dynamic else side.get_length() for side in shape))


def _output(request: Any) -> npt.NDArray[np.float32]:
    # The next use of the request overwrites its own array.
    output = np.array(request.get_output_tensor().data, np.float32)
    return output.reshape(len(output), -1)


def _finish(running: deque[tuple[_Requests, Any, npt.NDArray[Any]]]) -> npt.NDArray[np.float32]:
    requests, request, _ = running.popleft()
    try:
        request.wait()
        output = _output(request)
    except RuntimeError as error:
        raise ModelError(f"OpenVINO cannot run the network: {short_message(error)}") from error
    requests.give(request)
    return output
