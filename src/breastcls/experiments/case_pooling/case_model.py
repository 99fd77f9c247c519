"""`CaseModel`: a classifier of cases on the pooled vectors of their images."""

from __future__ import annotations

import dataclasses
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.errors import TrainingError
from breastcls.experiments.case_pooling.attention_pooling import POOLINGS, Bags, Matrix, PoolingParameters
from breastcls.experiments.case_pooling.case_bags import CaseBags, make_bags
from breastcls.files import atomic_path
from breastcls.predictions.given_vectors import check_given_vectors, compare_encoders
from breastcls.predictions.predictions import Predictions
from breastcls.result import ShownInNotebook


@dataclass(frozen=True, eq=False)
class CaseModel(ShownInNotebook):
    """A classifier of cases: attention pooling, or the mean, over the vectors of their images, then a softmax layer.

    Attributes:
        parameters: The fitted parameters, on standardised vectors.
        mean: float64 (d,), subtracted from vectors.
        scale: float64 (d,), by which vectors are divided then.
        classes: Class names, the positive one last.
        penalty: The chosen penalty.
        scores: The log loss over held-out cases of each penalty that was tried; empty where there was no choice.
        encoder: The record of the encoder of the training vectors.
    """

    parameters: PoolingParameters
    mean: Matrix
    scale: Matrix
    classes: tuple[str, ...]
    penalty: float
    scores: Mapping[float, float] = field(default_factory=dict)
    encoder: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pooling(self) -> str:
        """How the images of a case are pooled: "mean", "attention" or "gated-attention"."""
        return self.parameters.pooling

    def predict(self, data: Dataset) -> Predictions:
        """Return the predictions of the cases of a dataset, one row per case.

        Raises:
            TrainingError: As `fit_case_model`, for data without vectors or with cases of several classes.
            EvaluationError: If the vectors are of another size or another encoder.
        """
        found = self._open(data)
        made = Predictions.from_arrays(
            probabilities=self.parameters.probabilities(found.bags),
            labels=found.labels if data.has_labels else None,
            cases=found.cases,
            classes=self.classes,
            distinct=True,
        )
        return dataclasses.replace(made, level="case", aggregation_method=None, distinct=data.distinct)

    def attend(self, data: Dataset) -> pd.DataFrame:
        """Return the attention: one row per image, in the order of the data.

        Returns:
            The columns `path`, `case`, `weight` (the weights of a case sum to 1) and `relative_weight` (times the
            number of images of the case: 1 is the weight in the mean).
        """
        found = self._open(data)
        weights = np.empty(len(data))
        weights[found.rows] = self.parameters.weights(found.bags)
        sizes = np.empty(len(data))
        sizes[found.rows] = np.repeat(found.bags.sizes, found.bags.sizes)
        return pd.DataFrame(
            {"path": data.paths, "case": data.cases, "weight": weights, "relative_weight": weights * sizes}
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model to a file `.npz`, which `load` reads, atomically.

        Raises:
            TrainingError: If the name does not end in `.npz`.
            OutputError: If it cannot be written.
        """
        if Path(path).suffix != ".npz":
            raise TrainingError(f"A model of cases is written to a file .npz; found {os.fspath(path)!r}.")
        record = {
            "pooling": self.pooling, "classes": list(self.classes), "penalty": self.penalty,
            "scores": [[penalty, score] for penalty, score in self.scores.items()], "encoder": dict(self.encoder),
        }  # fmt: skip
        arrays: dict[str, Any] = {f"parameter_{number}": array for number, array in enumerate(self.parameters.arrays)}
        with atomic_path(path) as temporary:
            np.savez(temporary, mean=self.mean, scale=self.scale, record=np.array(json.dumps(record)), **arrays)
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> CaseModel:
        """Read a model that `save` wrote; nothing in the file is executed.

        Raises:
            TrainingError: If it is no such file, or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                record = json.loads(str(file["record"]))
                arrays = [np.asarray(file[f"parameter_{number}"], np.float64) for number in range(7)]
                mean, scale = file["mean"], file["scale"]
            if record["pooling"] not in POOLINGS:
                raise ValueError(f"its pooling is {record['pooling']!r}")
            return cls(
                PoolingParameters(record["pooling"], *arrays),
                mean,
                scale,
                tuple(record["classes"]),
                float(record["penalty"]),
                {float(penalty): float(score) for penalty, score in record["scores"]},
                record["encoder"],
            )
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise TrainingError(f"{os.fspath(path)} cannot be read as a model of cases: {error}.") from error

    def __str__(self) -> str:
        chosen = f"chosen from {', '.join(f'{one:g}' for one in self.scores)}" if self.scores else "given"
        return (
            f"Model of cases: {self.pooling} over vectors of {len(self.mean)} components, classes "
            f"{', '.join(self.classes)}, penalty {self.penalty:g} ({chosen})"
        )

    def _open(self, data: Dataset) -> CaseBags:
        found = make_bags(data)
        compare_encoders(self.encoder, data.encoder)
        check_given_vectors(found.bags.vectors.astype(np.float32), len(self.mean))
        return dataclasses.replace(found, bags=Bags((found.bags.vectors - self.mean) / self.scale, found.bags.starts))
