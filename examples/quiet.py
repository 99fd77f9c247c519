"""Import TensorFlow without its start-up messages, so that the output of an example is readable."""

from __future__ import annotations

import logging
import os


def start_tensorflow_quietly() -> None:
    """Import TensorFlow with standard error discarded meanwhile; exceptions are raised as usual."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # oneDNN is faster on processors on which TensorFlow does not use it by default. The results record the setting.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    # Some messages come from compiled code before any log level is read, so the file descriptor is redirected.
    os.dup2(nowhere, 2)
    try:
        import tensorflow  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
