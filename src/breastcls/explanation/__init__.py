"""Explanation: heat-maps of what in an image speaks for a class, and the tests that such maps must pass."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
