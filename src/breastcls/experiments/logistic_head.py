"""The logistic regression as a probe: exact, its penalty chosen within the training cases of each split."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from threadpoolctl import threadpool_limits
from typing_extensions import override

from breastcls.errors import TrainingWarning
from breastcls.experiments.probe_splits import Integers, Probabilities, ProbeHead, ProbeSplit
from breastcls.features.linear_probe import ASSUMED_C, fit_linear_probe
from breastcls.features.nested_probes import FittedProbe, ProbeTask, fit_probes
from breastcls.features.penalty_search import split_cases
from breastcls.features.shared_features import SharedFeatures
from breastcls.training.class_weights import ClassWeight, class_weights

_INNER_FOLDS = 5
# So many logits of inner folds are computed at once that they stay in the cache of the processor.
_BATCH_VALUES = 2**17
# Splits that are fitted together share the memory of their logits.
_MOST_VALUES = 2**24
# With more values than this, blocks of rows are worth several threads.
_THREADED_VALUES = 2**22


@dataclass(frozen=True, eq=False)
class LogisticHead(ProbeHead):
    """Logistic regression with an L2 penalty, as `breastcls.features.fit_linear_probe` fits it.

    Attributes:
        train_features: (versions, n, d), of the images as they are trained on.
        test_features: (n, d), of the images as they are predicted.
        classes: Class names.
        cases: (n,).
        class_weight: As in `fit`.
        seed: Of the folds within a training that choose the penalty.
        threads: Whether blocks of rows may be worked on by several threads.
    """

    train_features: npt.NDArray[np.float32]
    test_features: npt.NDArray[np.float32]
    classes: tuple[str, ...]
    cases: npt.NDArray[np.object_]
    class_weight: ClassWeight
    seed: int
    threads: bool = False

    name = "logistic"
    title = "logistic regression"

    @property
    def batch(self) -> int:  # type: ignore[override]
        """How many splits are fitted together."""
        if len(self.classes) != 2:
            return 1
        rows = len(self.test_features) * (1 + len(self.train_features))
        return max(1, _BATCH_VALUES // (rows * _INNER_FOLDS))

    @override
    def predict(self, splits: Sequence[ProbeSplit]) -> list[Probabilities]:
        if len(self.classes) != 2:
            return [self._predict_one(split) for split in splits]
        step = max(1, _MOST_VALUES // (len(self._groups) * _INNER_FOLDS))
        found: list[Probabilities] = []
        for start in range(0, len(splits), step):
            some = splits[start : start + step]
            for split, probe in zip(some, self.fit(some), strict=True):
                positive = expit(probe.logits[-len(self.test_features) :][split.test])
                found.append(np.stack([1 - positive, positive], axis=1).astype(np.float32))
        return found

    def fit(self, splits: Sequence[ProbeSplit]) -> list[FittedProbe]:
        """Fit two classes on the training rows of each split, all together."""
        threads = os.cpu_count() or 1 if self.threads and self._shared.values.size > _THREADED_VALUES else 1
        with threadpool_limits(limits=1):
            tasks = [self._task(split) for split in splits]
            return fit_probes(self._shared, tasks, self._groups, threads=threads)

    def _task(self, split: ProbeSplit) -> ProbeTask:
        count = len(self.test_features)
        labels = np.tile(split.labels, len(self._groups) // count)
        rows = np.concatenate([split.train + version * count for version in range(len(self.train_features))])
        inner = split_cases(labels[rows], self._groups[rows], 2, _INNER_FOLDS, self.seed)
        weights = class_weights(self.class_weight, split.labels[split.train], self.classes) or {}
        return ProbeTask(
            labels, rows, [weights.get(index, 1.0) for index in range(2)], [rows[held] for held in inner], ASSUMED_C
        )

    @property
    def _same_features(self) -> bool:
        """Whether images are predicted from the features that are trained on."""
        return len(self.train_features) == 1 and np.may_share_memory(self.train_features, self.test_features)

    @functools.cached_property
    def _groups(self) -> Integers:
        """The case of each row of `_shared` as a number."""
        codes = np.unique(self.cases.astype(str), return_inverse=True)[1].ravel()
        return np.tile(codes, len(self.train_features) + (not self._same_features))

    @functools.cached_property
    def _shared(self) -> SharedFeatures:
        """All rows that are trained on, and behind them those that are predicted unless they are the same."""
        if self._same_features:
            return SharedFeatures.of(self.test_features)
        return SharedFeatures.of(np.concatenate([*self.train_features, self.test_features]))

    def _predict_one(self, split: ProbeSplit) -> Probabilities:
        labels, train = split.labels[split.train], split.train
        versions, _, width = self.train_features.shape
        with warnings.catch_warnings():
            # That the penalty is assumed, with few cases, is part of the procedure that is repeated.
            warnings.simplefilter("ignore", TrainingWarning)
            probe = fit_linear_probe(
                self.train_features[:, train].reshape(versions * len(train), width),
                np.tile(labels, versions),
                np.tile(self.cases[train], versions),
                len(self.classes),
                class_weight=class_weights(self.class_weight, labels, self.classes),
                folds=_INNER_FOLDS,
                seed=self.seed,
            )
        return probe.probabilities(self.test_features[split.test])
