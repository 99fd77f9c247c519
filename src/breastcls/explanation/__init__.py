"""Explanation: heat-maps of the evidence for a class in an image, and checks of such heat-maps."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
