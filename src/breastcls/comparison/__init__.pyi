from .auc_covariance import CorrelatedAUC as CorrelatedAUC
from .auc_covariance import delong as delong
from .comparison import Comparison as Comparison
