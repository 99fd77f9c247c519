"""Classify breast histology images with honest numbers.

The names below are the public surface; each is imported when first touched, so that `import breastcls` costs next to
nothing and loads no TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from breastcls._version import __version__

if TYPE_CHECKING:
    from breastcls.datasets.breakhis import load_breakhis
    from breastcls.datasets.dataset import Dataset
    from breastcls.datasets.folder import load_folder
    from breastcls.datasets.frames import load_table
    from breastcls.datasets.idc import load_idc
    from breastcls.datasets.leakage import LeakageReport, audit_leakage
    from breastcls.datasets.opening import preview
    from breastcls.datasets.synthetic.trees import make_breakhis, make_idc
    from breastcls.evaluation.comparison import compare
    from breastcls.evaluation.evaluate import evaluate
    from breastcls.evaluation.evaluation import Evaluation
    from breastcls.evaluation.predict import predict
    from breastcls.evaluation.predictions import Predictions
    from breastcls.explanation.explain import explain
    from breastcls.explanation.explanation import Explanation
    from breastcls.models.build import build_model
    from breastcls.models.catalogue import list_backbones, register_backbone
    from breastcls.models.persistence import load_model, save_model
    from breastcls.training.fit import fit
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
    "LeakageReport": "datasets.leakage",
    "list_backbones": "models.catalogue",
    "register_backbone": "models.catalogue",
    "build_model": "models.build",
    "save_model": "models.persistence",
    "load_model": "models.persistence",
    "fit": "training.fit",
    "Run": "training.run",
    "predict": "evaluation.predict",
    "Predictions": "evaluation.predictions",
    "evaluate": "evaluation.evaluate",
    "Evaluation": "evaluation.evaluation",
    "compare": "evaluation.comparison",
    "explain": "explanation.explain",
    "Explanation": "explanation.explanation",
}

__all__ = [
    "Dataset",
    "Evaluation",
    "Explanation",
    "LeakageReport",
    "Predictions",
    "Run",
    "__version__",
    "audit_leakage",
    "build_model",
    "compare",
    "evaluate",
    "explain",
    "fit",
    "list_backbones",
    "load_breakhis",
    "load_folder",
    "load_idc",
    "load_model",
    "load_table",
    "make_breakhis",
    "make_idc",
    "predict",
    "preview",
    "register_backbone",
    "save_model",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'breastcls' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"breastcls.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
