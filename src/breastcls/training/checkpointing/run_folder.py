"""The folder of a run: settings, history, split, model and environment, each written atomically."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from breastcls.csv_text import write_rows
from breastcls.datasets.class_list import write_classes
from breastcls.datasets.dataset import Dataset
from breastcls.datasets.file_fingerprints import describe_files
from breastcls.datasets.table_reader import load_table
from breastcls.errors import OutputError, TrainingError
from breastcls.files import make_folder, write_json, write_text
from breastcls.identifiers import TEXT
from breastcls.images.locking import hold_folder
from breastcls.models.persistence import save_model
from breastcls.relative_paths import relative_paths
from breastcls.size_limits import read_json
from breastcls.training.run import Run

FILES = ("config.json", "split.csv", "local.json", "history.csv", "model.keras", "environment.json", "run.json")


def open_run_dir(run_dir: str | os.PathLike[str], *, resume: bool = False) -> Path:
    """Make the folder and check that it can be written to, before training rather than after it.

    Args:
        run_dir: The folder.
        resume: Whether it may hold a run already.

    Raises:
        OutputError: If it cannot be made or written to, or holds a run already.
    """
    folder = make_folder(run_dir)
    if (folder / "config.json").exists() and not resume:
        raise OutputError(
            f"{folder} holds a run already. Choose another run_dir, so that nothing is overwritten, or resume that "
            "run by resume=True."
        )
    try:
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise OutputError(
            f"Cannot write to {folder}: {error.strerror}. Choose a run_dir that you may write to."
        ) from error


@contextmanager
def hold_run(folder: Path | None) -> Iterator[None]:
    """Keep other processes from training in a folder during the block; None is no folder.

    Raises:
        OutputError: If another process is training in it.
    """
    if folder is None:
        yield
        return
    with hold_folder(folder) as free:
        if not free:
            raise OutputError(
                f"Another process is training in {folder}. Wait for its end, or choose another run_dir: two processes "
                "would overwrite each other's checkpoints."
            )
        yield


def write_start(folder: Path, config: Mapping[str, Any], train: Dataset, val: Dataset | None) -> None:
    """Write `split.csv`, then `config.json`, which marks the folder as a run.

    Paths in `split.csv` are relative; the folder that they start from on this machine is in `local.json` alone.
    """
    write_text(folder / "split.csv", split_text(train, val))
    write_json({"images": image_root(train, val) if train.has_images else None}, folder / "local.json")
    write_text(folder / "config.json", json.dumps(config, indent=2))


def split_text(train: Dataset, val: Dataset | None) -> str:
    """Return both sets as one table with a column `part`, paths relative to `image_root`.

    Files of the same name are distinguished by the columns `size` and, where it is known, `sha256`.
    """
    parts = [train.table.assign(part="train")] + ([val.table.assign(part="val")] if val is not None else [])
    table = pd.concat(parts, ignore_index=True)
    if not train.has_images:
        # Without image files, the column path contains names of rows.
        return write_classes(train.classes) + "\n" + write_rows(table)
    for name, values in describe_files(table["path"].tolist()).items():
        table[name] = values
    table["path"] = pd.array(relative_paths(map(os.path.abspath, table["path"]), image_root(train, val)), dtype=TEXT)
    return write_classes(train.classes) + "\n" + write_rows(table)


def image_root(train: Dataset, val: Dataset | None) -> str | None:
    """Return the folder that holds all images: the one that was read, or their common folder; None on two drives."""
    parts = [train] if val is None else [train, val]
    roots = {None if part.root is None else os.path.abspath(part.root) for part in parts}
    root = roots.pop() if len(roots) == 1 else None
    paths = [os.path.abspath(path) for part in parts for path in part.paths]
    if root is not None and all(Path(path).is_relative_to(root) for path in paths):
        return root
    try:
        return os.path.commonpath([os.path.dirname(path) for path in paths])
    except ValueError:
        return None


def write_end(folder: Path, run: Run, model: keras.Model) -> None:
    """Write the results: `history.csv`, `model.keras`, `environment.json` and the record `run.json`."""
    write_history(folder / "history.csv", run.history)
    write_text(folder / "environment.json", json.dumps(run.environment, indent=2))
    save_model(model, folder / "model.keras")
    run.to_json(folder / "run.json")


def write_history(path: Path, history: pd.DataFrame | Sequence[Mapping[str, Any]]) -> None:
    """Write one row per epoch as CSV; without epochs the file is empty."""
    table = pd.DataFrame(history)
    write_text(path, table.to_csv(index=False, lineterminator="\n") if len(table) else "")


def _read_root(local: Path) -> str | None:
    """Return the folder of the images on this machine."""
    try:
        root = read_json(local)["images"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise TrainingError(f"{local} is damaged ({error}). Delete it: paths then start from the folder.") from error
    if root is not None and not isinstance(root, str):
        raise TrainingError(f"{local} is damaged: images is {root!r}. Delete it: paths then start from the folder.")
    return root


def read_config(folder: Path) -> dict[str, Any] | None:
    """Read `config.json`; return None if there is none.

    Raises:
        TrainingError: If it is damaged.
    """
    path = folder / "config.json"
    if not path.exists():
        return None
    try:
        config = read_json(path, nan=True)
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} is damaged ({error}). Start the run again in another folder.") from error
    if not isinstance(config, dict) or not isinstance(config.get("fit"), dict):
        raise TrainingError(f"{path} is not the record of a run of breastcls. Choose another folder.")
    return config


def read_split(folder: Path) -> tuple[Dataset, Dataset | None]:
    """Read the training and validation sets of a run from its `split.csv`.

    Raises:
        DatasetError: If it is missing or damaged.
    """
    # Similar names were accepted when the run was started.
    local = folder / "local.json"
    # A folder that was passed on has no such file, or that of another machine.
    root = _read_root(local) if local.exists() else None
    both = load_table(folder / "split.csv", distinct=True, root=root)
    parts = both.table["part"].to_numpy(dtype=object)
    rows = dataclasses.replace(both, frame=both.table.drop(columns=["part", "size", "sha256"]))
    return rows[parts == "train"], rows[parts == "val"] if (parts == "val").any() else None
