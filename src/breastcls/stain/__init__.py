"""Stain: optical density, normalizers, and what they are compared with."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
