"""Evaluation of a model or of predictions: sections with confidence intervals over cases, and the report."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
