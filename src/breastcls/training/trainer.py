"""The training of a model phase by phase, from the beginning or from a checkpoint."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from breastcls.features.exact_head import write_probe
from breastcls.features.linear_probe import fit_linear_probe
from breastcls.models.keras_internals import find_seed_generators, flatten_layers
from breastcls.models.lora import add_lora, merge_lora
from breastcls.models.model_parts import split_model
from breastcls.models.precision import has_gpu
from breastcls.models.stages import set_trainable
from breastcls.training.callbacks import BestWeights, ProgressBar, ScoreEpoch, StopAtNonFiniteLoss, copy_weights
from breastcls.training.checkpointing.checkpoints import Checkpoint, Checkpoints
from breastcls.training.checkpointing.resume_point import find_resume_point
from breastcls.training.checkpointing.run_folder import write_history
from breastcls.training.class_weights import class_weights
from breastcls.training.distribution.placement import SameDecision
from breastcls.training.distribution.worker_group import WorkerGroup
from breastcls.training.input_modes import (
    InputMode,
    TrainingData,
    choose_input_mode,
    prepare_input_mode,
    print_phase,
    read_training_features,
    score_exact_head,
)
from breastcls.training.optimizers import layer_shares, make_loss, make_optimizer, make_schedule
from breastcls.training.phases import Phase
from breastcls.training.single_output_training import accuracy_for, loss_for
from breastcls.training.termination import CheckpointOnTermination, Termination
from breastcls.training.training_loop import Position, run_epochs
from breastcls.training.training_step import EpochMeans


@dataclass
class Trainer:
    """Trains a model phase by phase and records the scores of each epoch.

    Args:
        data: Model, images and settings.
        weights: Class weights by index for the optimizer, or None.
        best: The best weights so far.
        callbacks: Further callbacks.
        checkpoints: The checkpoints of the run, or None.
        unchanged: Whether the model has the weights that the run began with, which matters when a run is resumed.
        log: CSV file for one row per epoch, written while training, or None.
        termination: Whether SIGTERM has come; None if it is not handled.
        rows: One dictionary per epoch, filled here.
        input_modes: For each phase, whether it was trained on "features", "images" or "vectors", filled here.
        exact_head: How the penalty of an exact fit of the head was chosen, filled here; None without one.
        lora: Number of layers with an adapter of LoRA and of parameters, filled here; None without adapters.
    """

    data: TrainingData
    weights: dict[int, float] | None
    best: BestWeights
    callbacks: tuple[keras.callbacks.Callback, ...] = ()
    checkpoints: Checkpoints | None = None
    unchanged: bool = True
    log: Path | None = None
    termination: Termination | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    input_modes: list[str] = field(default_factory=list)
    exact_head: dict[str, Any] | None = None
    lora: dict[str, int] | None = None
    _position: Position = field(default_factory=Position)
    _left: Checkpoint | None = None

    @property
    def model(self) -> keras.Model:
        """The whole model."""
        return self.data.model

    @property
    def _workers(self) -> WorkerGroup:
        return self.data.place.workers

    def train(self, phases: list[Phase]) -> str:
        """Train all phases; return why the last ended, "all epochs done" or "patience".

        Each phase begins with the best weights so far, not with those of the last epoch.

        Raises:
            TrainingError: If the loss is not a number, or checkpoints are damaged and the model has other weights.
        """
        stopped = "all epochs done"
        first = self._resume()
        self._write_log()
        for number in range(first, len(phases)):
            phase = phases[number]
            # A phase may end early: the next counts its epochs from there.
            end = self._position.epoch + phase.epochs if self._left is None else self._left.meta["end"]
            stopped = self._train_phase(number, phase, end)
        return stopped

    def _resume(self) -> int:
        """Restore the newest checkpoint; return the number of its phase."""
        if self.checkpoints is None:
            return 0
        # With several machines all begin with the model of the chief.
        unchanged = bool(self._workers.from_chief({"unchanged": float(self.unchanged)})["unchanged"])
        left = find_resume_point(self.checkpoints, unchanged=unchanged)
        # No worker writes before all have read, and all have to resume from the same checkpoint.
        known = [None if state is None else dict(state.meta) for state in (left.start, left.step)]
        self._workers.check_same("the checkpoint", (left.phase, known))
        if left.step is None and self._workers.chief:
            self.checkpoints.remove_steps()
        if left.start is not None:
            self._load(left.start)
        elif left.step is not None and left.step.meta["whole"]:
            self.model.set_weights(left.step.arrays["learner"])
        self._left = left.step
        return left.phase

    def _load(self, start: Checkpoint) -> None:
        self.model.set_weights(start.arrays["model"])
        _set_generators(self.model, start.arrays.get("generators", []))
        self.rows[:] = start.meta["rows"]
        self.input_modes[:] = start.meta["input_modes"]
        self.exact_head = start.meta.get("exact_head")
        self._position = Position(start.meta["epoch"])
        self.best.load({**start.meta["best"], "here": False}, [])

    def _train_phase(self, number: int, phase: Phase, end: int) -> str:
        tune = self.data.settings.fine_tune
        if phase.trainable is not None:
            set_trainable(self.model, phase.trainable, batch_norm=tune.batch_norm if tune else "auto")
        if self.checkpoints is not None and self._left is None and self._workers.chief:
            self._write_start(number)
        with self._adapters(phase):
            return self._optimise(number, phase, end)

    def _optimise(self, number: int, phase: Phase, end: int) -> str:
        self.best.start_phase(self.model)
        print_phase(phase, self.data)
        if phase.solver == "lbfgs":
            self._solve(phase)
            return "all epochs done"
        known = None if self._left is None else self._left.meta["input_modes"][number]
        mode = prepare_input_mode(phase, self.data, known)
        self.input_modes[number:] = [mode.name]
        try:
            self._run(number, phase, mode, end)
        finally:
            self.best.restore(self.model, mode.learner)
        return "patience" if self._position.epoch < end else "all epochs done"

    @contextmanager
    def _adapters(self, phase: Phase) -> Iterator[None]:
        """Within the block the layers that are fine-tuned have adapters of LoRA, if asked for; merge them after it."""
        settings = self.data.settings
        tune = settings.fine_tune
        if phase.name != "fine-tune" or tune is False or tune.lora_rank is None:
            yield
            return
        parameters = _count(self.model.weights)
        adapters = add_lora(self.model, tune.lora_rank, tune.lora_alpha, settings.seed)
        try:
            self.lora = {
                "layers": len(adapters.layers),
                "trained_parameters": _count(self.model.trainable_weights),
                "parameters": parameters,
            }
            yield
        finally:
            merge_lora(self.model, adapters)

    def _run(self, number: int, phase: Phase, mode: InputMode, end: int) -> None:
        settings = self.data.settings
        place = self.data.place
        learner, steps = mode.learner, mode.source.steps
        learner.dtype_policy = self.model.dtype_policy
        rate = make_schedule(phase.learning_rate, steps, phase.epochs)
        loss = loss_for(learner, make_loss(settings.loss))
        decay = settings.fine_tune.layer_decay if settings.fine_tune else 1.0
        with place.scope():
            optimizer = make_optimizer(settings.optimizer, rate, layer_shares(self.model, decay))
            learner.compile(
                optimizer=optimizer,
                loss=loss,
                metrics=[accuracy_for(learner)],
                jit_compile="auto" if _is_faster_by_xla(place.strategy) else False,
            )
            # Keras may have wrapped it in an optimizer that scales the loss.
            learner.optimizer.build(learner.trainable_variables)
        step = place.step(learner, loss, len(self.data.train.classes), self.weights)
        left, self._left = self._left, None
        if left is not None:
            if left.meta["step"] == steps - 1:
                # Only the last, smaller batch of the epoch remains. TensorFlow would trace a graph for any batch size
                # from it and use that graph for full batches, which rounds differently from the graph of full batches.
                step(*next(iter(mode.source.batches(left.meta["epoch"]))))
            self._restore(left, learner)
            if left.meta["stopped"]:
                return

        def keep() -> None:
            self._write_step(number, learner, end)

        handlers: list[keras.callbacks.Callback] = [
            StopAtNonFiniteLoss(phase.name, self.best),
            ScoreEpoch(mode.score, self.best, self.rows, phase.name),
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: self._write_log()),
        ]
        write = keep if self.checkpoints is not None and self._workers.chief else None
        ending: list[keras.callbacks.Callback] = [*self.callbacks]
        if self._workers.size > 1:
            ending.append(SameDecision(self._workers))
        if self.termination is not None:
            ending.append(CheckpointOnTermination(self.termination, write, lambda: self._position.step == steps))
        bar = ProgressBar(phase.name, self._position.epoch, end, steps) if settings.logging.progress else None
        if bar is not None:
            handlers.append(bar)
        try:
            run_epochs(
                learner,
                step,
                mode.source,
                self._position,
                end,
                [*handlers, *ending],
                checkpoint=write,
                checkpoint_steps=settings.logging.checkpoint_steps,
            )
        finally:
            if bar is not None:
                bar.close()

    def _solve(self, phase: Phase) -> None:
        """Fit the head exactly, on features."""
        began = time.perf_counter()
        place = self.data.place
        frozen, head = split_model(place.scorer)
        place.update_scorer()
        train, held = read_training_features(phase, self.data, frozen)
        data = self.data.train
        versions = len(train)
        fitted = fit_linear_probe(
            train.reshape(versions * len(data), -1),
            np.tile(data.labels, versions),
            np.tile(data.cases, versions),
            len(data.classes),
            # All images are fitted at once, whatever sampling the optimizer will use later.
            class_weight=class_weights(self.data.settings.class_weight, data.labels, data.classes),
            seed=self.data.settings.seed,
        )
        self.exact_head = fitted.to_dict()
        try:
            write_probe(place.scorer, fitted)
            place.update_model()
            row = self._workers.from_chief(score_exact_head(head, train, held, self.data))
            self.best.see(head, self._position.epoch + 1, row)
        except BaseException:
            self.best.restore(self.model, head)
            raise
        self.input_modes.append(choose_input_mode(phase, self.data))
        self._position = Position(self._position.epoch + 1)
        seconds = time.perf_counter() - began
        self.rows.append({"epoch": self._position.epoch, "phase": phase.name, **row, "seconds": seconds})
        self._write_log()

    def _write_start(self, number: int) -> None:
        assert self.checkpoints is not None
        meta = {
            "rows": self.rows,
            "input_modes": self.input_modes,
            "exact_head": self.exact_head,
            "epoch": self._position.epoch,
            "best": self.best.state()[0],
        }
        arrays = {"model": copy_weights(self.model), "generators": _generator_states(self.model)}
        self.checkpoints.write(f"phase-{number}", Checkpoint(arrays, meta))
        self.checkpoints.remove_steps()

    def _write_step(self, number: int, learner: keras.Model, end: int) -> None:
        assert self.checkpoints is not None
        best, best_weights = self.best.state()
        weights = learner.get_weights()
        if best["here"] and all(map(np.array_equal, best_weights, weights)):
            # The epoch that has just ended is the best: its weights are not written twice.
            best_weights = []
        position = self._position
        meta = {
            "phase": number,
            "end": end,
            "epoch": position.epoch,
            "step": position.step,
            "means": asdict(position.means),
            "rows": self.rows,
            "input_modes": self.input_modes,
            "exact_head": self.exact_head,
            "best": best,
            "stopped": bool(learner.stop_training),
            # Whether training can be resumed from this state alone, without that of the beginning of the phase.
            # Not with adapters of LoRA, which the model has only within the phase.
            "whole": best["here"]
            and list(map(id, learner.weights)) == list(map(id, self.model.weights))
            and not any(getattr(layer, "lora_enabled", False) for layer in flatten_layers(self.model)),
        }
        arrays = {
            "learner": weights,
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
        self.input_modes[:] = meta["input_modes"]
        self.exact_head = meta.get("exact_head")
        self._position = Position(meta["epoch"], meta["step"], EpochMeans(**meta["means"]))
        self.best.load(meta["best"], left.arrays.get("best") or left.arrays["learner"])

    def _write_log(self) -> None:
        if self.log is not None:
            write_history(self.log, self.rows)


def _count(weights: list[Any]) -> int:
    return sum(int(keras.ops.size(weight)) for weight in weights)


def _is_faster_by_xla(strategy: Any) -> bool:
    """Return whether a training step should be compiled by XLA.

    With TensorFlow it slows training on a processor up to fourteen times, and Keras would choose it by itself. JAX runs
    each operation separately without it. PyTorch has another compiler, which is not used.
    """
    backend = keras.backend.backend()
    return backend == "jax" or (backend == "tensorflow" and has_gpu() and strategy is None)


def _generator_states(model: keras.Model) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(generator.state) for generator in find_seed_generators(model)]


def _set_generators(model: keras.Model, states: list[np.ndarray]) -> None:
    for generator, state in zip(find_seed_generators(model), states, strict=True):
        generator.state.assign(state)
