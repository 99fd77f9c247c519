"""From probabilities to decisions: thresholds, calibration, prediction sets, what a decision is worth."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
