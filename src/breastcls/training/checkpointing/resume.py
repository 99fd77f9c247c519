"""Resuming a run: whether it is the same one, and the result of a finished one."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.errors import TrainingError
from breastcls.files import remove_temporaries
from breastcls.models.model_card import get_card, set_card
from breastcls.models.persistence import load_model
from breastcls.size_limits import read_json, read_text
from breastcls.table_files import LARGEST_TABLE
from breastcls.text_tables import choose_form, format_count
from breastcls.training.checkpointing.checkpoints import FOLDER
from breastcls.training.checkpointing.run_folder import FILES, open_run_dir, read_config, split_text, write_start
from breastcls.training.distribution.worker_group import WorkerGroup
from breastcls.training.fit_settings import setting_differences
from breastcls.training.run import Run

_MOST = 5


@dataclass(frozen=True)
class OpenedRun:
    """A run that is about to begin, to be resumed, or finished.

    Args:
        folder: Its folder, or None if nothing is written.
        config: The configuration of the run.
        unchanged: Whether the model has the weights that the run began with.
        finished: The record of a finished run; the model has its weights.
    """

    folder: Path | None
    config: dict[str, Any]
    unchanged: bool = True
    finished: Run | None = None


def open_run(
    run_dir: str | os.PathLike[str] | None,
    model: keras.Model,
    config: dict[str, Any],
    train: Dataset,
    val: Dataset | None,
    workers: WorkerGroup,
    *,
    resume: bool,
) -> OpenedRun:
    """Begin a run in a folder, or find out where it is to be resumed.

    Args:
        run_dir: Folder of the run, or None.
        model: The model, which is changed if the run is finished.
        config: The configuration now.
        train: The training set.
        val: The validation set.
        workers: The workers; the chief writes.
        resume: Whether the folder may hold a run already.

    Raises:
        TrainingError: If the folder holds another run, or is not shared by all workers.
        OutputError: If the folder cannot be written to, or holds a run that is not to be resumed.
    """
    with workers.in_turn():
        if run_dir is None:
            return OpenedRun(None, config)
        # The other workers open the run that the chief has just begun.
        folder = open_run_dir(run_dir, resume=resume or not workers.chief)
        old = read_config(folder)
        if old is None and not workers.chief:
            raise TrainingError(f"Worker 0 began a run in run_dir, but there is none in {folder}: share the folder.")
        if old is None:
            write_start(folder, config, train, val)
            return OpenedRun(folder, config)
        check_same_run(folder, config, old, train, val)
        if workers.chief:
            clear_leftovers(folder)
        if is_finished(folder):
            return OpenedRun(folder, old, finished=restore_finished(folder, model))
        unchanged = config["model"]["weights_sha256"] == old["model"]["weights_sha256"]
        if not unchanged and workers.chief and is_untouched(folder):
            # It was interrupted before any state was written, so that it begins now, with these weights.
            write_start(folder, config, train, val)
            return OpenedRun(folder, config, unchanged)
        return OpenedRun(folder, old, unchanged)


def check_same_run(
    folder: Path, config: Mapping[str, Any], old: Mapping[str, Any], train: Dataset, val: Dataset | None
) -> None:
    """Check that settings, model and data are those of the run in the folder.

    Args:
        folder: Folder of the run.
        config: The configuration now.
        old: The configuration in `config.json`.
        train: The training set now.
        val: The validation set now.

    Raises:
        TrainingError: If settings, model or data differ; the message shows the differences.
    """
    found = setting_differences(_json(config["fit"]), old["fit"])
    for part in ("backend", "precision", "classes", "phases", "callbacks"):
        if _json(config[part]) != old.get(part):
            found.append(f"{part}: {old.get(part)!r} there, {config[part]!r} here")
    there, here = old.get("model", {}), _json(config["model"])
    # The initial weights of the run are in its first checkpoint, whatever the weights of the model are now.
    found += [
        f"model {name}: {there.get(name)!r} there, {here[name]!r} here"
        for name in here
        if name not in ("weights_sha256", "name") and here[name] != there.get(name)
    ]
    found += data_differences(folder, train, val)
    if found:
        shown = "\n  ".join(found[:_MOST] + ([f"and {len(found) - _MOST} more"] if len(found) > _MOST else []))
        raise TrainingError(
            f"{folder} holds another run; it can be resumed only with the same settings, model and data.\n  {shown}\n"
            "Pass the arguments of that run, or choose another run_dir."
        )


def is_finished(folder: Path) -> bool:
    """Return whether the run was finished, and not interrupted.

    Raises:
        TrainingError: If its record is damaged.
    """
    path = folder / "run.json"
    if not path.exists():
        return False
    try:
        return bool(read_json(path)["stopped"] != "interrupted")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"{path} is damaged ({error}). Delete it: with resume=True the run is then resumed from its last "
            "checkpoint, or trained again."
        ) from error


def is_untouched(folder: Path) -> bool:
    """Return whether the run was interrupted before any state of training was written."""
    return not any((folder / FOLDER).glob("*.npz"))


def clear_leftovers(folder: Path) -> None:
    """Remove the temporary files of a process that was killed while writing.

    Only one process may call this, before any process writes.
    """
    for name in FILES:
        remove_temporaries(folder / name)
    for left in (folder / FOLDER).glob(".*.npz"):
        left.unlink(missing_ok=True)
    if is_finished(folder):
        shutil.rmtree(folder / FOLDER, ignore_errors=True)


def restore_finished(folder: Path, model: keras.Model) -> Run:
    """Set the weights and the card of a model to those of a finished run, and return its record.

    Raises:
        ModelError: If the saved model is damaged.
    """
    saved: keras.Model = load_model(folder / "model.keras")
    model.set_weights(saved.get_weights())
    card = get_card(saved)
    if card is not None:
        set_card(model, card)
    return load_run(folder)


def load_run(run_dir: str | Path) -> Run:
    """Read the record of a finished run from its folder.

    Args:
        run_dir: The folder that `fit` wrote.

    Raises:
        TrainingError: If there is no record, or it is damaged.
    """
    folder = Path(run_dir)
    path = folder / "run.json"
    try:
        values = read_json(path)
        history = pd.DataFrame(values.pop("history"))
        scores = values["scores"].items()
        values["scores"] = {name: float("nan") if score is None else score for name, score in scores}
        run = Run(history=history, run_dir=folder, **values)
        # Its text uses every part; a part that is missing or of another type is found here, not when it is printed.
        str(run)
        return run
    except (OSError, ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        raise TrainingError(
            f"{path} cannot be read as the record of a finished run ({error}). If the run was interrupted, call fit "
            "again with resume=True."
        ) from error


def data_differences(folder: Path, train: Dataset, val: Dataset | None) -> list[str]:
    """Return how images differ from those in `split.csv` of a run, as text; a folder may have moved."""
    path = folder / "split.csv"
    if not path.exists():
        return [f"{path.name} is missing there"]
    new_table = _read_split(split_text(train, val))
    try:
        old_table = _read_split(read_text(path, LARGEST_TABLE))
        old, new = _identities(old_table), _identities(new_table)
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"{path} is damaged ({error}). Start the run again in another folder.") from error
    found = []
    for part in ("train", "val"):
        there, here = old.get(part, []), new.get(part, [])
        if there == here:
            continue
        gone, come = set(there) - set(here), set(here) - set(there)
        if not gone and not come:
            found.append(f"{part}: the same {format_count(len(here), 'image')}, in another order")
            continue
        found.append(
            f"{part}: {format_count(len(there), 'image')} there, {len(here)} here; missing or with another "
            f"label, case or slide: {len(gone)}, new: {len(come)}, such as {sorted(come or gone)[0][0]}"
        )
    return found or _changed_pictures(old_table, new_table)


def _changed_pictures(old: pd.DataFrame, new: pd.DataFrame) -> list[str]:
    """Return which files have other content under the same name, if size or hash are known for both."""
    changed = np.zeros(len(new), bool)
    for column in {"size", "sha256"} & set(old) & set(new):
        there, here = (table[column].to_numpy(dtype=str) for table in (old, new))
        changed |= (there != "") & (here != "") & (there != here)
    if not changed.any():
        return []
    names = new["name"][changed]
    return [
        f"{format_count(len(names), 'image')} {choose_form(len(names), 'has', 'have')} the same names but other "
        f"content, such as {names.iloc[0]}"
    ]


def _read_split(text: str) -> pd.DataFrame:
    table = pd.read_csv(io.StringIO(text), skiprows=1, dtype=str, keep_default_na=False)
    return table.assign(name=[Path(path).name for path in table["path"]])


def _identities(table: pd.DataFrame) -> dict[str, list[tuple[str, ...]]]:
    """Return by part the file name, label, case and slide of each image."""
    return {
        str(part): list(rows[["name", "label", "case", "slide"]].itertuples(index=False, name=None))
        for part, rows in table.groupby("part")
    }


def _json(value: Any) -> Any:
    return json.loads(json.dumps(value))
