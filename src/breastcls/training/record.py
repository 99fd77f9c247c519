"""The folder of a run: settings, history, split, model and environment, each written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import keras
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.errors import OutputError
from breastcls.files import make_folder, write_text
from breastcls.models.persistence import save_model
from breastcls.training.run import Run


def open_run_dir(run_dir: str | os.PathLike[str]) -> Path:
    """Make the folder and see that it can be written to, before hours of training rather than after.

    Raises:
        OutputError: If it cannot be made or written to, or holds a run already.
    """
    folder = make_folder(run_dir)
    if (folder / "config.json").exists():
        raise OutputError(f"{folder} holds a run already. Choose another run_dir, so that nothing is overwritten.")
    try:
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise OutputError(
            f"Cannot write to {folder}: {error.strerror}. Choose a run_dir that you may write to."
        ) from error


def write_start(folder: Path, config: dict[str, object], train: Dataset, val: Dataset | None) -> None:
    """Write what is known before the first step: `config.json` and `split.csv`."""
    parts = [train.table.assign(part="train")] + ([val.table.assign(part="val")] if val is not None else [])
    write_text(folder / "split.csv", pd.concat(parts).to_csv(index=False, lineterminator="\n"))
    write_text(folder / "config.json", json.dumps(config, indent=2))


def write_end(folder: Path, run: Run, model: keras.Model) -> None:
    """Write what training gave: `history.csv`, `model.keras`, `environment.json` and the whole as `run.json`."""
    write_text(folder / "history.csv", run.history.to_csv(index=False, lineterminator="\n"))
    write_text(folder / "environment.json", json.dumps(run.environment, indent=2))
    save_model(model, folder / "model.keras")
    run.to_json(folder / "run.json")
