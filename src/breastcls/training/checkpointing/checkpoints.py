"""Checkpoints: the complete state of a training, in files that are written atomically."""

from __future__ import annotations

import json
import math
import shutil
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from breastcls.errors import TrainingWarning
from breastcls.files import atomic_path, make_folder
from breastcls.size_limits import LARGEST_JSON, SizeError, check_archive, check_member, parse_json
from breastcls.training.checkpointing.checkpoint_check import check_meta

FOLDER = "checkpoints"
_FORMAT = 2
_KEPT = 2
_META = "meta"
_BROKEN = (
    *(OSError, ValueError, TypeError, AttributeError, KeyError, EOFError, RecursionError),
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, NotImplementedError, RuntimeError, MemoryError),
)


@dataclass(frozen=True)
class Checkpoint:
    """One state of training.

    Args:
        arrays: Lists of arrays by name, such as "learner" and "optimizer".
        meta: JSON values: position, rows, scores.
    """

    arrays: Mapping[str, list[np.ndarray]]
    meta: Mapping[str, Any]


class Checkpoints:
    """The checkpoints of one run.

    Args:
        run_dir: Folder of the run.
    """

    def __init__(self, run_dir: Path) -> None:
        self.folder = make_folder(run_dir / FOLDER)

    def write(self, name: str, state: Checkpoint) -> Path:
        """Write a state under a name."""
        arrays = {
            f"{kind}-{number}": value for kind, values in state.arrays.items() for number, value in enumerate(values)
        }
        text = json.dumps({"format": _FORMAT, **state.meta})
        target = self.folder / f"{name}.npz"
        with atomic_path(target) as temporary, open(temporary, "wb") as stream:
            np.savez(stream, allow_pickle=False, **{_META: np.frombuffer(text.encode(), np.uint8)}, **arrays)
        return target

    def read(self, name: str) -> Checkpoint | None:
        """Read the state of a name; return None if there is none, or, with a warning, if its file is damaged."""
        path = self.folder / f"{name}.npz"
        if not path.exists():
            return None
        try:
            members = _read_arrays(path)
            meta = parse_json(members.pop(_META).tobytes().decode(), nan=True)
            if meta.pop("format") != _FORMAT:
                raise ValueError("it has another format")
            check_meta(meta)
        except _BROKEN as error:
            warnings.warn(
                f"The checkpoint {path.name} cannot be read ({error}); it is skipped.",
                TrainingWarning,
                stacklevel=2,
            )
            return None
        arrays: dict[str, list[np.ndarray]] = {}
        for key in sorted(members, key=lambda key: (key.rpartition("-")[0], int(key.rpartition("-")[2]))):
            arrays.setdefault(key.rpartition("-")[0], []).append(members[key])
        return Checkpoint(arrays, meta)

    def write_step(self, epoch: int, step: int, state: Checkpoint) -> Path:
        """Write the state within an epoch, and remove all but the newest two."""
        written = self.write(f"epoch-{epoch:06d}-step-{step:08d}", state)
        for path in self._steps()[:-_KEPT]:
            path.unlink(missing_ok=True)
        return written

    def read_newest(self) -> Checkpoint | None:
        """Read the newest state that is not damaged; warn of each damaged one."""
        for path in reversed(self._steps()):
            state = self.read(path.stem)
            if state is not None:
                return state
        return None

    def count_steps(self) -> int:
        """Return the number of states within a phase, damaged ones included."""
        return len(self._steps())

    def newest_phase(self) -> int | None:
        """Return the number of the last phase with a state at its beginning, or None."""
        numbers = [int(path.stem.partition("-")[2]) for path in self.folder.glob("phase-*.npz")]
        return max(numbers, default=None)

    def remove_steps(self) -> None:
        """Remove the states within a phase, after the next phase has begun."""
        for path in self._steps():
            path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove all states, after the run is finished."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _steps(self) -> list[Path]:
        return sorted(self.folder.glob("epoch-*-step-*.npz"))


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a checkpoint; what they declare to unpack to is checked first."""
    with zipfile.ZipFile(path) as archive:
        check_archive(archive)
        check_member(archive, f"{_META}.npy", LARGEST_JSON)
        for member in archive.infolist():
            with archive.open(member) as stream:
                version = np.lib.format.read_magic(stream)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(stream)
            if math.prod(shape) * dtype.itemsize > member.file_size:
                raise SizeError(f"its array {member.filename!r:.80} declares the shape {shape} and stores less")
    # Reading every member verifies its checksum in the zip file.
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}
