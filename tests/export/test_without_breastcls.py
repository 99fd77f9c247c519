"""The code of the documentation runs an exported model in a process that cannot import breastcls."""

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import breastcls as bc
from breastcls.export import export_model
from breastcls.models import get_card, set_card

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "export.md"
BLOCKED = """
import sys
for name in ("breastcls", "keras", "tensorflow"):
    sys.modules[name] = None
"""
RUN = """
import numpy
probabilities, predicted = classify(sys.argv[1], sys.argv[2:])
numpy.savez(sys.argv[1] + ".npz", probabilities=probabilities, predicted=predicted)
"""


ONNX_LINES = re.compile(r"    session = onnxruntime.*\n    \[probabilities\] = session.run.*\n")


def snippet(suffix):
    """Return the code of the page for a format."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    [code] = [block for block in blocks if "def classify" in block]
    if suffix == ".onnx":
        return code
    [imported, empty, *lines] = next(block for block in blocks if block.startswith("import openvino")).splitlines()
    assert not empty
    text = "".join(f"    {line}\n" for line in lines).replace('"model.xml"', "model_file")
    replaced, count = ONNX_LINES.subn(lambda _: text, code.replace("import onnxruntime", imported))
    assert count == 1
    return replaced


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    draw = np.random.default_rng(0)
    paths = []
    # Larger, smaller, and larger in one direction only.
    for number, size in enumerate(((60, 90), (20, 24), (32, 32), (24, 70), (97, 31))):
        paths.append(str(folder / f"{number}.png"))
        cv2.imwrite(paths[-1], draw.integers(0, 256, (*size, 3), dtype=np.uint8) // (number + 1))
    return paths


@pytest.mark.parametrize(
    ("resize", "suffix", "package"),
    [
        ("stretch", ".onnx", "onnxruntime"),
        ("crop", ".onnx", "onnxruntime"),
        ("pad", ".onnx", "onnxruntime"),
        ("stretch", ".xml", "openvino"),
    ],
)
def test_the_documented_code_gives_the_same_decisions(resize, suffix, package, images, tmp_path):
    pytest.importorskip(package)
    model = bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32, filters=(4, 4, 4, 8), seed=1)
    set_card(model, get_card(model).replace(resize=resize, temperature=0.01))
    scores = np.sort(bc.predict(model, images).probabilities[:, 1])
    set_card(model, get_card(model).replace(threshold=float(scores[1:3].mean())))
    expected = bc.predict(model, images)
    assert set(expected.decisions) == {0, 1}
    path = tmp_path / f"model{suffix}"
    export_model(model, path, case_names="omit")
    script = tmp_path / "run.py"
    script.write_text(BLOCKED + snippet(suffix) + RUN, encoding="utf-8")
    subprocess.run([sys.executable, str(script), str(path), *images], check=True, cwd=tmp_path)
    found = np.load(f"{path}.npz")
    np.testing.assert_allclose(found["probabilities"], expected.probabilities, atol=1e-4)
    assert found["predicted"].tolist() == [expected.classes[index] for index in expected.decisions]
