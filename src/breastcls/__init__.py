"""Classify breast histology images with honest numbers.

The names below are the public surface; each is imported when first touched, so that `import breastcls` costs next to
nothing and loads no TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from breastcls._version import __version__

if TYPE_CHECKING:
    from breastcls import recipes
    from breastcls.datasets.breakhis import load_breakhis
    from breastcls.datasets.dataset import Dataset
    from breastcls.datasets.folder import load_folder
    from breastcls.datasets.frames import load_table
    from breastcls.datasets.idc import load_idc
    from breastcls.datasets.leakage import LeakageReport, audit_leakage
    from breastcls.datasets.opening import preview
    from breastcls.datasets.stain import fit_stain
    from breastcls.datasets.synthetic.trees import make_breakhis, make_idc
    from breastcls.evaluation.comparing.comparison import Comparison, compare
    from breastcls.evaluation.decisions.calibration import Calibration, assess_calibration
    from breastcls.evaluation.decisions.calibrators import Calibrator, fit_calibrator
    from breastcls.evaluation.decisions.conformal import ConformalSets, fit_conformal
    from breastcls.evaluation.decisions.decision_curve import decision_curve, operating_table
    from breastcls.evaluation.decisions.kept_decisions import store_calibration, store_conformal, store_threshold
    from breastcls.evaluation.decisions.thresholds import Threshold, choose_threshold
    from breastcls.evaluation.doubt.strangers import score_unknown
    from breastcls.evaluation.evaluate import evaluate
    from breastcls.evaluation.evaluation import Evaluation
    from breastcls.evaluation.intervals import Bootstrap
    from breastcls.evaluation.predict import predict
    from breastcls.evaluation.predictions import Predictions
    from breastcls.evaluation.yardsticks.baselines import score_baselines
    from breastcls.evaluation.yardsticks.robustness import Robustness, robustness
    from breastcls.evaluation.yardsticks.shortcuts import ShortcutChecks, shortcut_checks
    from breastcls.evaluation.yardsticks.texture_baseline import predict_by_texture
    from breastcls.explanation.explain import explain
    from breastcls.explanation.explanation import Explanation
    from breastcls.models.build import build_model
    from breastcls.models.catalogue import list_backbones, register_backbone
    from breastcls.models.ensemble import Ensemble
    from breastcls.models.persistence import load_model, save_model
    from breastcls.recipes.result import RecipeResult
    from breastcls.recipes.running import run_recipe
    from breastcls.reporting.figures import save_figure
    from breastcls.training.distribution.workers import join_workers
    from breastcls.training.fit import fit
    from breastcls.training.protocols.breakhis_protocol import evaluate_protocol
    from breastcls.training.protocols.comparison_of_splits import compare_splits
    from breastcls.training.protocols.cross_validation import cross_validate
    from breastcls.training.protocols.cross_validation_result import CrossValidation
    from breastcls.training.protocols.protocol_result import ProtocolResult
    from breastcls.training.protocols.split_comparison import SplitComparison
    from breastcls.training.rerun import rerun
    from breastcls.training.run import Run

_PLACES = {
    "Dataset": "datasets.dataset",
    "load_breakhis": "datasets.breakhis",
    "load_idc": "datasets.idc",
    "load_folder": "datasets.folder",
    "load_table": "datasets.frames",
    "make_breakhis": "datasets.synthetic.trees",
    "make_idc": "datasets.synthetic.trees",
    "audit_leakage": "datasets.leakage",
    "preview": "datasets.opening",
    "fit_stain": "datasets.stain",
    "LeakageReport": "datasets.leakage",
    "list_backbones": "models.catalogue",
    "register_backbone": "models.catalogue",
    "build_model": "models.build",
    "save_model": "models.persistence",
    "load_model": "models.persistence",
    "Ensemble": "models.ensemble",
    "fit": "training.fit",
    "rerun": "training.rerun",
    "Run": "training.run",
    "join_workers": "training.distribution.workers",
    "cross_validate": "training.protocols.cross_validation",
    "compare_splits": "training.protocols.comparison_of_splits",
    "evaluate_protocol": "training.protocols.breakhis_protocol",
    "CrossValidation": "training.protocols.cross_validation_result",
    "SplitComparison": "training.protocols.split_comparison",
    "ProtocolResult": "training.protocols.protocol_result",
    "predict": "evaluation.predict",
    "Predictions": "evaluation.predictions",
    "Bootstrap": "evaluation.intervals",
    "evaluate": "evaluation.evaluate",
    "Evaluation": "evaluation.evaluation",
    "compare": "evaluation.comparing.comparison",
    "Comparison": "evaluation.comparing.comparison",
    "Threshold": "evaluation.decisions.thresholds",
    "choose_threshold": "evaluation.decisions.thresholds",
    "Calibrator": "evaluation.decisions.calibrators",
    "fit_calibrator": "evaluation.decisions.calibrators",
    "assess_calibration": "evaluation.decisions.calibration",
    "Calibration": "evaluation.decisions.calibration",
    "store_threshold": "evaluation.decisions.kept_decisions",
    "store_calibration": "evaluation.decisions.kept_decisions",
    "store_conformal": "evaluation.decisions.kept_decisions",
    "decision_curve": "evaluation.decisions.decision_curve",
    "operating_table": "evaluation.decisions.decision_curve",
    "save_figure": "reporting.figures",
    "fit_conformal": "evaluation.decisions.conformal",
    "ConformalSets": "evaluation.decisions.conformal",
    "score_unknown": "evaluation.doubt.strangers",
    "robustness": "evaluation.yardsticks.robustness",
    "Robustness": "evaluation.yardsticks.robustness",
    "shortcut_checks": "evaluation.yardsticks.shortcuts",
    "ShortcutChecks": "evaluation.yardsticks.shortcuts",
    "score_baselines": "evaluation.yardsticks.baselines",
    "predict_by_texture": "evaluation.yardsticks.texture_baseline",
    "explain": "explanation.explain",
    "Explanation": "explanation.explanation",
    "run_recipe": "recipes.running",
    "RecipeResult": "recipes.result",
}

__all__ = [
    "Bootstrap",
    "Calibration",
    "Calibrator",
    "Comparison",
    "ConformalSets",
    "CrossValidation",
    "Dataset",
    "Ensemble",
    "Evaluation",
    "Explanation",
    "LeakageReport",
    "Predictions",
    "ProtocolResult",
    "RecipeResult",
    "Robustness",
    "Run",
    "ShortcutChecks",
    "SplitComparison",
    "Threshold",
    "__version__",
    "assess_calibration",
    "audit_leakage",
    "build_model",
    "choose_threshold",
    "compare",
    "compare_splits",
    "cross_validate",
    "decision_curve",
    "evaluate",
    "evaluate_protocol",
    "explain",
    "fit",
    "fit_calibrator",
    "fit_conformal",
    "fit_stain",
    "join_workers",
    "list_backbones",
    "load_breakhis",
    "load_folder",
    "load_idc",
    "load_model",
    "load_table",
    "make_breakhis",
    "make_idc",
    "operating_table",
    "predict",
    "predict_by_texture",
    "preview",
    "recipes",
    "register_backbone",
    "rerun",
    "robustness",
    "run_recipe",
    "save_figure",
    "save_model",
    "score_baselines",
    "score_unknown",
    "shortcut_checks",
    "store_calibration",
    "store_conformal",
    "store_threshold",
]


def __getattr__(name: str) -> Any:
    if name == "recipes":  # the one public name that is a package of its own
        return importlib.import_module("breastcls.recipes")
    if name not in _PLACES:
        raise AttributeError(f"module 'breastcls' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"breastcls.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
