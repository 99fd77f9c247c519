from .fitting import fit_normalizer as fit_normalizer
from .macenko import Macenko as Macenko
from .normalizer import StainNormalizer as StainNormalizer
from .normalizer_registry import list_normalizers as list_normalizers
from .normalizer_registry import normalizer_from_dict as normalizer_from_dict
from .normalizer_registry import register_normalizer as register_normalizer
from .reinhard import Reinhard as Reinhard
from .vahadane import Vahadane as Vahadane
