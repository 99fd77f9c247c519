from .conformal import fit_conformal as fit_conformal
from .conformal_sets import ConformalSets as ConformalSets
from .net_benefit import decision_curve as decision_curve
from .operating_points import operating_table as operating_table
from .stored_decisions import store_conformal as store_conformal
from .stored_decisions import store_threshold as store_threshold
from .thresholds import Threshold as Threshold
from .thresholds import choose_threshold as choose_threshold
