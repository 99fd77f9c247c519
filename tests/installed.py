"""Run by `make wheel` with the Python of an empty environment: the installed package works by itself."""

import sys
import tempfile
import warnings

import breastcls as bc

assert "site-packages" in bc.__file__, bc.__file__
assert not {"tensorflow", "keras", "cv2", "matplotlib"} & set(sys.modules), "import breastcls must stay light"
for name in bc.__all__:
    getattr(bc, name)

warnings.simplefilter("error")
root = bc.make_breakhis(tempfile.mkdtemp(), magnifications=(200,), images_per_slide=1, image_size=(96, 128))
data = bc.load_breakhis(root)
train, test = data.split((0.5, 0.5))
assert bc.audit_leakage(train, test).clean
print(f"breastcls {bc.__version__} installed by itself: {data}")
