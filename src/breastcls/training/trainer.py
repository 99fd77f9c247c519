"""One phase of training after the other, from any point on at which a run was left."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import keras
import numpy as np

from breastcls.models.stages import set_trainable
from breastcls.training.checkpoints import Checkpoint, Checkpoints
from breastcls.training.distribution.placement import SameDecision
from breastcls.training.distribution.team import Team
from breastcls.training.features.frozen import split_frozen
from breastcls.training.features.linear_probe import fit_linear_probe, write_probe
from breastcls.training.loop import Position, run_epochs
from breastcls.training.optimisation import layer_shares, make_loss, make_optimizer, make_schedule
from breastcls.training.phases import Phase
from breastcls.training.precision import has_gpu
from breastcls.training.roads import Material, Road, read_training_features, score_probe, take_road
from breastcls.training.seeding import generators_of
from breastcls.training.step import EpochMeans
from breastcls.training.watching import BestWeights, EpochEnd, ProgressBar, StopAtBadLoss, copy_weights


@dataclass
class Trainer:
    """Trains a model phase by phase and notes what each epoch gave.

    Args:
        material: Model, data and settings.
        weights: Class weights by index, or None.
        best: Keeper of the best weights, or None without validation.
        callbacks: Further callbacks.
        checkpoints: Where states are kept, or None.
        rows: One dictionary an epoch, filled here.
        roads: For each phase, whether it went by "features" or by "images", filled here.
    """

    material: Material
    weights: dict[int, float] | None
    best: BestWeights | None
    callbacks: tuple[keras.callbacks.Callback, ...] = ()
    checkpoints: Checkpoints | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    roads: list[str] = field(default_factory=list)
    _position: Position = field(default_factory=Position)
    _left: Checkpoint | None = None

    @property
    def model(self) -> keras.Model:
        """The whole model."""
        return self.material.model

    @property
    def _team(self) -> Team:
        return self.material.place.team

    def train(self, phases: list[Phase]) -> str:
        """Train all phases; return why the last ended, "all epochs done" or "patience".

        Each phase begins with the best weights so far, not with what the one before had drifted to.

        Raises:
            TrainingError: If the loss is not a number.
        """
        stopped = "all epochs done"
        for number in range(self._take_up(), len(phases)):
            phase = phases[number]
            # A phase may end early: the next counts its epochs from there.
            end = self._position.epoch + phase.epochs if self._left is None else self._left.meta["end"]
            stopped = self._train_phase(number, phase, end)
        return stopped

    def _take_up(self) -> int:
        """Go back to where the run was left; return the number of the phase."""
        if self.checkpoints is None:
            return 0
        left = self.checkpoints.read_newest()
        newest = self.checkpoints.newest_phase() if left is None else int(left.meta["phase"])
        number, start = newest, None
        while number is not None and number >= 0 and start is None:
            start = self.checkpoints.read(f"phase-{number}")
            number -= start is None
        # Nobody writes before all have read, and all have to go on from the same.
        self._team.check_same("the checkpoint", (number, None if left is None else dict(left.meta)))
        if start is None or number != newest:
            # Without the weights the phase began with, nothing within it can be used.
            left = None
            if newest is not None and self._team.chief:
                self.checkpoints.remove_steps()
        if start is None or number is None:
            return 0
        self._load(start)
        self._left = left
        return number

    def _load(self, start: Checkpoint) -> None:
        self.model.set_weights(start.arrays["model"])
        _set_generators(self.model, start.arrays.get("generators", []))
        self.rows[:] = start.meta["rows"]
        self.roads[:] = start.meta["roads"]
        self._position = Position(start.meta["epoch"])
        if self.best is not None:
            self.best.load({**start.meta["best"], "here": False}, [])

    def _train_phase(self, number: int, phase: Phase, end: int) -> str:
        if phase.trainable is not None:
            set_trainable(self.model, phase.trainable, batch_norm=self.material.settings.batch_norm)
        if self.checkpoints is not None and self._left is None and self._team.chief:
            self._write_start(number)
        if self.best is not None:
            self.best.start_phase(self.model)
        if phase.solver == "lbfgs":
            self._solve(phase)
            return "all epochs done"
        road = take_road(phase, self.material)
        self.roads[number:] = [road.name]
        try:
            self._run(number, phase, road, end)
        finally:
            if self.best is not None:
                self.best.restore(self.model, road.learner)
        return "patience" if self._position.epoch < end else "all epochs done"

    def _run(self, number: int, phase: Phase, road: Road, end: int) -> None:
        settings = self.material.settings
        place = self.material.place
        learner, steps = road.learner, road.source.steps
        learner.dtype_policy = self.model.dtype_policy
        rate = make_schedule(settings, phase.learning_rate, steps, phase.epochs)
        loss = make_loss(settings)
        with place.scope():
            optimizer = make_optimizer(settings, rate, layer_shares(self.model, settings.layer_decay))
            learner.compile(
                optimizer=optimizer,
                loss=loss,
                metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
                # Compiling by XLA slows training on a processor up to fourteen times; Keras would choose it by itself.
                jit_compile="auto" if has_gpu() and place.strategy is None else False,
            )
            # A scaler of the loss may have been put around it.
            learner.optimizer.build(learner.trainable_variables)
        left, self._left = self._left, None
        if left is not None:
            self._restore(left, learner)
            if left.meta["stopped"]:
                return

        def keep() -> None:
            self._write_step(number, phase, learner, end)

        step = place.step(learner, loss, len(self.material.train.classes), self.weights)
        watchers: list[keras.callbacks.Callback] = [
            StopAtBadLoss(phase.name, phase.learning_rate),
            EpochEnd(road.score, self.best, self.rows, phase.name),
        ]
        bar = ProgressBar(phase.name, self._position.epoch, end, steps) if settings.progress else None
        if bar is not None:
            watchers.append(bar)
        try:
            run_epochs(
                learner,
                step,
                road.source,
                self._position,
                end,
                [*watchers, *self.callbacks, *([SameDecision(self._team)] if self._team.size > 1 else [])],
                checkpoint=keep if self.checkpoints is not None and self._team.chief else None,
                checkpoint_steps=settings.checkpoint_steps,
            )
        finally:
            if bar is not None:
                bar.close()

    def _solve(self, phase: Phase) -> None:
        """Fit the head exactly, on features."""
        began = time.perf_counter()
        place = self.material.place
        frozen, head = split_frozen(place.judge)
        place.tell_judge()
        train, held = read_training_features(phase, self.material, frozen)
        data = self.material.train
        views = len(train)
        probe = fit_linear_probe(
            train.reshape(views * len(data), -1),
            np.tile(data.labels, views),
            np.tile(data.cases, views),
            len(data.classes),
            class_weight=self.weights,
            seed=self.material.settings.seed,
        )
        write_probe(place.judge, probe)
        place.take_from_judge()
        self.roads.append("features")
        row = self._team.from_chief(score_probe(head, train, held, self.material))
        self._position = Position(self._position.epoch + 1)
        seconds = time.perf_counter() - began
        self.rows.append({"epoch": self._position.epoch, "phase": phase.name, **row, "seconds": seconds})
        if self.best is not None:
            self.best.see(head, self._position.epoch, row)

    def _write_start(self, number: int) -> None:
        assert self.checkpoints is not None
        meta = {"rows": self.rows, "roads": self.roads, "epoch": self._position.epoch, "best": self._best_state()[0]}
        arrays = {"model": copy_weights(self.model), "generators": _generator_states(self.model)}
        self.checkpoints.write(f"phase-{number}", Checkpoint(arrays, meta))
        self.checkpoints.remove_steps()

    def _write_step(self, number: int, phase: Phase, learner: keras.Model, end: int) -> None:
        assert self.checkpoints is not None
        best, best_weights = self._best_state()
        position = self._position
        meta = {
            "phase": number,
            "end": end,
            "epoch": position.epoch,
            "step": position.step,
            "means": asdict(position.means),
            "rows": self.rows,
            "roads": self.roads,
            "best": best,
            "stopped": bool(learner.stop_training),
        }
        arrays = {
            "learner": learner.get_weights(),
            "optimizer": [keras.ops.convert_to_numpy(variable) for variable in learner.optimizer.variables],
            "generators": _generator_states(self.model),
            "best": best_weights,
        }
        self.checkpoints.write_step(position.epoch, position.step, Checkpoint(arrays, meta))

    def _restore(self, left: Checkpoint, learner: keras.Model) -> None:
        learner.set_weights(left.arrays["learner"])
        for variable, value in zip(learner.optimizer.variables, left.arrays["optimizer"], strict=True):
            variable.assign(value)
        _set_generators(self.model, left.arrays.get("generators", []))
        meta = left.meta
        self.rows[:] = meta["rows"]
        self.roads[:] = meta["roads"]
        self._position = Position(meta["epoch"], meta["step"], EpochMeans(**meta["means"]))
        if self.best is not None:
            self.best.load(meta["best"], left.arrays.get("best", []))

    def _best_state(self) -> tuple[dict[str, Any], list[np.ndarray]]:
        return ({}, []) if self.best is None else self.best.state()


def _generator_states(model: keras.Model) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(generator.state) for generator in generators_of(model)]


def _set_generators(model: keras.Model, states: list[np.ndarray]) -> None:
    for generator, state in zip(generators_of(model), states, strict=True):
        generator.state.assign(state)
