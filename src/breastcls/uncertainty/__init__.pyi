from .out_of_distribution import score_ood as score_ood
from .selective_prediction import aurc as aurc
from .selective_prediction import risk_coverage as risk_coverage
from .uncertainty_scores import UncertaintyScore as UncertaintyScore
from .uncertainty_scores import list_uncertainty_scores as list_uncertainty_scores
from .uncertainty_scores import register_uncertainty_score as register_uncertainty_score
from .uncertainty_scores import score_members as score_members
from .uncertainty_scores import score_predictions as score_predictions
