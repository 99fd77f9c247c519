from .exact_head import LinearProbe as LinearProbe
from .exact_head import fit_linear_probe as fit_linear_probe
from .exact_head import write_probe as write_probe
from .feature_store import read_features as read_features
