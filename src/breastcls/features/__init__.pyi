from .embedding_table import load_embeddings as load_embeddings
from .exact_head import write_probe as write_probe
from .feature_extraction import extract_features as extract_features
from .feature_store import read_features as read_features
from .linear_probe import LinearProbe as LinearProbe
from .linear_probe import fit_linear_probe as fit_linear_probe
