import numpy as np
import pytest

from breastcls.errors import TrainingError, TrainingWarning
from breastcls.training.checkpointing.checkpoints import Checkpoint, Checkpoints
from breastcls.training.checkpointing.resume_point import ResumePoint, find_resume_point
from support.checkpoint_states import PHASE_META, STEP_META


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path)


def keep_phase(checkpoints, number, epoch):
    return checkpoints.write(f"phase-{number}", Checkpoint({"model": [np.zeros(2)]}, {**PHASE_META, "epoch": epoch}))


def keep_step(checkpoints, phase, epoch, whole):
    state = Checkpoint({"learner": [np.zeros(2)]}, {**STEP_META, "phase": phase, "epoch": epoch, "whole": whole})
    return checkpoints.write_step(epoch, 0, state)


def test_nothing_kept_is_the_beginning(checkpoints):
    assert find_resume_point(checkpoints, unchanged=False) == ResumePoint()


def test_the_newest_state_and_the_beginning_of_its_phase(checkpoints):
    for number, epoch in ((0, 0), (1, 3)):
        keep_phase(checkpoints, number, epoch)
    keep_step(checkpoints, 1, 4, whole=False)
    found = find_resume_point(checkpoints, unchanged=False)
    assert (found.phase, found.start.meta["epoch"], found.step.meta["epoch"]) == (1, 3, 4)


@pytest.mark.parametrize("phase", [0, 1])
def test_a_state_that_holds_all_weights_needs_no_beginning(checkpoints, phase):
    for number in range(phase + 1):
        keep_phase(checkpoints, number, number).write_bytes(b"")
    keep_step(checkpoints, phase, 4, whole=True)
    with pytest.warns(TrainingWarning, match=rf"phase-{phase}\.npz cannot be read") as warned:
        found = find_resume_point(checkpoints, unchanged=False)
    assert (found.phase, found.start, found.step.meta["epoch"]) == (phase, None, 4)
    assert len(warned) == 1


def test_the_model_as_it_is_given_stands_for_the_first_beginning(checkpoints):
    keep_phase(checkpoints, 0, 0).write_bytes(b"")
    keep_step(checkpoints, 0, 2, whole=False)
    with pytest.warns(TrainingWarning, match=r"phase-0\.npz cannot be read"):
        found = find_resume_point(checkpoints, unchanged=True)
    assert (found.phase, found.start, found.step.meta["epoch"]) == (0, None, 2)


def test_a_lost_beginning_goes_back_by_a_phase_and_says_to_which_epoch(checkpoints):
    keep_phase(checkpoints, 0, 0)
    keep_phase(checkpoints, 1, 3)
    keep_phase(checkpoints, 2, 7).write_bytes(b"")
    keep_step(checkpoints, 2, 9, whole=False)
    with (
        pytest.warns(TrainingWarning, match=r"phase-2\.npz cannot be read"),
        pytest.warns(TrainingWarning, match="repeated from epoch 4"),
    ):
        found = find_resume_point(checkpoints, unchanged=False)
    assert (found.phase, found.start.meta["epoch"], found.step) == (1, 3, None)


def test_lost_steps_begin_the_phase_anew(checkpoints):
    keep_phase(checkpoints, 0, 0)
    keep_step(checkpoints, 0, 2, whole=True).write_bytes(b"")
    with (
        pytest.warns(TrainingWarning, match="cannot be read"),
        pytest.warns(TrainingWarning, match="repeated from epoch 1"),
    ):
        found = find_resume_point(checkpoints, unchanged=False)
    assert (found.phase, found.start.meta["epoch"], found.step) == (0, 0, None)


def test_another_model_is_not_taken_for_the_one_it_began_with(checkpoints):
    keep_phase(checkpoints, 0, 0).write_bytes(b"")
    keep_step(checkpoints, 0, 2, whole=False)
    with pytest.warns(TrainingWarning, match="cannot be read"), pytest.raises(TrainingError, match="initial weights"):
        find_resume_point(checkpoints, unchanged=False)
