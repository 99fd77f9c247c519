"""Robustness: scores of a model on perturbed images, tests for shortcuts, and results by groups of appearance."""

import lazy_loader as _lazy

from breastcls.keras_backend import check_backend as _check_backend

# Its modules import Keras, which gives no helpful error where its backend is missing.
_check_backend()

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
