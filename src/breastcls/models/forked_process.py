"""A check for processes that were forked after TensorFlow had started: there no computation ends."""

from __future__ import annotations

import os
from functools import cache

from breastcls.errors import ModelError


def check_process() -> None:
    """Raise an error in a process that was forked after a model was built, loaded or used in its parent.

    A fork copies the state of TensorFlow but not its threads, so that the first operation would wait for them for ever.

    Raises:
        ModelError: If the process is such a fork.
    """
    if _process_of_tensorflow() != os.getpid():
        raise ModelError(
            f"This process ({os.getpid()}) was forked from process {_process_of_tensorflow()} after TensorFlow had "
            "started there. Its threads do not exist here, and a prediction would never end. Start the "
            "process by multiprocessing.get_context('spawn') (or 'forkserver'), and load the model in it."
        )


@cache
def _process_of_tensorflow() -> int:
    """Return the process in which this was called first; a fork inherits the value."""
    return os.getpid()
