from .appearance_groups import score_by_appearance as score_by_appearance
from .perturbation_robustness import Robustness as Robustness
from .perturbation_robustness import measure_robustness as measure_robustness
from .perturbations import Perturbation as Perturbation
from .perturbations import list_perturbations as list_perturbations
from .perturbations import register_perturbation as register_perturbation
from .shortcuts import ShortcutChecks as ShortcutChecks
from .shortcuts import check_shortcuts as check_shortcuts
