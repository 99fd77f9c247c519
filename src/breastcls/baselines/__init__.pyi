from .baseline import Baseline as Baseline
from .baseline_predictions import cross_validate_baselines as cross_validate_baselines
from .baseline_predictions import predict_by_baseline as predict_by_baseline
from .baseline_predictions import score_baselines as score_baselines
from .baseline_registry import list_baselines as list_baselines
from .baseline_registry import register_baseline as register_baseline
