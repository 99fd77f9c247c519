"""Arguments that must be datasets."""

import pytest

from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_argument import require_dataset, require_labelled
from breastcls.errors import DatasetError


@pytest.mark.parametrize("value", [None, "folder", [1], ("a.png",)])
def test_other_values_are_named_with_what_makes_a_dataset(value):
    with pytest.raises(DatasetError, match=rf"train must be a Dataset; found {type(value).__name__}\. load_breakhis"):
        require_dataset("train", value)


def test_a_dataset_without_labels_is_one_but_not_labelled():
    data = Dataset.from_columns((), path=["a.png"])
    require_dataset("train", data)
    with pytest.raises(DatasetError, match=r"Training \(argument 'train'\) needs labels, and these 1 image has none"):
        require_labelled("train", data, "Training")
    require_labelled("train", Dataset.from_columns(("b", "m"), path=["a.png"], label=["b"], case=["1"]), "Training")
