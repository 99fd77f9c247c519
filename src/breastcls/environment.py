"""The software and hardware environment of a computation: versions of packages, Python, system and processors."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from breastcls._version import __version__
from breastcls.keras_backend import find_backend

_PACKAGES = (
    "tensorflow",
    "keras",
    "keras-cv",
    "numpy",
    "pandas",
    "scikit-learn",
    "scipy",
    "opencv-python-headless",
    "matplotlib",
)


def describe_environment() -> dict[str, Any]:
    """Return versions of packages and Python, the system, the processors, Keras' backend and the switch of oneDNN.

    The switch is the environment variable `TF_ENABLE_ONEDNN_OPTS`, which TensorFlow reads when it is imported: "1" and
    "0" give other bits on some processors. "default" is TensorFlow's own choice, which depends on the processor.

    Nothing in it identifies the machine or its user.

    Example:
        >>> sorted(describe_environment())
        ['backend', 'breastcls', 'onednn', 'packages', 'processors', 'python', 'system']
    """
    backend = find_backend()
    packages = dict.fromkeys((*_PACKAGES, backend))
    return {
        "breastcls": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
        "backend": backend,
        "packages": {name: _find_version(name) for name in packages},
    }


def _find_version(name: str) -> str:
    """Return the version of a package; TensorFlow without GPU code is a package of another name."""
    for package in (name, f"{name}-cpu"):
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return "not installed"
