"""SHA-256 of predictions and of the tables of datasets, to check that two evaluations used the same."""

from __future__ import annotations

import hashlib

import numpy as np

from breastcls.datasets.dataset import Dataset
from breastcls.predictions.predictions import Predictions

# Folders differ between machines; the name of a file and its metadata do not.
TABLE_COLUMNS = ("label", "case", "slide", "magnification", "subtype")


def fingerprint_predictions(predictions: Predictions) -> str:
    """Return a SHA-256 of the probabilities, labels and cases, in their order.

    Example:
        >>> some = Predictions.from_arrays(probabilities=[0.75], labels=[1], classes=("no", "yes"))
        >>> fingerprint_predictions(some)[:12]
        'f69bdc1b62f5'
    """
    digest = hashlib.sha256("\n".join(predictions.classes).encode())
    digest.update(np.ascontiguousarray(predictions.probabilities, dtype="<f4").tobytes())
    digest.update(np.ascontiguousarray(predictions.labels, dtype="<i8").tobytes())
    if predictions.cases is not None:
        digest.update("\n".join(map(str, predictions.cases)).encode())
    return digest.hexdigest()


def fingerprint_table(data: Dataset) -> str:
    """Return a SHA-256 of a dataset's table: file names, classes, cases, slides and so on, in their order.

    The pixels are not read, and folders are ignored.
    """
    digest = hashlib.sha256("\n".join(data.classes).encode())
    names = [path.replace("\\", "/").rsplit("/", 1)[-1] for path in data.paths]
    digest.update("\n".join(names).encode("utf-8", "surrogateescape"))
    for column in TABLE_COLUMNS:
        values = data.table[column].astype(object).where(data.table[column].notna(), "")
        digest.update(("\n" + "\n".join(map(str, values))).encode())
    return digest.hexdigest()
