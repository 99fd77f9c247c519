"""Run by `make wheel` with the Python of an empty environment: the installed package works by itself."""

import sys
import tempfile
import warnings

import breastcls as bc

assert "site-packages" in bc.__file__, bc.__file__
assert not {"tensorflow", "keras", "cv2", "matplotlib"} & set(sys.modules), "import breastcls must stay light"
for name in bc.__all__:
    for inner in getattr(getattr(bc, name), "__all__", ()):
        getattr(getattr(bc, name), inner)

warnings.simplefilter("error")
root = bc.datasets.make_breakhis(tempfile.mkdtemp(), magnifications=(200,), images_per_slide=1, image_size=(96, 128))
data = bc.load_breakhis(root)
train, test = data.split((0.5, 0.5))
assert bc.audit_leakage(train, test).clean

labels = [case % 2 for case in range(12) for _ in range(4)]
scored = bc.Predictions.from_arrays(
    probabilities=[(0.3 + 0.4 * label + row % 7 / 20) for row, label in enumerate(labels)],
    labels=labels,
    cases=[str(row // 4) for row in range(48)],
    classes=("benign", "malignant"),
)
result = bc.evaluate(scored, bootstrap=bc.intervals.Bootstrap(50))
assert bc.evaluation.read_schema()["properties"]["schema"]["const"] == result.to_dict()["schema"]
report = result.to_html(f"{tempfile.mkdtemp()}/report.html")
assert "Calibration" in report.read_text(encoding="utf-8")
print(f"breastcls {bc.__version__} installed by itself: {data}")
