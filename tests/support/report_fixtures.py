"""Evaluations of simulated predictions, made by hand, to test reports apart from the evaluation."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from breastcls.datasets.leakage_report import LeakageReport
from breastcls.evaluation.evaluate import evaluate as score_predictions
from breastcls.evaluation.evaluation import Evaluation
from breastcls.evaluation.report import section_parts
from breastcls.evaluation.report.html_report import render_report
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.predictions import Predictions
from support.page_reader import Page

BREAKHIS = ("A", "F", "PT", "TA", "DC", "LC", "MC", "PC")
GRID = np.linspace(0, 1, 101)


def audit_report(**found: Any) -> LeakageReport:
    """Return an audit that found nothing but what is named."""
    nothing: dict[str, Any] = {
        "shared_cases": (),
        "shared_slides": (),
        "identical_files": (),
        "identical_pixels": (),
        "test_images": 288,
        "test_images_in_shared_cases": 0,
    }
    return LeakageReport(**(nothing | found))


def simulate(classes: tuple[str, ...], cases: int, per_case: int, paths: list[str] | None, seed: int) -> Predictions:
    """Draw predictions in which the images of one case go wrong together."""
    generator = np.random.default_rng(seed)
    label_of_case = np.arange(cases) % len(classes)
    case = np.repeat(np.arange(cases), per_case)
    labels = label_of_case[case]
    logits = generator.normal(0, 0.8, (cases, len(classes)))[case] + generator.normal(0, 0.9, (len(case), len(classes)))
    logits[np.arange(len(case)), labels] += 1.7
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = [f"14-{20000 + number}" for number in case]
    if len(classes) == 8:
        subtypes = [classes[label] for label in labels]
    else:
        subtypes = [BREAKHIS[4 * label + number % 4] for label, number in zip(labels, case, strict=True)]
    return Predictions.from_arrays(
        probabilities=probabilities,
        labels=labels,
        classes=classes,
        cases=names,
        slides=[f"{name}AB" for name in names],
        paths=paths
        or [
            f"/scans/SOB_{code}-{name}AB-200-{row:03d}.png"
            for row, (code, name) in enumerate(zip(subtypes, names, strict=True))
        ],
        magnifications=generator.choice([40, 100, 200, 400], len(case)),
        subtypes=subtypes,
        threshold=0.5 if len(classes) == 2 else None,
        part="test",
    )


def with_interval(value: float, width: float = 0.07) -> tuple[float, float, float]:
    return value, value - width, min(1.0, value + 0.8 * width)


def score(predictions: Predictions) -> pd.DataFrame:
    labels, decisions, probabilities = predictions.labels, predictions.decisions, predictions.probabilities
    binary = len(predictions.classes) == 2
    average = "binary" if binary else "macro"
    one_hot = np.eye(len(predictions.classes))[labels]
    values = {
        "balanced_accuracy": reference.balanced_accuracy_score(labels, decisions),
        "roc_auc": reference.roc_auc_score(labels, probabilities[:, 1] if binary else probabilities, multi_class="ovr"),
        "average_precision": reference.average_precision_score(one_hot, probabilities),
        "accuracy": reference.accuracy_score(labels, decisions),
        "precision": reference.precision_score(labels, decisions, average=average),
        "recall": reference.recall_score(labels, decisions, average=average),
        "specificity": reference.recall_score(
            labels, decisions, average=average, **({"pos_label": 0} if binary else {})
        ),
        "f1": reference.f1_score(labels, decisions, average=average),
        "mcc": reference.matthews_corrcoef(labels, decisions),
        "patient_recognition_rate": float((labels == decisions).mean()),
        "brier": float(((one_hot - probabilities) ** 2).sum(axis=1).mean()),
        "log_loss": reference.log_loss(labels, probabilities),
    }
    return pd.DataFrame(
        {name: with_interval(value) for name, value in values.items()}, index=["value", "low", "high"]
    ).T


def curves(predictions: Predictions) -> tuple[pd.DataFrame, pd.DataFrame]:
    roc, precision_recall = [], []
    binary = len(predictions.classes) == 2
    for index, name in enumerate(predictions.classes):
        if binary and index == 0:
            continue
        truth, chance = predictions.labels == index, predictions.probabilities[:, index]
        fpr, tpr, threshold = reference.roc_curve(truth, chance)
        table = pd.DataFrame({"threshold": threshold, "fpr": fpr, "tpr": tpr})
        table["low"], table["high"] = (tpr - 0.08).clip(0, 1), (tpr + 0.06).clip(0, 1)
        precision, recall, threshold = reference.precision_recall_curve(truth, chance)
        other = pd.DataFrame({"threshold": [*threshold, np.nan], "recall": recall, "precision": precision})
        other["low"], other["high"] = (precision - 0.08).clip(0, 1), (precision + 0.06).clip(0, 1)
        for tables, curve in ((roc, table), (precision_recall, other)):
            tables.append(curve if binary else curve.assign(**{"class": name}))
    return pd.concat(roc, ignore_index=True), pd.concat(precision_recall, ignore_index=True)


def groups(predictions: Predictions, keys: Any, measures: dict[str, Any]) -> pd.DataFrame:
    rows = {}
    for key in pd.unique(np.asarray(keys)):
        chosen = np.asarray(keys) == key
        row: dict[str, Any] = {
            "images": int(chosen.sum()),
            "slides": len(set(predictions.slides[chosen])),
            "cases": len(set(predictions.cases[chosen])),
        }
        for name, measure in measures.items():
            row[name], row[f"{name}_low"], row[f"{name}_high"] = with_interval(measure(chosen), 0.1)
        rows[key] = row
    return pd.DataFrame.from_dict(rows, orient="index").sort_index()


def evaluate_by_hand(
    classes: tuple[str, ...] = ("benign", "malignant"),
    *,
    cases: int = 24,
    per_case: int = 12,
    paths: list[str] | None = None,
    seed: int = 4,
    **changes: Any,
) -> Evaluation:
    """Return an evaluation of simulated predictions; `changes` replace its fields and sections."""
    predictions = simulate(classes, cases, per_case, paths, seed)
    labels, decisions = predictions.labels, predictions.decisions
    metrics = score(predictions)
    roc, precision_recall = curves(predictions)
    right = labels == decisions
    names = np.asarray(classes, dtype=object)[labels]
    per_class = groups(
        predictions,
        names,
        {
            "precision": lambda chosen: right[chosen].mean(),
            "recall": lambda chosen: right[chosen].mean() - 0.03,
            "specificity": lambda chosen: right[~chosen].mean(),
            "f1": lambda chosen: right[chosen].mean() - 0.015,
        },
    ).reindex(list(classes))
    several = {
        "accuracy": lambda chosen: right[chosen].mean(),
        "balanced_accuracy": lambda chosen: right[chosen].mean(),
        "roc_auc": lambda chosen: 0.9,
    }
    by_subtype = groups(predictions, predictions.subtypes, several)
    for name in ("balanced_accuracy", "roc_auc"):
        by_subtype[[name, f"{name}_low", f"{name}_high"]] = np.nan
    sections: dict[str, Any] = {
        "metrics": metrics,
        "per_class": per_class.drop(columns="slides"),
        "confusion": pd.DataFrame(
            reference.confusion_matrix(labels, decisions, labels=range(len(classes))),
            index=classes,
            columns=classes,
        ),
        "roc": roc,
        "precision_recall": precision_recall,
        "by_subtype": by_subtype,
        "by_magnification": groups(predictions, predictions.magnifications, several),
        "colour_baseline": metrics - 0.11,
    }
    fields: dict[str, Any] = {
        "predictions": predictions,
        "sections": sections,
        "counts": {
            "images": len(labels),
            "slides": cases,
            "cases": cases,
            "classes": {
                name: {
                    "images": int((names == name).sum()),
                    "cases": len(set(predictions.cases[names == name])),
                }
                for name in classes
            },
        },
        "settings": {
            "bootstrap": {"resamples": 2000, "confidence": 0.95, "method": "percentile", "seed": 7},
            "aggregation": {"level": "image", "method": "mean", "mixed_labels": "error"},
            "threshold": predictions.threshold,
            "average": "macro",
        },
        "leakage": audit_report(),
        "general_limitations": ("Four subtypes have three cases each: their metrics are uncertain.",),
        "model": {
            "classes": classes,
            "backbone": "mobilenet",
            "backbone_options": {"alpha": 0.25},
            "weights": "imagenet",
            "image_size": (224, 224),
            "head": "linear",
            "seed": 20240,
            "provenance": {
                "recipe": "frozen features",
                "trained_on": {"images": 1204, "slides": 58, "cases": 49, "split": "by case"},
                "epochs": 30,
                "data_sha256": "9f2c" * 16,
            },
        },
    }
    return change(Evaluation(**fields), **changes)


def change(evaluation: Evaluation, **changes: Any) -> Evaluation:
    """Return an evaluation with other fields and sections."""
    names = {field.name for field in dataclasses.fields(evaluation)}
    sections = {name: value for name, value in changes.items() if name not in names}
    fields = {name: value for name, value in changes.items() if name in names}
    return dataclasses.replace(evaluation, sections={**evaluation.sections, **sections}, **fields)


def attached_tables() -> dict[str, Any]:
    """Return something for every section that can be attached."""
    rows = [
        (name, strength, metric, 0.9 - 0.1 * place, 0.8 - 0.1 * place, 0.95 - 0.1 * place)
        for name in ("stain", "blur", "jpeg", "brightness")
        for place, strength in enumerate((0.0, 1.0, 2.0))
        for metric in ("balanced_accuracy", "roc_auc")
    ]
    robustness = pd.DataFrame(rows, columns=["perturbation", "strength", "metric", "value", "low", "high"])
    checks = pd.DataFrame(
        {
            "roc_auc": [0.85, 0.7],
            "roc_auc_low": [0.75, np.nan],
            "roc_auc_high": [0.92, np.nan],
            "images": [288, 288],
            "note": ["all", "all"],
        },
        index=pd.Index(["stain-normalised", "block shuffled"], name="check"),
    )
    group = {"images": [100, 188], "slides": [10, 20], "cases": [9, 18]}
    for name in ("accuracy", "balanced_accuracy", "roc_auc"):
        group |= {name: [0.9, 0.8], f"{name}_low": [0.8, 0.7], f"{name}_high": [0.95, 0.9]}
    groups = pd.DataFrame(group, index=pd.Index(["lowest quarter", "highest quarter"]))
    ood = {"auroc": [0.9, 0.8], "fpr95": [0.2, 0.5]}
    ood |= {f"{name}_{end}": [0.5, 0.5] for name in ood for end in ("low", "high")}
    return {
        "robustness": robustness,
        "shortcuts": checks,
        "baselines": checks.drop(columns="note").rename(index={"stain-normalised": "PFTAS and SVM"}),
        "by_stain": groups,
        "by_sharpness": groups,
        "conformal": {"coverage": 0.91, "wanted": 0.9, "by_class": checks},
        "ood": pd.DataFrame(ood, index=pd.Index(["entropy", "energy"], name="score")),
        "risk_coverage": pd.DataFrame(
            {"coverage": [0.2, 0.6, 1.0], "risk": [0.02, 0.1, 0.2], "low": [0.0, 0.05, 0.1], "high": [0.1, 0.2, 0.3]}
        ),
    }


def evaluate_whole(classes: tuple[str, ...] = ("benign", "malignant"), **options: Any) -> Evaluation:
    """Return what `breastcls.evaluate` finds of simulated predictions, with everything attached."""
    predictions = simulate(classes, 24, 12, options.pop("paths", None), 4)
    return score_predictions(predictions, bootstrap=Bootstrap(60), **options).with_sections(**attached_tables())


@pytest.fixture(scope="session")
def whole() -> Callable[..., Evaluation]:
    return evaluate_whole


@pytest.fixture(scope="session")
def attached() -> dict[str, Any]:
    return attached_tables()


@pytest.fixture(scope="session")
def evaluate() -> Callable[..., Evaluation]:
    return evaluate_by_hand


@pytest.fixture(scope="session")
def audit() -> Callable[..., LeakageReport]:
    return audit_report


@pytest.fixture
def words_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Page]:
    """Return the page of an evaluation without its figures, which take most of the time."""
    monkeypatch.setattr(section_parts, "_figures", lambda section, value, evaluation: [])
    return lambda evaluation, **options: Page(render_report(evaluation, **options))


@pytest.fixture
def tissue(tmp_path: Path) -> list[str]:
    """288 paths to 24 small pictures that look a little like tissue."""
    generator = np.random.default_rng(0)
    paths = []
    for number in range(24):
        picture = np.full((46, 70, 3), (226, 190, 214), np.uint8)
        for _ in range(40):
            centre = tuple(int(value) for value in generator.integers(0, (70, 46)))
            cv2.circle(picture, centre, int(generator.integers(2, 4)), (120, 60, 140), -1)
        path = tmp_path / f"SOB_M_DC-14-{20000 + number}-200-001.png"
        cv2.imwrite(str(path), picture)
        paths += [str(path)] * 12
    return paths
