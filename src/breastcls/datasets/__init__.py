"""The table of images: its readers, splits, the audit for leakage, published folds, synthetic images."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
