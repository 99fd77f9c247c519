"""Scripts in processes of their own that need not load TensorFlow again: a server loads it once and is forked for each.

TensorFlow looks for no device before its first operation, so a script finds it as a new process does.
"""

import functools
import multiprocessing
import os
import runpy
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


@functools.cache
def _server() -> Any:
    # Windows has none.
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["tensorflow", "breastcls.training.fit", "breastcls.models.building"])
    return server


class ForkedScript:
    """A script that runs, with what it printed, errors too."""

    def __init__(self, script: Path, arguments: Sequence[object], output: Path, environment: Mapping[str, str]):
        self._output = output
        output.write_text("", encoding="utf-8")
        given = (str(script), [*map(str, arguments)], str(output), dict(environment))
        self.process = _server().Process(target=_run, args=given)
        self.process.start()

    @property
    def printed(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def wait_for(self, text: str) -> None:
        """Wait until the script has printed `text`."""
        while text not in self.printed:
            assert self.process.is_alive() or text in self.printed, self.printed
            time.sleep(0.01)

    def finish(self, timeout: float = 600) -> int:
        """Return the exit code, or minus the signal that ended it; no process outlives the test."""
        self.process.join(timeout)
        self.process.kill()
        self.process.join()
        return self.process.exitcode


def _run(script: str, arguments: list[str], output: str, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    descriptor = os.open(output, os.O_WRONLY | os.O_APPEND)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    sys.argv = [script, *arguments]
    sys.path.insert(0, str(Path(script).parent))
    runpy.run_path(script, run_name="__main__")
