from .baseline_registry import Baseline as Baseline
from .baseline_registry import cross_validate_baselines as cross_validate_baselines
from .baseline_registry import list_baselines as list_baselines
from .baseline_registry import predict_by_baseline as predict_by_baseline
from .baseline_registry import register_baseline as register_baseline
from .baseline_registry import score_baselines as score_baselines
from .colour_baseline import predict_by_colour as predict_by_colour
from .texture_baseline import predict_by_texture as predict_by_texture
