from .checks.faithfulness import Faithfulness as Faithfulness
from .checks.faithfulness import measure_faithfulness as measure_faithfulness
from .checks.sanity_checks import SanityReport as SanityReport
from .checks.sanity_checks import check_explanation as check_explanation
from .methods.attribution import Attribution as Attribution
from .methods.attribution import Explainer as Explainer
from .methods.method_registry import list_methods as list_methods
from .methods.method_registry import register_method as register_method
