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


def snippet():
    [code] = [
        code
        for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        if "def classify" in code
    ]
    return code


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


@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
def test_the_documented_code_gives_the_same_decisions(resize, images, tmp_path):
    pytest.importorskip("onnxruntime")
    model = bc.build_model("cnn4", classes=("benign", "malignant"), image_size=32, filters=(4, 4, 4, 8), seed=1)
    set_card(model, get_card(model).replace(resize=resize, temperature=0.01))
    scores = np.sort(bc.predict(model, images).probabilities[:, 1])
    set_card(model, get_card(model).replace(threshold=float(scores[1:3].mean())))
    expected = bc.predict(model, images)
    assert set(expected.decisions) == {0, 1}
    path = tmp_path / "model.onnx"
    export_model(model, path, case_names="omit")
    script = tmp_path / "run.py"
    script.write_text(BLOCKED + snippet() + RUN, encoding="utf-8")
    subprocess.run([sys.executable, str(script), str(path), *images], check=True, cwd=tmp_path)
    found = np.load(f"{path}.npz")
    np.testing.assert_allclose(found["probabilities"], expected.probabilities, atol=1e-4)
    assert found["predicted"].tolist() == [expected.classes[index] for index in expected.decisions]
