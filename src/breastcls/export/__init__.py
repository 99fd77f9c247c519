"""A trained model as one file for other programs: SavedModel, ONNX, OpenVINO, LiteRT."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
