"""The result of an export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typing_extensions import override

from breastcls.export.export_formats import EXPORT_FORMATS
from breastcls.export.parity import Parity
from breastcls.metrics.number_format import format_count
from breastcls.models.sidecar import Sidecar, sidecar_path
from breastcls.models.vector_input import require_image_size
from breastcls.models.weights_licence import weights_licence
from breastcls.result import Result


@dataclass(frozen=True, eq=False, repr=False)
class ExportReport(Result):
    """What `export_model` wrote, and how it compares with the Keras model.

    Attributes:
        path: The model file, or the folder of a SavedModel.
        sidecar: The content of the JSON file beside it.
        parity: The comparison with the Keras model, before quantisation.
        tolerance: The largest difference of a probability that was accepted.
        engine: Name and version of the engine that ran the file for the comparison.
        bytes: Size of all its files.
        quantization: The change by quantisation, as `Sidecar.quantization`; None without.
    """

    path: Path
    sidecar: Sidecar
    parity: Parity
    tolerance: float
    engine: str
    bytes: int
    quantization: Mapping[str, Any] | None = field(default=None)

    @property
    def sidecar_path(self) -> Path:
        """The JSON file beside the model."""
        return sidecar_path(self.path)

    @property
    def licence(self) -> str:
        """The licence of the initial weights, or "" where they are random or not known."""
        return weights_licence(vars(self.sidecar.card))

    @override
    def __str__(self) -> str:
        card, title = self.sidecar.card, EXPORT_FORMATS[self.sidecar.format].title
        height, width = require_image_size(card, "An exported model")
        opset = f", opset {self.sidecar.opset}" if self.sidecar.opset else ""
        precision = ", int8" if self.quantization else ""
        lines = [
            f"Exported to {self.path} ({title}{opset}{precision}, {self.bytes / 1e6:.1f} MB) and "
            f"{self.sidecar_path.name}.",
            f"Compared with Keras by {self.engine}; accepted: {self.tolerance:.0e}.",
            str(self.parity),
            *_quantization_lines(self.quantization),
            f"Input `image`: float32 (n, {height}, {width}, 3), RGB 0..255. Output "
            f"`probabilities`: float32 (n, {len(card.classes)}): {', '.join(card.classes)}.",
        ]
        lines += [f"- {line}" for line in self._notes()]
        return "\n".join(lines)

    def _notes(self) -> list[str]:
        card, notes = self.sidecar.card, []
        calibration = self.sidecar.to_dict()["calibration"]
        if calibration is not None:
            notes.append(f"The calibration ({calibration['method']}) is part of the graph.")
        if len(card.classes) == 2:
            threshold = self.sidecar.to_dict()["decision"]["threshold"]
            notes.append(f"The threshold, {threshold:g}, is in the JSON file: the graph returns probabilities.")
        if card.stain is not None:
            notes.append(
                f"The stain normalizer ({card.stain['name']}) is not part of the graph: other programs must apply it "
                "to images before they are resized; breastcls does."
            )
        if "conformal" in card.provenance:
            notes.append("Prediction sets are stored in the card only: other programs get probabilities.")
        if "names_omitted" in card.provenance:
            notes.append(
                "Names of cases and slides were left out, so that `evaluate` cannot compare them with test cases."
            )
        if self.licence:
            notes.append(f"Licence of the initial weights: {self.licence.removesuffix('.')}.")
        return notes

    @override
    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values, without absolute paths."""
        return {
            "model_file": self.path.name,
            "sidecar": self.sidecar_path.name,
            "format": self.sidecar.format,
            "opset": self.sidecar.opset,
            "bytes": self.bytes,
            "engine": self.engine,
            "tolerance": self.tolerance,
            "parity": self.parity.to_dict(),
            "quantization": None if self.quantization is None else dict(self.quantization),
            "licence": self.licence or None,
            "notes": self._notes(),
        }


def _quantization_lines(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return []
    change = found["change"]
    lines = [
        f"int8 against float32 on {change['images']} {change['source']}: largest change of a probability "
        f"{change['largest_difference']:.2g}, mean {change['mean_difference']:.2g}, "
        f"{format_count(change['decisions_changed'], 'decision')} changed."
    ]
    metric = found["metric"]
    if metric is None:
        return [*lines, f"The change of a metric was not measured: {found['metric_reason']}."]
    interval = f"95% CI {metric['low']:+.4f} to {metric['high']:+.4f}" if metric["low"] is not None else "no CI"
    return [
        *lines,
        f"{metric['title']}: {metric['float32']:.4f} in float32, {metric['int8']:.4f} in int8; difference "
        f"{metric['difference']:+.4f} ({interval} over {metric['cases']} cases).",
        *([f"There is no CI: {metric['reason']}."] if metric["reason"] else []),
    ]
