"""One phase of training after the other, by the shortest road to the same result."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from breastcls.datasets.dataset import Dataset
from breastcls.images.order import EpochOrder
from breastcls.images.pipeline import EpochCounter
from breastcls.models.stages import set_trainable
from breastcls.training.frozen import FeatureBatches, compute_features, split_frozen
from breastcls.training.phases import Phase
from breastcls.training.validation import score_validation
from breastcls.training.watching import BestWeights, EpochEnd, ProgressBar, StopAtBadLoss


@dataclass
class Trainer:
    """Trains a model phase by phase and notes what each epoch gave.

    Args:
        model: The model, changed in place.
        train_data: Images to learn from.
        val: Images to score by, or None.
        image_size: (height, width) of the model.
        batch_size: Images a step.
        resize: How images are brought to that size.
        augment: Name of the augmentation policy.
        seed: From which order and augmentation follow.
        weights: Class weights by index, or None.
        best: Keeper of the best weights, or None without validation.
        callbacks: Further callbacks.
        progress: Whether to show progress.
        rows: One dictionary an epoch, filled here.
    """

    model: keras.Model
    train_data: Dataset
    val: Dataset | None
    image_size: tuple[int, int]
    batch_size: int
    resize: str
    augment: str
    seed: int
    weights: dict[int, float] | None
    best: BestWeights | None
    callbacks: tuple[keras.callbacks.Callback, ...]
    progress: bool
    rows: list[dict[str, Any]] = field(default_factory=list)
    _done: int = 0
    _epoch: EpochCounter = field(default_factory=EpochCounter)

    def train(self, phase: Phase) -> str:
        """Train one phase; return why it ended, "all epochs done" or "patience".

        The model then has the best weights so far: the next phase goes on from those, not from where this one had
        drifted to.

        Raises:
            TrainingError: If the loss is not a number.
        """
        if phase.trainable is not None:
            set_trainable(self.model, phase.trainable)
        if phase.trainable == "head" and self.augment == "none":
            learner, batches, score = self._frozen_road()
        else:
            learner, batches, score = self._whole_road()
        learner.compile(
            optimizer=keras.optimizers.Adam(phase.learning_rate),
            loss=f"{'categorical' if _mixes(batches) else 'sparse_categorical'}_crossentropy",
            metrics=["accuracy"],
            # Compiling by XLA slows training on a processor up to fourteen times; Keras would choose it by itself.
            jit_compile=False,
        )
        if self.best is not None:
            self.best.start_phase()
        before, end = len(self.rows), self._done + phase.epochs
        self._run(learner, batches, score, phase, end)
        self._done = end
        if self.best is not None:
            self.best.restore(self.model)
        return "patience" if len(self.rows) - before < phase.epochs else "all epochs done"

    def _run(
        self, learner: keras.Model, batches: Any, score: Callable[[], dict[str, float]] | None, phase: Phase, end: int
    ) -> None:
        watchers: list[keras.callbacks.Callback] = [
            StopAtBadLoss(phase.name, phase.learning_rate),
            # Keras takes batches before the first epoch to build what is not built: it must not count the epochs.
            keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: setattr(self._epoch, "value", epoch)),
            EpochEnd(self.model, score, self.best, self.rows, phase.name),
        ]
        bar = ProgressBar(phase.name, self._done, end, len(batches)) if self.progress else None
        if bar is not None:
            watchers.append(bar)
        try:
            learner.fit(
                batches,
                epochs=end,
                initial_epoch=self._done,
                class_weight=self.weights,
                callbacks=[*watchers, *self.callbacks],
                verbose=0,
                shuffle=False,
            )
        finally:
            if bar is not None:
                bar.close()

    def _whole_road(self) -> tuple[keras.Model, Any, Callable[[], dict[str, float]] | None]:
        """Show the images themselves to the whole model."""
        batches = self._batches(
            self.train_data,
            shuffle=True,
            augment=self.augment,
            seed=self.seed,
            initial_epoch=self._epoch,
            class_count=len(self.train_data.classes),
        )
        return self.model, batches, self._scorer(self.model, None if self.val is None else self._batches(self.val))

    def _frozen_road(self) -> tuple[keras.Model, Any, Callable[[], dict[str, float]] | None]:
        """Compute features once and show them to the head, epoch after epoch."""
        frozen, head = split_frozen(self.model)
        features = compute_features(frozen, self._batches(self.train_data))
        order = EpochOrder(len(features), self.batch_size, shuffle=True, seed=self.seed)
        batches = FeatureBatches(features, self.train_data.labels, order, self._epoch)
        held = None if self.val is None else _cut(compute_features(frozen, self._batches(self.val)), self.batch_size)
        return head, batches, self._scorer(head, held)

    def _scorer(self, judge: keras.Model, batches: Iterable[Any] | None) -> Callable[[], dict[str, float]] | None:
        val = self.val
        if val is None or batches is None:
            return None
        return lambda: score_validation(judge, batches, val)

    def _batches(self, data: Dataset, **options: Any) -> Any:
        return data.to_tf(image_size=self.image_size, batch_size=self.batch_size, resize=self.resize, **options)


def _mixes(batches: Any) -> bool:
    """Tell whether labels come as shares of the classes, as policies that mix images make them."""
    specification = getattr(batches, "element_spec", None)
    return specification is not None and specification[1].shape.rank == 2


def _cut(features: npt.NDArray[np.float32], size: int) -> list[tuple[npt.NDArray[np.float32]]]:
    return [(features[start : start + size],) for start in range(0, len(features), size)]
