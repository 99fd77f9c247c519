"""An argument that must be a dataset."""

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
