"""int8 models of OpenVINO, by post-training quantisation of NNCF, and the change that they cause."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from breastcls.comparison.compare_models import compare
from breastcls.datasets.dataset import Dataset
from breastcls.errors import BreastclsError, EvaluationError, EvaluationWarning, ModelError
from breastcls.export.export_formats import ExportFormat
from breastcls.export.parity import measure_parity
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.minimum_cases import REASONS
from breastcls.json_values import to_json_values
from breastcls.metrics.metric_descriptions import metric_title
from breastcls.models.engines.engine_packages import find_version, import_openvino, is_installed, short_message
from breastcls.models.engines.openvino_core import open_core
from breastcls.models.engines.openvino_session import open_file
from breastcls.models.inference import run_passes
from breastcls.models.model_card import ModelCard
from breastcls.models.probability_rule import classify_outputs
from breastcls.predictions.dataset_predictions import predictions_of
from breastcls.predictions.pixel_batches import open_batches

MAIN_METRIC = "balanced_accuracy"
LARGEST_SUBSET = 300
_RESAMPLES = 2000
_TELEMETRY = "openvino_telemetry"


def require_quantization(entry: ExportFormat, quantize: Any) -> None:
    """Check that a model can be quantised with these images in this format.

    Raises:
        ModelError: If it cannot.
    """
    if entry.name != "openvino":
        raise ModelError(f"`quantize` is for format='openvino'; found format={entry.name!r}.")
    if not isinstance(quantize, Dataset) or len(quantize) == 0:
        raise ModelError(
            f"quantize={type(quantize).__name__}: expected a Dataset of about 100 to 300 training images, such as "
            "train[::4]."
        )
    if not is_installed("nncf"):
        raise ModelError('int8 needs nncf. Install it with: pip install "breastcls[quantization]"')


def quantize_file(path: Path, card: ModelCard, calibration: Dataset, check: Any) -> dict[str, Any]:
    """Replace an OpenVINO model by its int8 form, and return how its predictions change.

    Args:
        path: The `.xml` file.
        card: The card of the exported model.
        calibration: The images from which the ranges of the activations are computed; at most the first 300.
        check: The images on which the change is measured, or None for those of `calibration`.

    Returns:
        JSON values: `method`, `versions`, `calibration_images`; `change`, the fields of `Parity`; `metric`: balanced
        accuracy of both forms and the difference with its 95% confidence interval over cases, or None with the reason
        in `metric_reason`.

    Raises:
        ModelError: If NNCF cannot quantise the model.
    """
    openvino = import_openvino()
    session = open_file(path)
    used = calibration[:LARGEST_SUBSET]
    pixels = open_batches(session, card, used, 1, progress=False)
    try:
        # NNCF shows its progress on standard output.
        with _nncf() as nncf, redirect_stdout(sys.stderr):
            data = nncf.Dataset(np.asarray(batch, np.float32) for batch in pixels.batches)
            quantized = nncf.quantize(open_core().read_model(path), data, subset_size=len(used))
    except BreastclsError:
        raise
    except Exception as error:
        raise ModelError(f"NNCF cannot quantise the model: {short_message(error)}") from error
    small = path.with_name(f"int8-{path.name}")
    openvino.save_model(quantized, small, compress_to_fp16=False)
    other = open_file(small)
    measured = calibration if check is None else check
    change = measure_parity(session, card, other, card, measured)
    metric, reason = _compare_metric(session, other, card, measured)
    session.close()
    other.close()
    for suffix in (".bin", ".xml"):
        small.with_suffix(suffix).replace(path.with_suffix(suffix))
    return {
        "method": "post-training int8 quantization (NNCF)",
        "versions": {name: find_version(name) for name in ("nncf", "openvino")},
        "calibration_images": len(used),
        "measured_on_calibration_images": check is None,
        "change": change.to_dict(),
        "metric": metric,
        "metric_reason": reason,
    }


def _compare_metric(first: Any, second: Any, card: ModelCard, data: Any) -> tuple[dict[str, Any] | None, str | None]:
    """Return the metric of both forms and its difference, or the reason why it is not measured."""
    if not isinstance(data, Dataset) or not data.has_labels:
        return None, "the images have no labels"
    both = {"int8": _predict(second, card, data), "float32": _predict(first, card, data)}
    if both["int8"].cases is None:
        return None, "the images have no cases"
    try:
        with warnings.catch_warnings():
            # That there are few cases is visible in the interval.
            warnings.simplefilter("ignore", EvaluationWarning)
            found = compare(both, metric=MAIN_METRIC, bootstrap=Bootstrap(_RESAMPLES))
    except EvaluationError as error:
        return None, str(error).rstrip(".")
    row = found.differences.xs(MAIN_METRIC, level="metric").iloc[0]
    values = found.metrics.loc[MAIN_METRIC]
    return to_json_values(
        {
            "name": MAIN_METRIC,
            "title": metric_title(MAIN_METRIC),
            "cases": found.counts["cases"],
            **{name: float(values.to_dict()[name]) for name in both},
            **{name: float(row[name]) for name in ("difference", "low", "high")},
            "reason": REASONS.get(str(row["reason"])),
        }
    ), None


def _predict(session: Any, card: ModelCard, data: Dataset) -> Any:
    batches = open_batches(session, card, data, 16, progress=False).batches
    found = classify_outputs(run_passes(session, batches), card)
    return predictions_of(data, found.probabilities, threshold=found.threshold)


@contextmanager
def _nncf() -> Iterator[Any]:
    """Import NNCF without its telemetry and its progress bars."""
    before = sys.modules.get(_TELEMETRY)
    if "nncf" not in sys.modules:
        # NNCF reports its use by this package, and reports nothing where it cannot be imported.
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        import nncf
    finally:
        if sys.modules.get(_TELEMETRY, 0) is None:
            if before is None:
                del sys.modules[_TELEMETRY]
            else:
                sys.modules[_TELEMETRY] = before
    level = logging.getLogger("nncf").level
    nncf.set_log_level(logging.ERROR)
    try:
        yield nncf
    finally:
        nncf.set_log_level(level)
