"""Image files to batches: decoding, formats, resizing, the image cache, the pipeline, checks of files."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
