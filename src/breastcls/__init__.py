"""Classify breast histology images, with case-wise splits and confidence intervals over cases.

The public names are listed in `__init__.pyi` and imported when first used, so that `import breastcls` loads neither
TensorFlow nor pandas. Everything that is not at the top level is found in a subpackage, such as
`breastcls.calibration.fit_calibrator`.
"""

import lazy_loader as _lazy

from breastcls._version import __version__ as __version__

__getattr__, __dir__, _names = _lazy.attach_stub(__name__, __file__)
__all__ = sorted({*_names, "__version__"})
