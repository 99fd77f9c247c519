"""Files in the format of PyTorch before 1.6, damaged and manipulated; see `test_pytorch_file` for a whole one."""

from pathlib import Path

import numpy as np
import pytest

from breastcls.errors import WeightsError
from breastcls.models.checkpoints.pytorch_file import PyTorchFile

WHOLE = (Path(__file__).parents[2] / "support" / "data" / "pytorch_tensors_legacy.pth").read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (WHOLE[:-3], "missing or too short"),
        (WHOLE[: WHOLE.index(b"little_endian")], "damaged|truncated|ran out"),
        (WHOLE.replace(b"little_endianq\x02\x88", b"little_endianq\x02\x89", 1), "little-endian"),
        (WHOLE.replace(b"ctorch._utils\n_rebuild_tensor_v2\n", b"cos\nsystem\n", 1), r"os\.system"),
        (WHOLE.replace(b"M\xe9\x03.", b"M\xea\x03.", 1), "before 1.6"),
    ],
)
def test_what_is_not_whole_or_does_more_is_refused(tmp_path, content, message):
    assert content != WHOLE
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        PyTorchFile(path)


def test_an_array_of_another_length_is_refused(tmp_path):
    # The number of elements stands before each array.
    values = np.arange(12, dtype="<f4").tobytes()
    first = WHOLE.index(values)
    path = tmp_path / "w.pth"
    path.write_bytes(WHOLE[: first - 8] + (5).to_bytes(8, "little") + WHOLE[first:])
    with pytest.raises(WeightsError, match="missing or too short"):
        PyTorchFile(path)
