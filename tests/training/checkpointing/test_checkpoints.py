import numpy as np
import pytest

from breastcls.errors import TrainingWarning
from breastcls.training.checkpointing.checkpoints import Checkpoint, Checkpoints
from support.checkpoint_states import PHASE_META, STEP_META


def state(value):
    arrays = {"learner": [np.full((2, 3), value, np.float32), np.array(value)], "optimizer": [np.arange(12) * value]}
    return Checkpoint(arrays, {**STEP_META, "epoch": value})


def assert_same(found, expected):
    assert found.meta == expected.meta
    assert found.arrays.keys() == expected.arrays.keys()
    for name, values in expected.arrays.items():
        for got, want in zip(found.arrays[name], values, strict=True):
            assert got.dtype == want.dtype
            np.testing.assert_array_equal(got, want)


def test_what_was_written_is_read(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.write_step(3, 0, state(3))
    assert_same(Checkpoints(tmp_path).read_newest(), state(3))


def test_more_than_ten_arrays_keep_their_order(tmp_path):
    many = Checkpoint({"learner": [np.array(number) for number in range(25)]}, PHASE_META)
    checkpoints = Checkpoints(tmp_path)
    checkpoints.write("phase-0", many)
    assert [int(value) for value in checkpoints.read("phase-0").arrays["learner"]] == list(range(25))


def test_the_newest_two_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for epoch, step in ((1, 0), (1, 8), (1, 16), (2, 0), (10, 0)):
        checkpoints.write_step(epoch, step, state(epoch))
    names = sorted(path.name for path in checkpoints.folder.iterdir())
    assert names == ["epoch-000002-step-00000000.npz", "epoch-000010-step-00000000.npz"]
    assert checkpoints.read_newest().meta["epoch"] == 10


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "other"])
def test_a_damaged_one_is_named_and_the_one_before_is_taken(tmp_path, damage):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.write_step(1, 0, state(1))
    newest = checkpoints.write_step(2, 0, state(2))
    data = bytearray(newest.read_bytes())
    if damage == "flipped":
        data[data.find(np.full(6, 2, np.float32).tobytes()) + 1] ^= 1
    newest.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "flipped": data, "other": b"weights"}[damage])
    with pytest.warns(TrainingWarning, match=newest.name):
        found = checkpoints.read_newest()
    assert_same(found, state(1))


def test_objects_are_never_unpickled(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    np.savez(checkpoints.folder / "phase-0.npz", meta=np.array([{"format": 1}], dtype=object))
    with pytest.warns(TrainingWarning, match="allow_pickle=False"):
        assert checkpoints.read("phase-0") is None


def test_phases_are_counted_and_all_goes_at_the_end(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.newest_phase() is None
    assert checkpoints.read_newest() is None
    for number in (0, 2, 10):
        checkpoints.write(f"phase-{number}", state(number))
    checkpoints.write_step(1, 0, state(1))
    assert checkpoints.newest_phase() == 10
    checkpoints.remove_steps()
    assert checkpoints.read_newest() is None
    assert checkpoints.newest_phase() == 10
    checkpoints.remove()
    assert not checkpoints.folder.exists()
