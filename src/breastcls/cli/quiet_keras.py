"""Importing Keras without the messages of TensorFlow, and the environment variables that TensorFlow reads then."""

from __future__ import annotations

import logging
import os
import sys

from breastcls.keras_backend import check_backend


def choose_environment() -> dict[str, str]:
    """Return the environment variables of TensorFlow that a command sets, those that the user has set unchanged.

    oneDNN's kernels are faster on processors on which TensorFlow does not use them by itself, and they give other bits.
    """
    return {name: os.environ.get(name, "1") for name in ("TF_ENABLE_ONEDNN_OPTS",)}


def import_keras_quietly() -> None:
    """Set the environment variables and import Keras; errors are raised as usual.

    After an import of TensorFlow the variables have no effect, and they are left as they are.

    Raises:
        BackendError: If the backend that is chosen for Keras is not supported or not installed.
    """
    if "tensorflow" in sys.modules:
        return
    check_backend()
    os.environ.update(choose_environment())
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    sys.stderr.flush()
    stderr, devnull = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    # Compiled code prints some messages before any log level is read, so the stream itself is redirected.
    os.dup2(devnull, 2)
    try:
        import keras  # noqa: F401
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(devnull)
