"""The folder of a cross-validation: its settings, the fold of each image, and the results of finished folds."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError, OutputError, TrainingError
from breastcls.experiments.fold import Fold, FoldResult
from breastcls.files import make_folder, write_text
from breastcls.models.weight_hash import is_same_fingerprint
from breastcls.predictions.dataset_predictions import predictions_of
from breastcls.predictions.predictions import Predictions
from breastcls.relative_paths import without_folders
from breastcls.size_limits import read_json, read_text
from breastcls.table_files import LARGEST_TABLE
from breastcls.text_tables import choose_form, format_count
from breastcls.training.checkpointing.resume import load_run
from breastcls.training.fit_settings import is_fit_option, setting_to_json

_SETTINGS, _IMAGES, _PREDICTIONS = "cross-validation.json", "folds.csv", "predictions.csv"
# Arguments that may differ when a cross-validation is resumed, since they change no weight.
_FREE = ("progress", "logging", "allow_leakage")
_SHOWN = 5


class FoldFolder:
    """A folder with one subfolder per fold.

    Args:
        run_dir: The folder.
        settings: The settings of the cross-validation, as JSON values.
        data: All images.
        fold_of: (n,) the fold of each image, from 1 on.
        resume: Whether to continue what the folder holds.

    Raises:
        OutputError: If it cannot be written to, or holds a cross-validation and `resume` is False.
        TrainingError: If it holds one with other settings or of other images; the message shows the differences.
    """

    def __init__(
        self,
        run_dir: str | os.PathLike[str],
        settings: Mapping[str, Any],
        data: Dataset,
        fold_of: Sequence[int] | np.ndarray,
        *,
        resume: bool,
    ) -> None:
        self.path = make_folder(run_dir)
        self._content: dict[str, Any] = {
            "settings": json_settings(settings),
            "classes": list(data.classes),
            "model": None,
        }
        images = _image_table(data, np.asarray(fold_of))
        # A folder in which no training began holds nothing that could be overwritten.
        if any(self.path.glob("fold-*/config.json")):
            if not resume:
                raise OutputError(
                    f"{self.path} holds a cross-validation already. Choose another run_dir, so that nothing is "
                    "overwritten, or continue it with resume=True."
                )
            self._resume(images)
            return
        write_text(self.path / _IMAGES, images)
        self._write()

    @property
    def model(self) -> dict[str, Any] | None:
        """The description of the model that the folds train, once one was built."""
        found: dict[str, Any] | None = self._content["model"]
        return found

    def note_model(self, model: Mapping[str, Any]) -> None:
        """Record which model the folds train, or compare it with the record.

        Raises:
            TrainingError: If the folds before trained another model.
        """
        described = json_settings(model)
        if self.model is None:
            self._content["model"] = described
            self._write()
            return
        if is_same_fingerprint(self.model.get("initial_weights", ()), described.get("initial_weights", ())):
            described["initial_weights"] = self.model["initial_weights"]
        found = _differences("model ", self.model, described)
        if found:
            self._refuse(found, "Let build() make the model of the folds before")

    def finish(self, result: FoldResult) -> None:
        """Write the predictions of a fold, which marks it as finished."""
        result.predictions.to_csv(self.path / result.fold.name / _PREDICTIONS)

    def read_finished(self, fold: Fold) -> FoldResult | None:
        """Return the result of a fold, or None if it is not finished.

        Raises:
            TrainingError: If its files are damaged.
        """
        path, test = self.path / fold.name / _PREDICTIONS, fold.test
        if not path.exists():
            return None
        try:
            kept = Predictions.from_csv(path, classes=test.classes)
        except EvaluationError as error:
            raise TrainingError(f"{path} is damaged ({error}). Delete it: the fold is then predicted again.") from error
        names = [] if kept.paths is None else [Path(name).name for name in kept.paths]
        if names != [Path(name).name for name in test.paths] or not np.array_equal(kept.labels, test.labels):
            raise TrainingError(
                f"{path} does not hold the images of {fold.name}. Delete it: the fold is then predicted again."
            )
        return FoldResult(fold, predictions_of(test, kept.probabilities), load_run(self.path / fold.name))

    def _resume(self, images: str) -> None:
        try:
            old = read_json(self.path / _SETTINGS, nan=True)
            kept = read_text(self.path / _IMAGES, LARGEST_TABLE)
            found = _setting_differences(old["settings"], self._content["settings"])
            found += _differences("", {"classes": old["classes"]}, {"classes": self._content["classes"]})
            found += _image_differences(kept, images)
            self._content["model"] = old["model"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f"{self.path} cannot be read as a cross-validation ({error}). Start again in another folder."
            ) from error
        if found:
            self._refuse(found, "Pass what it was started with")

    def _refuse(self, found: Sequence[str], remedy: str) -> None:
        more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        shown = "\n  ".join([*found[:_SHOWN], *more])
        raise TrainingError(
            f"{self.path} holds another cross-validation; resume=True continues only with the same settings, model and "
            f"data.\n  {shown}\n{remedy}, or choose another run_dir."
        )

    def _write(self) -> None:
        write_text(self.path / _SETTINGS, json.dumps(self._content, indent=2) + "\n")


def json_settings(values: Any) -> Any:
    """Return settings as JSON values; an object that JSON cannot hold is replaced by the name of its type.

    Of absolute paths the last part is kept.
    """
    return without_folders(json.loads(json.dumps(values, default=_json_value)))


def _json_value(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.generic):
        return value.item()
    if callable(getattr(value, "to_dict", None)):
        return value.to_dict()
    if is_fit_option(value):
        return setting_to_json(value)
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _setting_differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    flat = [
        {name: value for name, value in settings.items() if name != "fit"}
        | {name: value for name, value in settings["fit"].items() if name not in _FREE}
        for settings in (there, here)
    ]
    return _differences("", *flat)


def _differences(prefix: str, there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    return [
        f"{prefix}{name}: {there.get(name, 'left out')!r} there, {here.get(name, 'left out')!r} here"
        for name in dict.fromkeys([*there, *here])
        if there.get(name, "left out") != here.get(name, "left out")
    ]


def _image_table(data: Dataset, fold_of: np.ndarray) -> str:
    table = data.table[["path", "label", "case", "slide"]].assign(
        path=data.relative_paths,
        name=[Path(path).name for path in data.paths],
        # This distinguishes most files of the same name without reading them.
        bytes=[os.path.getsize(path) if os.path.exists(path) else -1 for path in data.paths],
        fold=fold_of,
    )
    return str(table.to_csv(index=False, lineterminator="\n"))


def _image_differences(there: str, here: str) -> list[str]:
    """Return which images, or folds of images, differ, in words: the folder may be another, its images may not."""
    columns = ["name", "label", "case", "slide", "bytes"]
    old, new = (pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False) for text in (there, here))
    before, now = ([tuple(row) for row in table[columns].to_numpy()] for table in (old, new))
    if before == now:
        moved = int((old["fold"] != new["fold"]).sum())
        return (
            [f"folds: {format_count(moved, 'image')} {choose_form(moved, 'is', 'are')} in another fold"]
            if moved
            else []
        )
    gone, come = set(before) - set(now), set(now) - set(before)
    if not gone and not come:
        return [f"data: the same {format_count(len(now), 'image')}, in another order"]
    return [
        f"data: {format_count(len(before), 'image')} there, {len(now)} here; {len(gone)} are gone or changed file, "
        "label, case or "
        f"slide, {len(come)} are new, such as {sorted(come or gone)[0][0]}"
    ]
