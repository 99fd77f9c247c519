"""The lock is exclusive, and released when its process ends."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from breastcls.images import locking
from breastcls.images.locking import hold_lock
from support.platforms import POSIX


def test_a_second_holder_waits(tmp_path):
    events = []

    def second():
        with hold_lock(tmp_path / "lock"):
            events.append("second")

    with hold_lock(tmp_path / "lock"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.1)
        events.append("first")
    thread.join(10)
    assert events == ["first", "second"]


@POSIX
def test_a_killed_holder_lets_go(tmp_path):
    code = (
        "import sys, time, pathlib; from breastcls.images.locking import hold_lock\n"
        "with hold_lock(pathlib.Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait(10)
    holder.stdout.close()
    with hold_lock(tmp_path / "lock") as alone:
        assert alone


@POSIX
def test_a_file_system_without_locks_goes_on_without(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locking.fcntl, "flock", refuse)
    with hold_lock(tmp_path / "lock") as alone:
        assert not alone


@POSIX
def test_other_errors_are_raised(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(locking.fcntl, "flock", refuse)
    with pytest.raises(OSError, match="Input/output"), hold_lock(tmp_path / "lock"):
        pass
    assert os.listdir(tmp_path) == ["lock"]
