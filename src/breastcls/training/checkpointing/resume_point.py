"""Where a run that was cut off goes on: at the newest state that has all it needs."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from breastcls.errors import TrainingError, TrainingWarning
from breastcls.training.checkpointing.checkpoints import Checkpoint, Checkpoints


@dataclass(frozen=True)
class TakeUp:
    """Where training goes on.

    Args:
        phase: Number of the phase.
        start: The state at its beginning; None where the model as it is given, or `step` alone, is that state.
        step: A state within the phase, or None to begin the phase anew.
    """

    phase: int = 0
    start: Checkpoint | None = None
    step: Checkpoint | None = None


def find_take_up(checkpoints: Checkpoints, *, as_begun: bool) -> TakeUp:
    """Find where to go on; warns where something is damaged and training is repeated for it.

    Args:
        checkpoints: What was kept.
        as_begun: Whether the model that is given has the weights that the run began with.

    Raises:
        TrainingError: If what the run began with is lost: its checkpoint is damaged, and the model has other weights.
    """
    begun = checkpoints.newest_phase()
    kept = checkpoints.count_steps()
    if begun is None and not kept:
        return TakeUp()
    step = checkpoints.read_newest()
    newest = begun or 0 if step is None else int(step.meta["phase"])
    start = checkpoints.read(f"phase-{newest}")
    if start is not None or (newest == 0 and as_begun):
        if step is None and (kept or start is None):
            _tell(checkpoints, start)
        return TakeUp(newest, start, step)
    if step is not None and step.meta["whole"]:
        return TakeUp(newest, None, step)
    # Without the weights the phase began with, nothing within it can be used.
    for number in range(newest - 1, -1, -1):
        start = checkpoints.read(f"phase-{number}")
        if start is not None or (number == 0 and as_begun):
            _tell(checkpoints, start)
            return TakeUp(number, start)
    raise TrainingError(
        f"The checkpoints in {checkpoints.folder} are damaged, and the model has other weights than the run began "
        "with. Build it as for that run, with the same seed or weight file, or begin anew in another run_dir."
    )


def _tell(checkpoints: Checkpoints, start: Checkpoint | None) -> None:
    epoch = 1 if start is None else int(start.meta["epoch"]) + 1
    warnings.warn(
        f"Of the checkpoints in {checkpoints.folder} too little can be read: training begins anew at epoch {epoch}.",
        TrainingWarning,
        stacklevel=2,
    )
