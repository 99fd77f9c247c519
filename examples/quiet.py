"""Start TensorFlow without its chatter, so that what an example prints can be read."""

from __future__ import annotations

import logging
import os


def start_tensorflow_quietly() -> None:
    """Import TensorFlow with everything that it says on standard error left out; its errors are raised as ever."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    # Some of it comes from compiled code before any log level is read, so the stream itself is turned away.
    os.dup2(nowhere, 2)
    try:
        import tensorflow  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
