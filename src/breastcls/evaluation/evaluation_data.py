"""The data of an evaluation: what every section, table and figure of it reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from breastcls.datasets.leakage_report import LeakageReport
from breastcls.evaluation.source_references import SourceReferences
from breastcls.predictions.predictions import Predictions


@dataclass(frozen=True, eq=False)
class EvaluationData:
    """What an evaluation consists of.

    Attributes:
        predictions: The scored predictions, at the level that was scored.
        counts: Of the scored images: `images`, `slides`, `cases`, `classes` ({class: {`images`, `cases`}}). By slide or
            case an image counts for the class of its slide or case; images that `mixed_labels` drops are left out.
        settings: `bootstrap`, `aggregation`, `threshold`, `average`.
        sections: The value of each section by name; a section that does not apply is absent or None.
        images: The predictions by image that slides or cases were aggregated from; None where images were scored.
        leakage: The audit of training against test images, or None where the training set is not known, or neither
            cases nor slides could be compared.
        general_limitations: Sentences on the evaluation as a whole.
        section_limitations: Sentences on single sections, by the name of the section.
        section_cases: The number of cases of each class that a section is based on, by the name of the section.
        model: The model's card: `classes`, `backbone`, `provenance`, ... Empty for predictions without a model.
        fingerprints: SHA-256 of `predictions`, `weights`, `model_file`, `test_table`, `train_table`, as far as known.
        origin: When and on what it was made: `date` (ISO, UTC), the names of `test_data` and `train_data` where known,
            and `versions` of breastcls, Python, TensorFlow and Keras.
        source: Weak references to the model and the test set. They are no part of the JSON, of a copy on disk or of
            a pickle.
    """

    predictions: Predictions
    counts: Mapping[str, Any]
    settings: Mapping[str, Any]
    sections: Mapping[str, Any] = field(default_factory=dict)
    images: Predictions | None = None
    leakage: LeakageReport | None = None
    general_limitations: tuple[str, ...] = ()
    section_limitations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    section_cases: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)
    source: SourceReferences = field(default_factory=SourceReferences, repr=False, compare=False)

    def value_of(self, section: str) -> Any:
        """Return the value of a section, or None where the evaluation does not have it."""
        return self.sections.get(section)

    @property
    def limitations(self) -> tuple[str, ...]:
        """Sentences to read with the values: on the whole first, then those of each section."""
        return (*self.general_limitations, *(one for found in self.section_limitations.values() for one in found))

    @property
    def leak_allowed(self) -> bool:
        """Whether training and test are not independent, and the caller allowed that."""
        return self.leakage is not None and not self.leakage.clean

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; of two, the last one is the positive class."""
        return self.predictions.classes

    @property
    def unit(self) -> str:
        """The unit that was scored: "image", "slide" or "case"."""
        return str(self.settings["aggregation"]["level"])

    @property
    def confidence(self) -> float:
        """The confidence of the intervals, 0..1."""
        return float(self.settings["bootstrap"]["confidence"])

    @property
    def percent(self) -> str:
        """The confidence of the intervals, such as "95%"."""
        return f"{100 * self.confidence:g}%"
