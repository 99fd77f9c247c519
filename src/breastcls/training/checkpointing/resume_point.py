"""The state from which an interrupted run is resumed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from breastcls.errors import TrainingError, TrainingWarning
from breastcls.training.checkpointing.checkpoints import Checkpoint, Checkpoints


@dataclass(frozen=True)
class ResumePoint:
    """Where training is resumed.

    Args:
        phase: Number of the phase.
        start: The state at its beginning; None if the model as it was passed, or `step` alone, is that state.
        step: A state within the phase, or None to begin the phase anew.
    """

    phase: int = 0
    start: Checkpoint | None = None
    step: Checkpoint | None = None


def find_resume_point(checkpoints: Checkpoints, *, unchanged: bool) -> ResumePoint:
    """Find the newest complete state; warn if training has to be repeated because of damaged ones.

    Args:
        checkpoints: The checkpoints of the run.
        unchanged: Whether the model has the weights that the run began with.

    Raises:
        TrainingError: If the initial weights are lost: their checkpoint is damaged, and the model has other weights.
    """
    begun = checkpoints.newest_phase()
    kept = checkpoints.count_steps()
    if begun is None and not kept:
        return ResumePoint()
    step = checkpoints.read_newest()
    newest = begun or 0 if step is None else int(step.meta["phase"])
    start = checkpoints.read(f"phase-{newest}")
    if start is not None or (newest == 0 and unchanged):
        if step is None and (kept or start is None):
            _warn_repeated(checkpoints, start)
        return ResumePoint(newest, start, step)
    if step is not None and step.meta["whole"]:
        return ResumePoint(newest, None, step)
    # A state within a phase cannot be used without the weights at its beginning.
    for number in range(newest - 1, -1, -1):
        start = checkpoints.read(f"phase-{number}")
        if start is not None or (number == 0 and unchanged):
            _warn_repeated(checkpoints, start)
            return ResumePoint(number, start)
    raise TrainingError(
        f"The checkpoints in {checkpoints.folder} are damaged, and the model does not have the initial weights of "
        "the run. Build it as for that run, with the same seed or weight file, or start a run in another run_dir."
    )


def _warn_repeated(checkpoints: Checkpoints, start: Checkpoint | None) -> None:
    epoch = 1 if start is None else int(start.meta["epoch"]) + 1
    warnings.warn(
        f"Checkpoints in {checkpoints.folder} are missing or damaged: training is repeated from epoch {epoch}.",
        TrainingWarning,
        stacklevel=2,
    )
