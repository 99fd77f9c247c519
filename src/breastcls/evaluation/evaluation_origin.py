"""When an evaluation was made, on which data, and by which versions of the packages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from breastcls.datasets.dataset import Dataset
from breastcls.environment import describe_environment
from breastcls.models.engines.engine_record import engine_title

# The packages that decide what a model computes, by their names in sentences.
_PACKAGES = {"tensorflow": "TensorFlow", "keras": "Keras"}
# Where Keras runs on another backend than TensorFlow.
_BACKENDS = {"jax": "JAX", "torch": "PyTorch"}


def describe_origin(
    test: Dataset | None, train: Dataset | None, engine: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return `date` (of today, UTC), the names of `test_data` and `train_data` where known, and `versions`.

    Args:
        test: The test images, if known.
        train: The training images, if known.
        engine: The record of the engine that ran the model, which is named among the versions, if known.
    """
    environment = describe_environment()
    backend = environment["backend"]
    names = {"test_data": test, "train_data": train}
    return {
        "date": datetime.now(UTC).date().isoformat(),
        **{key: data.name for key, data in names.items() if data is not None and data.name},
        "versions": {
            "breastcls": environment["breastcls"],
            "Python": environment["python"],
            **{title: environment["packages"][name] for name, title in _PACKAGES.items()},
            **({_BACKENDS[backend]: environment["packages"][backend]} if backend in _BACKENDS else {}),
            **({engine_title(engine["name"]): engine["version"]} if engine and engine["name"] != "keras" else {}),
        },
    }


def date_in_words(origin: Mapping[str, Any]) -> str:
    """Return the date of an evaluation, or "" where it is not recorded.

    Example:
        >>> date_in_words({"date": "2026-11-28"}), date_in_words({})
        ('28 November 2026', '')
    """
    if not origin.get("date"):
        return ""
    day = date.fromisoformat(str(origin["date"]))
    # Not `strftime`: the name of the month would follow the locale.
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def versions_in_words(origin: Mapping[str, Any]) -> str:
    """Return the versions of the packages, such as "breastcls 0.1.0, Python 3.11.7, TensorFlow 2.21.0, Keras 3.15.1".

    Example:
        >>> versions_in_words({"versions": {"breastcls": "0.1.0", "Keras": "3.15.1"}})
        'breastcls 0.1.0, Keras 3.15.1'
    """
    return ", ".join(f"{name} {version}" for name, version in (origin.get("versions") or {}).items())
