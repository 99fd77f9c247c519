"""The prediction of one part of a large output, in this process or in a worker."""

from __future__ import annotations

import dataclasses
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from breastcls.errors import DatasetWarning, ImageError
from breastcls.models.engines.choose_engine import open_runner
from breastcls.models.model_card import get_card
from breastcls.predictions.classified_images import PredictionOptions, predict_dataset
from breastcls.predictions.file_list import FileList
from breastcls.predictions.image_stream import NoImageLeftError
from breastcls.predictions.output_parts import OutputParts
from breastcls.predictions.predictions_csv import complete_columns
from breastcls.predictions.row_files import RowFormat
from breastcls.text_tables import format_count


@dataclass(frozen=True, eq=False)
class PartJob:
    """What is needed to predict any part, without the model.

    Attributes:
        files: The images.
        options: How they are predicted.
        rows: The format of the output.
        parts: Where the parts are written.
    """

    files: FileList
    options: PredictionOptions
    rows: RowFormat
    parts: OutputParts

    def find(self, number: int) -> dict[str, Any] | None:
        """Return the record of a part that an earlier call has written, else None."""
        return self.parts.find(number, lambda: self.files.state(number))

    def run(self, model: keras.Model, number: int, advance: Callable[[], None] | None = None) -> dict[str, Any]:
        """Predict the images of a part, write their rows, and return the record of the part.

        Args:
            model: The model.
            number: The number of the part.
            advance: Called after each image.

        Raises:
            ImageError: If an image cannot be read and the options say "raise".
        """
        state = self.files.state(number)
        record = self._write(model, number, self.parts.prepare(number), advance or _ignore)
        self.parts.finish(number, record, state)
        return record

    def _write(self, model: keras.Model, number: int, path: Any, advance: Callable[[], None]) -> dict[str, Any]:
        files, names = self.files, self.files.shown_names(number)
        settings = dataclasses.replace(self.options, progress=advance)
        try:
            with warnings.catch_warnings():
                # One warning at the end names all that were left out.
                warnings.simplefilter("ignore", DatasetWarning)
                runner = open_runner(model, settings.engine)
                made = predict_dataset(runner, get_card(model), files.part(number), settings)
        except NoImageLeftError as error:
            self.rows.write_part(self.rows.example.iloc[:0], path)
            skipped = [(names[one.path], one.reason) for one in error.skipped]
            return {"images": 0, "predicted": {}, "skipped": skipped}
        except ImageError as error:
            if number:
                before = format_count(number * files.part_images, "image")
                error.add_note(
                    f"The predictions of the first {before} are kept, and the same call continues after them."
                )
            raise
        paths = [] if made.paths is None else [names[str(one)] for one in made.paths]
        self.rows.write_part(files.select_columns(complete_columns(made.to_frame(), made, paths)), path)
        left = [] if made.skipped is None else made.skipped.to_numpy().tolist()
        counts = Counter(made.classes[decision] for decision in made.decisions)
        return {
            "images": len(made),
            "predicted": dict(counts),
            "skipped": [(names[one], reason) for one, reason in left],
        }


def _ignore() -> None:
    return None
