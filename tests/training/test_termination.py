"""SIGTERM during training: a checkpoint after the step, and the exit status of the signal."""

import os
import signal
import threading

import keras
import numpy as np
import pytest

import breastcls as bc
from breastcls.errors import OutputError
from breastcls.images.locking import hold_folder
from breastcls.training import Logging
from breastcls.training.termination import EXIT_STATUS, Termination
from support.platforms import POSIX

pytestmark = POSIX

OPTIONS = {"epochs": 3, "batch_size": 8, "augment": "dihedral", "logging": Logging(progress=False)}


class Terminate(keras.callbacks.Callback):
    """Sends SIGTERM to this process at a step, counted over all epochs."""

    def __init__(self, at):
        super().__init__()
        self.left = at

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::breastcls.errors.TrainingWarning")
def test_a_terminated_run_writes_a_checkpoint_and_resumes_with_the_same_bits(parts, small, tmp_path):
    whole = small()
    bc.fit(whole, *parts[:2], **OPTIONS, callbacks=[Terminate(-1)], run_dir=tmp_path / "whole")
    steps = -(-len(parts[0]) // OPTIONS["batch_size"])
    assert steps >= 3
    # Within the second epoch, then at the last step of it.
    for at in (steps + 1, steps - 1):
        model = small()
        with pytest.raises(SystemExit) as exit_:
            bc.fit(model, *parts[:2], **OPTIONS, callbacks=[Terminate(at)], run_dir=tmp_path / "run", resume=True)
        assert exit_.value.code == EXIT_STATUS == 143
        assert list((tmp_path / "run" / "checkpoints").glob("epoch-*"))
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    resumed = small()
    run = bc.fit(resumed, *parts[:2], **OPTIONS, callbacks=[Terminate(-1)], run_dir=tmp_path / "run", resume=True)
    assert run.stopped == "all epochs done"
    for found, expected in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_handler_of_the_caller_and_other_threads_are_left_alone():
    seen = []
    signal.signal(signal.SIGTERM, lambda *_: seen.append(1))
    try:
        with Termination() as termination:
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert (seen, termination.received) == ([1], False)

    def enter():
        with Termination():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen[1] is signal.SIG_DFL


def test_outside_of_the_steps_the_signal_interrupts_at_once():
    with Termination() as termination, pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
    assert termination.received


def test_a_second_run_in_the_same_folder_is_refused(parts, small, tmp_path):
    (tmp_path / "run").mkdir()
    with hold_folder(tmp_path / "run") as free:
        assert free
        with pytest.raises(OutputError, match="Another process is training in"):
            bc.fit(small(), *parts[:2], **OPTIONS, run_dir=tmp_path / "run", resume=True)
