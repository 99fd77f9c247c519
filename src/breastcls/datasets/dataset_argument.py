"""An argument that must be a dataset, with what a function needs of it."""

from __future__ import annotations

from breastcls.datasets.dataset import Dataset
from breastcls.errors import DatasetError


def require_dataset(name: str, value: object) -> None:
    """Check that an argument is a dataset.

    Args:
        name: Name of the argument.
        value: Its value.

    Raises:
        DatasetError: If it is not a dataset.
    """
    if not isinstance(value, Dataset):
        raise DatasetError(
            f"{name} must be a Dataset; found {type(value).__name__}. load_breakhis, load_idc and load_folder read one "
            "from a folder, load_table from a table."
        )


def require_labelled(name: str, value: object, purpose: str) -> None:
    """Check that an argument is a dataset with labels.

    Args:
        name: Name of the argument.
        value: Its value.
        purpose: What the labels are needed for, such as "Training".

    Raises:
        DatasetError: If it is not a dataset, or has no labels.
    """
    require_dataset(name, value)
    assert isinstance(value, Dataset)
    value.require_labels(f"{purpose} (argument {name!r})")
