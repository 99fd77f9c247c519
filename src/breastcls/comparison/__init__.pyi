from .comparison import Comparison as Comparison
from .delong_test import CorrelatedAUC as CorrelatedAUC
from .delong_test import delong as delong
