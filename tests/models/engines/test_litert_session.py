"""LiteRT: quantized inputs, and files that end the process which opens them."""

from pathlib import Path

import numpy as np
import pytest

from breastcls.errors import ModelError
from breastcls.models.engines import litert_check
from breastcls.models.engines.litert_session import LiteRtSession, open_file

# A file with four changed bytes that ended the process in LiteRT 2.3.
DAMAGED = Path(__file__).parents[2] / "support" / "data" / "damaged.tflite"


def test_a_file_that_ends_the_process_is_refused():
    with pytest.raises(ModelError, match=r"damaged\.tflite"):
        open_file(DAMAGED)


@pytest.mark.parametrize(
    ("program", "message"), [("import os; os.abort()", "ended its process"), ("import time; time.sleep(9)", "in 1 s")]
)
def test_the_second_process_is_judged_by_its_end(monkeypatch, program, message):
    monkeypatch.setattr(litert_check, "_PROGRAM", program)
    monkeypatch.setattr(litert_check, "_SECONDS", 1)
    with pytest.raises(ModelError, match=message):
        litert_check.check_in_process(DAMAGED)


class Quantized:
    """An interpreter whose network adds up the channels of the first pixel, quantized by halves and quarters."""

    scale, zero = 0.5, 10

    def get_input_details(self):
        return [self._details("image", [1, 2, 2, 3], np.uint8, (self.scale, self.zero))]

    def get_output_details(self):
        return [self._details("scores", [1, 2], np.int8, (0.25, -4))]

    def _details(self, name, shape, dtype, quantization):
        return {"name": name, "index": 0, "shape": np.array(shape), "dtype": dtype, "quantization": quantization}

    def resize_tensor_input(self, index, shape):
        assert shape == (1, 2, 2, 3)

    def allocate_tensors(self):
        pass

    def set_tensor(self, index, values):
        assert values.dtype == np.uint8
        self._real = (values.astype(float) - self.zero) * self.scale

    def invoke(self):
        pass

    def get_tensor(self, index):
        total = self._real[:, 0, 0].sum(axis=-1)
        return np.stack([total / 0.25 - 4, 0 * total - 4], axis=1).round().astype(np.int8)


def test_quantized_numbers_are_converted():
    session = LiteRtSession(Quantized())
    images = np.zeros((3, 2, 2, 3), np.float32)
    images[:, 0, 0, 0] = [1, 2.5, 3]
    np.testing.assert_allclose(session.run(images), [[1, 0], [2.5, 0], [3, 0]])
    assert session.precision == "int8"
