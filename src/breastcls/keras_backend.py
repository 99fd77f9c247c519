"""The backend of Keras in this process: which one is chosen, and whether it can be used."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

from breastcls.errors import BackendError

# The module of each backend on which Keras trains, and how it is installed.
_BACKENDS = {
    "tensorflow": ("tensorflow", "pip install breastcls"),
    "jax": ("jax", 'pip install "breastcls[jax]"'),
    "torch": ("torch", "pip install torch"),
}
BACKENDS = tuple(_BACKENDS)
"""The backends of Keras on which breastcls runs."""


def find_backend() -> str:
    """Return the name of the backend that Keras uses, or that it will use once it is imported.

    Keras reads the environment variable `KERAS_BACKEND`, or else the file `keras.json` in the folder `KERAS_HOME`
    (`~/.keras` by default), when it is imported, and uses TensorFlow without them. It is not imported here.
    """
    return _choose()[0]


def check_backend() -> None:
    """Check that the backend that is chosen for Keras is supported and installed, before Keras is imported.

    Raises:
        BackendError: If it is not.
    """
    name, source = _choose()
    if name not in _BACKENDS:
        raise BackendError(
            f"{source} is {name!r}; expected one of {', '.join(BACKENDS)}. Set the environment variable KERAS_BACKEND "
            "before Python is started, or remove it to use TensorFlow."
        )
    module, installation = _BACKENDS[name]
    if module not in sys.modules and importlib.util.find_spec(module) is None:
        raise BackendError(
            f"{source} is {name!r}, but the package {module} is not installed. Install it with: {installation}; or "
            "choose another backend by the environment variable KERAS_BACKEND before Python is started."
        )


def _choose() -> tuple[str, str]:
    """Return the name of the backend and what chose it."""
    keras = sys.modules.get("keras")
    if keras is not None and hasattr(keras, "config"):
        return str(keras.config.backend()), "The backend of Keras"
    # An empty variable counts as none.
    if name := os.environ.get("KERAS_BACKEND"):
        return name, "The environment variable KERAS_BACKEND"
    path = Path(os.environ.get("KERAS_HOME", _default_folder()), "keras.json").expanduser()
    try:
        return str(json.loads(path.read_text(encoding="utf-8")).get("backend", "tensorflow")), f"'backend' in {path}"
    except (OSError, ValueError, AttributeError):
        return "tensorflow", "The backend of Keras"


def _default_folder() -> Path:
    home = Path("~").expanduser()
    return (home if os.access(home, os.W_OK) else Path("/tmp")) / ".keras"
