"""Comparison of explanation methods over a dataset: one call, one table."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from breastcls.errors import ExplanationError, ExplanationWarning
from breastcls.explanation.checks.agreement import measure_agreement
from breastcls.explanation.checks.baseline_table import HEATMAP, MAPS, describe_sample, interval_text
from breastcls.explanation.checks.case_means import check_cases, mean_over_cases
from breastcls.explanation.checks.faithfulness import Faithfulness, baseline_curves
from breastcls.explanation.checks.localisation import Localisation, measure_localisation
from breastcls.explanation.checks.removal_curves import CURVES, RemovalCurves
from breastcls.explanation.explain import explain
from breastcls.explanation.forward_model import open_scores
from breastcls.explanation.methods.method_registry import METHODS
from breastcls.explanation.target_score import open_target
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.json_values import table_to_dict
from breastcls.metrics.division import divide
from breastcls.result import Result
from breastcls.text_tables import wide_table

GAINS = ("gain_random", "gain_centre")


@dataclass(frozen=True, eq=False, repr=False)
class MethodComparison(Result):
    """The result of `compare_methods`.

    Attributes:
        table: One row per method, by its name. For each measure `deletion`, `insertion`, `imputation`, and with masks
            `pointing`, `iou`, `inside`: the value with `_low` and `_high`, and with `_gain_random` and `_gain_centre`
            the paired gains over random maps and the map of the centre, each with `_low` and `_high`.
            `glass_share` with `_low` and `_high`: the share of the evidence on glass. `agreement`: mean rank
            correlation with the other methods. `flagged`: number of heat-maps with a flag. `seconds`: time of
            `explain` per image.
        agreement: Mean rank correlation between the heat-maps of each two methods.
        skipped: By name of a method, why it could not explain this model.
        counts: `images`, `cases`.
        bootstrap: How the confidence intervals over cases are computed.
        cases_known: Whether the cases are known, or each image is counted as a case of its own.
    """

    table: pd.DataFrame
    agreement: pd.DataFrame
    skipped: Mapping[str, str]
    counts: Mapping[str, int]
    bootstrap: Bootstrap
    cases_known: bool = True

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures of the table."""
        names = [str(name) for name in self.table.columns]
        return tuple(name.removesuffix("_gain_random") for name in names if name.endswith("_gain_random"))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values; NaN becomes None."""
        return {
            "table": table_to_dict(self.table),
            "agreement": table_to_dict(self.agreement),
            "skipped": dict(self.skipped),
            "counts": dict(self.counts),
            "confidence": self.bootstrap.confidence,
        }

    def __str__(self) -> str:
        head = ["method", *(f"{name}, gain over random" for name in self.measures), "on glass", "agreement", "s/image"]
        rows = [head]
        for name, row in self.table.iterrows():
            gains = [f"{measure}_gain_random" for measure in self.measures]
            rows.append(
                [
                    str(name),
                    *(interval_text(row[g], row[f"{g}_low"], row[f"{g}_high"], signed=True) for g in gains),
                    f"{row['glass_share']:.2f}",
                    f"{row['agreement']:.2f}",
                    f"{row['seconds']:.2f}",
                ]
            )
        counted, limits = describe_sample(self.counts["images"], self.counts["cases"], self.cases_known)
        unit = "cases" if self.cases_known else "images"
        lines = [
            f"Explanation methods on {counted}, {100 * self.bootstrap.confidence:g}% CI over {unit}; a gain is "
            "positive where a method is better than random maps on these images",
            "",
            wide_table(rows, width=120),
        ]
        if limits:
            lines += ["", *limits]
        if self.skipped:
            lines += ["", "Not computed", *(f"  {name}: {reason}" for name, reason in self.skipped.items())]
        return "\n".join(lines)


def compare_methods(
    model: Any,
    images: Any,
    methods: str | Sequence[str] | Mapping[str, str] | None = None,
    *,
    masks: Sequence[np.ndarray] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    cases: Sequence[str] | None = None,
    steps: int = 10,
    bootstrap: Bootstrap | None = None,
    batch_size: int = 8,
    engine: str | None = None,
    seed: int = 0,
    **arguments: Any,
) -> MethodComparison:
    """Compare explanation methods on one model and the same images, in one table with confidence intervals over cases.

    Args:
        model: A Keras model.
        images: A `Dataset`, or images in any other form that `breastcls.explain` takes.
        methods: One or more names of `list_methods()`; None takes all. One that cannot explain this model is listed in
            `skipped`. A mapping from any names to methods compares a method with different options.
        masks: One mask per image at its own size, (height, width), for the pointing game, the overlap and the share of
            evidence inside; see `measure_localisation`.
        options: By name, the options of the method: `{"rise": {"masks": 1000}}`.
        cases: The case of each image. None takes those of the dataset; without any, each image is a case of its own.
        steps: Number of steps of the deletion and insertion curves.
        bootstrap: How the confidence intervals over cases are computed; default: `Bootstrap(seed=seed)`.
        batch_size: Number of images in one forward pass.
        engine: What runs a Keras model on images with removed pixels, and for methods that perturb the image; see
            `breastcls.predict`.
        seed: Seed of the random maps.
        **arguments: Other arguments of `breastcls.explain`, such as `target_class`.

    Returns:
        A `MethodComparison`: one row per method, the rank correlations between methods, and the methods left out.

    Raises:
        RegistryError: If there is no such method.
        ExplanationError: If no method can explain the model, there are options for another one, or a mask or a case is
            missing.

    Example:
        >>> import breastcls as bc
        >>> model = bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32, seed=7)
        >>> images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
        >>> compared = compare_methods(model, images, ["smooth-grad", "occlusion"], steps=2, target_class="malignant")
        >>> compared.table.index.tolist(), compared.measures
        (['smooth-grad', 'occlusion'], ('deletion', 'insertion', 'imputation'))
    """
    drawn = bootstrap or Bootstrap(seed=seed)
    if methods is None:
        methods = list(METHODS)
    methods = [methods] if isinstance(methods, str) else methods
    named = dict(methods) if isinstance(methods, Mapping) else {name: name for name in methods}
    if not named:
        raise ExplanationError("There are no methods to compare; expected at least one name of list_methods().")
    for name in options or {}:
        if name not in named:
            raise ExplanationError(f"There are options for {name!r}; expected one of the methods {', '.join(named)}.")
    entries = {name: METHODS[method] for name, method in named.items()}
    rows: dict[str, dict[str, Any]] = {}
    explanations: dict[str, Any] = {}
    skipped: dict[str, str] = {}
    removal: RemovalCurves | None = None
    codes = np.zeros(0, dtype=np.int64)
    baselines: dict[str, dict[str, np.ndarray]] = {}
    for name, entry in entries.items():
        began = time.perf_counter()
        try:
            with warnings.catch_warnings():
                # The table has the number of flags.
                warnings.simplefilter("ignore", ExplanationWarning)
                chosen = dict((options or {}).get(name, {}))
                made = explain(
                    model,
                    images,
                    entry.name,
                    batch_size=batch_size,
                    engine=engine if entry.perturbs else None,
                    **arguments,
                    **chosen,
                )
        except ExplanationError as error:
            skipped[name] = str(error)
            continue
        seconds = (time.perf_counter() - began) / len(made)
        if removal is None:
            pixels = made.images.astype(np.float32)
            scored = open_scores(model, made.images, batch_size, "faithfulness", engine=engine)
            targeted, targets = open_target(scored, made)
            removal = RemovalCurves(targeted, pixels, targets, steps=steps, seed=seed)
            cases = made.cases if cases is None else cases
            codes = check_cases(cases, len(made))
            # The same for all methods.
            baselines = baseline_curves(removal, pixels, seed)
        of_maps = {HEATMAP: removal.measure(made.heatmaps), **baselines}
        curves = {curve: {map_: of_maps[map_][curve] for map_ in MAPS} for curve in CURVES}
        results: list[Faithfulness | Localisation] = [
            Faithfulness(name, removal.fractions, curves, codes, drawn, of_probabilities=removal.of_probabilities)
        ]
        if masks is not None:
            results.append(measure_localisation(made, masks, cases=[str(code) for code in codes], bootstrap=drawn))
        rows[name] = {
            **{key: value for result in results for key, value in _flatten(result.table).items()},
            **_glass_columns(made, codes, drawn),
            "flagged": sum(map(bool, made.flags)),
            "seconds": seconds,
        }
        explanations[name] = made
    if not rows:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
        raise ExplanationError(f"No method can explain the model. {reasons}")
    agreement = measure_agreement(explanations)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")
    others = agreement.to_numpy(copy=True)
    np.fill_diagonal(others, np.nan)
    defined = np.isfinite(others)
    mean = divide(np.where(defined, others, 0.0).sum(axis=1), defined.sum(axis=1))
    table.insert(list(table.columns).index("flagged"), "agreement", mean)
    counts = {"images": len(codes), "cases": int(codes.max()) + 1}
    return MethodComparison(table, agreement, skipped, counts, drawn, cases is not None)


def _flatten(table: pd.DataFrame) -> dict[str, float]:
    """Return the values, gains and bounds of a table as one row."""
    row: dict[str, float] = {}
    for measure, found in table.iterrows():
        row[str(measure)] = float(found["value"])
        row |= {f"{measure}_{end}": float(found[end]) for end in ("low", "high")}
        for gain in GAINS:
            row[f"{measure}_{gain}"] = float(found[gain])
            row |= {f"{measure}_{gain}_{end}": float(found[f"{gain}_{end}"]) for end in ("low", "high")}
    return row


def _glass_columns(explanation: Any, codes: np.ndarray, bootstrap: Bootstrap) -> dict[str, float]:
    shares = explanation.glass_share.astype(np.float64)
    # A blank heat-map has no evidence anywhere.
    shares[explanation.heatmaps.max(axis=(1, 2)) == 0.0] = np.nan
    mean, bounds = mean_over_cases(shares[:, np.newaxis], codes, bootstrap, np.zeros(1), np.ones(1))
    ends = {"glass_share_low": float(bounds.low[0]), "glass_share_high": float(bounds.high[0])}
    return {"glass_share": float(mean[0]), **ends}
