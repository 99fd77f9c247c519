"""`predict_to_file`: predictions of any number of images, written as they are made and continued after a kill."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from typing_extensions import override

from breastcls._version import __version__
from breastcls.csv_text import write_rows
from breastcls.datasets.dataset import Dataset
from breastcls.errors import DatasetWarning, EvaluationError, OutputError
from breastcls.files import write_text
from breastcls.images.progress_bar import progress_bar
from breastcls.models.card_ood import find_colour_limit
from breastcls.models.engines.choose_engine import open_runner
from breastcls.models.engines.engine_record import record_engine
from breastcls.models.engines.session import Session
from breastcls.models.model_card import ModelCard, get_card
from breastcls.models.persistence import load_model, save_model
from breastcls.models.runtime_model import require_keras
from breastcls.models.weight_hash import hash_weights
from breastcls.predictions.classified_images import PredictionOptions, complete_predictions
from breastcls.predictions.dataset_predictions import predictions_of
from breastcls.predictions.file_list import FileList
from breastcls.predictions.image_stream import NoImageLeftError, SkippedImage
from breastcls.predictions.output_parts import OutputParts
from breastcls.predictions.part_job import PartJob
from breastcls.predictions.pixel_batches import check_dataset, find_classes
from breastcls.predictions.predictions_csv import complete_columns
from breastcls.predictions.ray_workers import RayWorkers, run_parts
from breastcls.predictions.row_files import choose_format
from breastcls.predictions.unlike_training import warn_if_unlike
from breastcls.result import Result
from breastcls.text_tables import choose_form, format_count

# An eighth of the images, within these limits, is predicted again after a kill, at most. A part costs 25 to 40 ms of
# processor time, as much as ten to twenty images of a small network.
_LEAST_PART, _PART_IMAGES = 256, 4096


@dataclass(frozen=True, eq=False, repr=False)
class PredictionFile(Result):
    """A file of predictions, with what was written.

    Attributes:
        path: The file.
        images: Number of rows.
        predicted: Number of images that are predicted as each class.
        skipped: The images that cannot be read, with the columns `path` (relative) and `reason`; None if there are
            none. They are also written to a file beside the output, named `<name>.skipped.csv`.
        continued: Number of images that an earlier call, which was interrupted, had written.
    """

    path: Path
    images: int
    predicted: dict[str, int]
    skipped: pd.DataFrame | None = field(default=None, repr=False)
    continued: int = 0

    @override
    def to_dict(self) -> dict[str, Any]:
        """Return the name of the file, without its folder, and the counts as JSON values."""
        return {
            "file": self.path.name,
            "images": self.images,
            "predicted": dict(self.predicted),
            "skipped": None if self.skipped is None else self.skipped.to_dict("list"),
            "continued": self.continued,
        }

    @override
    def __str__(self) -> str:
        counts = ", ".join(f"{name} {count:,}" for name, count in self.predicted.items())
        lines = [f"{self.path.name}: {format_count(self.images, 'image')} (predicted: {counts})"]
        if self.continued:
            lines.append(f"{format_count(self.continued, 'image')} of an interrupted call were kept.")
        if self.skipped is not None:
            lines.append(
                f"{format_count(len(self.skipped), 'image')} cannot be read: see {skipped_path(self.path).name}."
            )
        return "\n".join(lines)


def predict_to_file(
    model: keras.Model | str | os.PathLike[str],
    x: Any,
    path: str | os.PathLike[str],
    *,
    batch_size: int = 32,
    tta: str | None = None,
    classes: Sequence[str] | None = None,
    on_error: str = "raise",
    workers: RayWorkers | None = None,
    progress: bool | None = None,
    engine: str | None = None,
) -> PredictionFile:
    """Predict image files and write the predictions to a CSV or Parquet file, in memory that does not grow with them.

    The rows are those of `Predictions.to_csv`. They are written in parts to a folder beside the file, named
    `<name>.parts`, which is joined and removed at the end. If the process is interrupted or killed, the same call
    continues, and the file is equal, byte for byte, to that of an uninterrupted call. A part whose image files were
    changed since is predicted again. A part is an eighth of the images, of 256 to 4,096 of them.

    Args:
        model: As in `predict`.
        x: A folder, of which all images are taken, in subfolders too, a list of files, or a `Dataset`.
        path: The file, with the suffix ".csv", or ".parquet" (which needs the extra `breastcls[parquet]`). An existing
            file is replaced when all rows are there.
        batch_size: Images at a time.
        tta: As in `predict`.
        classes: As in `predict`.
        on_error: "raise" or "skip", as in `predict`. After an error, the parts before it are kept.
        workers: Workers of a Ray cluster that predict the parts; None predicts them in this process.
        progress: Whether to show a progress bar with the time left on standard error; by default if it is a terminal.
        engine: As in `predict`. An interrupted call is continued by the same engine only.

    Returns:
        What was written: it prints.

    Raises:
        EvaluationError: As `predict` does, or if images are given that are not files.
        OutputError: If the file cannot be written, its suffix names no format, or an interrupted call had another
            model, other files or other settings.
        ImageError: If an image cannot be read.

    Warns:
        DatasetWarning: If images are left out.
        EvaluationWarning: As `predict` does; the sizes of some images are compared, evenly spaced.

    Example:
        >>> predict_to_file("model.keras", "patches/", "predictions.csv")  # doctest: +SKIP
        predictions.csv: 277,524 images (predicted: benign 198,102, malignant 79,422)
    """
    target = Path(path)
    kind = choose_format(target)
    if target.is_dir():
        raise OutputError(f"{target} is a folder; expected the path of a file to write.")
    source = Path(model) if isinstance(model, str | os.PathLike) else None
    model = model if source is None else load_model(source)
    if isinstance(model, Session):
        raise EvaluationError("A session does not name its weights: give the model, and `engine`.")
    card = get_card(model)
    if isinstance(x, Dataset):
        if classes is not None:
            raise EvaluationError("`classes` come with a Dataset; leave them out.")
        x = check_dataset(model, card, x)
    files = FileList.open(x, x.classes if isinstance(x, Dataset) else find_classes(model, card, classes))
    files = dataclasses.replace(files, part_images=_choose_part(len(files.names), batch_size, workers))
    ran = record_engine(open_runner(model, engine))
    # Workers run the engine that was chosen here, whatever is installed there.
    chosen = ran["name"] if isinstance(model, keras.Model) else None
    options = PredictionOptions(batch_size, tta, on_error, prepared=False, engine=chosen)
    warn_if_unlike(card, files.data)
    rows = kind(_example_rows(files, card))
    parts = OutputParts(target, _settings(model, card, files, options) | {"engine": ran})
    return _write(PartJob(files, options, rows, parts), model, source, target, workers, progress)


def skipped_path(path: Path) -> Path:
    """Return the file beside an output that lists the images that cannot be read."""
    return path.with_name(f"{path.stem}.skipped.csv")


def _write(
    job: PartJob,
    model: Any,
    source: Path | None,
    target: Path,
    workers: RayWorkers | None,
    progress: bool | None,
) -> PredictionFile:
    files = job.files
    records = {number: record for number in range(len(files)) if (record := job.find(number)) is not None}
    continued = sum(record["images"] for record in records.values())
    missing = [number for number in range(len(files)) if number not in records]
    with progress_bar("Predicting images", len(files.names), progress) as advance:
        for record in records.values():
            _advance(advance, record)
        if workers is None:
            records.update((number, job.run(model, number, advance)) for number in missing)
        elif missing:
            for number, record in run_parts(job, _find_file(model, source, job.parts), missing, workers):
                records[number] = record
                _advance(advance, record)
    ordered = [records[number] for number in range(len(files))]
    images = sum(record["images"] for record in ordered)
    skipped = [tuple(one) for record in ordered for one in record["skipped"]]
    if not images:
        job.parts.remove()
        raise NoImageLeftError([SkippedImage(number, *one) for number, one in enumerate(skipped)])
    job.rows.join([job.parts.path(number) for number in range(len(files))], target)
    left_out = pd.DataFrame(skipped, columns=["path", "reason"]) if skipped else None
    _write_skipped(left_out, images, target)
    job.parts.remove()
    predicted: Counter[str] = Counter(dict.fromkeys(files.data.classes, 0))
    for record in ordered:
        predicted.update(record["predicted"])
    return PredictionFile(target, images, dict(predicted), left_out, continued)


def _advance(advance: Callable[[], None], record: Mapping[str, Any]) -> None:
    for _ in range(record["images"] + len(record["skipped"])):
        advance()


def _choose_part(images: int, batch_size: int, workers: RayWorkers | None) -> int:
    """Return the number of images per part: full batches, and some parts for each worker."""
    shared = max(_LEAST_PART, -(-images // 8)) if workers is None else -(-images // (4 * workers.count))
    wanted = min(_PART_IMAGES, shared)
    size = max(1, batch_size)
    return -(-wanted // size) * size


def _find_file(model: Any, source: Path | None, parts: OutputParts) -> Path:
    """Return the file from which workers load the model."""
    if source is not None:
        return source
    require_keras(model, "Sending a model to workers")
    return save_model(model, parts.folder / "model.keras")


def _write_skipped(skipped: pd.DataFrame | None, images: int, target: Path) -> None:
    beside = skipped_path(target)
    if skipped is None:
        # That of an earlier output would be taken for this one's.
        beside.unlink(missing_ok=True)
        return
    write_text(beside, write_rows(skipped))
    warnings.warn(
        f"{format_count(len(skipped), 'image')} of {images + len(skipped)} cannot be read and "
        f"{choose_form(len(skipped), 'was', 'were')} left out; "
        f"{beside.name} lists the reasons. First: {skipped['path'][0]}: {skipped['reason'][0]}",
        DatasetWarning,
        stacklevel=4,
    )


def _example_rows(files: FileList, card: ModelCard | None) -> pd.DataFrame:
    """Return one row with the columns and types of all rows."""
    one = files.data[:1]
    uniform = np.full((1, len(one.classes)), 1 / len(one.classes), np.float32)
    threshold = None if card is None else card.threshold
    flags = None if find_colour_limit(card) is None else np.zeros(1, bool)
    made = complete_predictions(predictions_of(one, uniform, threshold=threshold), card, ood=flags)
    return files.select_columns(complete_columns(made.to_frame(), made, files.names[:1]))


def _settings(
    model: keras.Model, card: ModelCard | None, files: FileList, options: PredictionOptions
) -> dict[str, Any]:
    """Return what the rows depend on."""
    weights = hash_weights(model)
    return {
        "version": __version__,
        "weights": weights,
        "card": None if card is None else hashlib.sha256(card.to_json().encode()).hexdigest(),
        "classes": list(files.data.classes),
        "images": len(files.names),
        "files": files.fingerprint(),
        "batch_size": options.batch_size,
        "tta": options.tta,
        "on_error": options.on_error,
        "part_images": files.part_images,
    }
