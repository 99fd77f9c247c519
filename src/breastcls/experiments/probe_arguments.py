"""The arguments of `probe`, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from breastcls.argument_checks import check_count
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.dataset_argument import require_labelled
from breastcls.errors import TrainingError

HEADS = ("logistic", "knn", "nearest-mean")


def check_probe_data(data: object, baselines: Sequence[str]) -> dict[str, Dataset]:
    """Return the datasets of `probe` by the name of their encoder.

    Args:
        data: A dataset, or several by name.
        baselines: Names that no encoder may have.

    Raises:
        TrainingError: If there are none, a name is not valid, or a dataset has no vectors.
        DatasetError: If one is no `Dataset`, or has no labels or cases.
    """
    named: Mapping[Any, Any] = data if isinstance(data, Mapping) else {"vectors": data}
    if not named:
        raise TrainingError("data is an empty mapping; expected a Dataset with vectors, or several by name.")
    for name, one in named.items():
        if not isinstance(name, str) or name in baselines:
            raise TrainingError(f"An encoder is named {name!r}; expected text other than the name of a baseline.")
        require_labelled(f"data[{name!r}]" if isinstance(data, Mapping) else "data", one, "A probe")
        found = np.unique(one.labels)
        if len(found) < len(one.classes) or len(found) < 2:
            raise TrainingError(
                f"The images of {name!r} are of the classes {', '.join(one.classes[index] for index in found)}; "
                f"expected images of each of {', '.join(one.classes)}, and at least two classes."
            )
        if one.vectors is None:
            raise TrainingError(
                f"The images of {name!r} have no vectors. breastcls.features.extract_features(encoder, data) computes "
                "them, and breastcls.features.load_embeddings reads those of any other program."
            )
    return dict(named)


def check_probe_numbers(
    heads: Sequence[str], neighbours: int, few_shot: Sequence[int], draws: int, permutations: int
) -> None:
    """Raise `TrainingError` unless the heads are known and the numbers are whole and large enough."""
    if isinstance(heads, str) or not heads or set(heads) - set(HEADS):
        raise TrainingError(f"heads is {heads!r}; expected some of {', '.join(map(repr, HEADS))}, as a list.")
    whole: list[tuple[str, Any, int]] = [("neighbours", neighbours, 1), ("draws", draws, 1)]
    whole += [("permutations", permutations, 0), *(("few_shot", count, 1) for count in few_shot)]
    for name, value, least in whole:
        check_count(name, value, least, error=TrainingError)
