"""Every example runs without arguments but fewer epochs, on synthetic images, and says where its report is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SHORTER = {
    "quickstart.py": ["--epochs", "1"],
    "breakhis.py": ["--folds", "2"],
    "idc.py": ["--epochs", "1"],
}


def test_no_example_is_forgotten():
    assert {path.name for path in EXAMPLES.glob("*.py")} - {"quiet.py"} == set(SHORTER)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHORTER)
def test_it_runs_and_names_its_report(name, tmp_path):
    command = [sys.executable, "-W", "ignore", str(EXAMPLES / name), "--output", str(tmp_path / "out"), *SHORTER[name]]
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ, cwd=tmp_path)
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.rstrip().splitlines()[-1].startswith("Report")
    assert (tmp_path / "out" / "report.html").stat().st_size > 50_000
    assert list((tmp_path / "out" / "heatmaps").glob("*.png"))
    # The start-up messages of TensorFlow are not part of the output of an example.
    assert "TensorFlow" not in result.stderr
    assert "cuda" not in result.stderr.lower()
