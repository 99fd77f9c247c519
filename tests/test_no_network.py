"""Nothing reaches the network by itself: neither the package nor the libraries that report their use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parent / "support"
SRC = Path(__file__).resolve().parents[1] / "src"

MAIN_PATHS = """
import importlib.util
import warnings

import breastcls as bc

warnings.simplefilter("ignore")
print(bc.list_backbones().names[0])
root = bc.datasets.make_breakhis(
    "images", magnifications=[200], slides_per_subtype=4, images_per_slide=2, image_size=(48, 72)
)
data = bc.load_breakhis(root)
train, val, test = data.split((0.5, 0.2, 0.3), seed=1)
print(bc.audit_leakage(train + val, test))
data.check()
model = bc.build_model("cnn4", classes=data.classes, image_size=(24, 36), filters=(4, 4, 8, 8), seed=1)
# Augmentation with KerasCV, which loads the clients of two hubs.
run = bc.fit(model, train, val, epochs=1, augment="strong", seed=1, run_dir="run")
bc.calibration.store_calibration(model, bc.calibration.fit_calibrator(bc.predict(model, val), "temperature"))
result = bc.evaluate(model, test, train=train + val, bootstrap=bc.intervals.Bootstrap(50))
print(result)
result.to_html("report.html")
bc.explain(model, test[:2]).save("heatmaps")
bc.save_model(model, "model.keras")
expected = bc.predict(bc.load_model("model.keras"), test).positive
bc.predict(model, root, on_error="skip").to_csv("predictions.csv")
for name, package in (("m.onnx", "onnxruntime"), ("m.xml", "openvino"), ("m.tflite", "ai_edge_litert")):
    if importlib.util.find_spec(package) is not None:
        bc.export.export_model(model, name, check=test[:4])
        assert abs(bc.predict(bc.load_model(name), test).positive - expected).max() < 1e-4
        print("exported", name)
"""


def run_without_network(code, folder, **variables):
    """Run code in a new process; return its output and the attempts to reach a network."""
    script, attempts = folder / "script.py", folder / "attempts.txt"
    script.write_text(code, encoding="utf-8")
    attempts.touch()
    command = [sys.executable, str(SUPPORT / "blocked_network.py"), str(script), str(attempts)]
    environment = {**os.environ, "PYTHONPATH": str(SRC), "BREASTCLS_CACHE": str(folder / "cache"), **variables}
    found = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    return found, attempts.read_text(encoding="utf-8")


def test_the_check_can_fail(tmp_path):
    code = """
import socket
import urllib.request
for attempt in (
    lambda: urllib.request.urlopen("http://example.org"),
    lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
    lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"x", ("::1", 9)),
):
    try:
        attempt()
    except OSError as error:
        print(type(error).__name__)
"""
    found, attempts = run_without_network(code, tmp_path)
    assert found.stdout.split() == ["URLError", "OSError", "OSError"], found.stderr
    assert "example.org" in attempts
    assert "socket.getaddrinfo ('192.0.2.1', 80" in attempts or "socket.connect (('192.0.2.1', 80" in attempts
    assert "socket.sendto" in attempts


@pytest.mark.slow
def test_the_main_paths_reach_no_network(tmp_path):
    found, attempts = run_without_network(MAIN_PATHS, tmp_path)
    assert found.returncode == 0, found.stderr[-3000:]
    assert attempts == ""
    assert (tmp_path / "report.html").is_file()
    assert "exported m.onnx" in found.stdout
    assert "exported m.xml" in found.stdout
    assert "exported m.tflite" in found.stdout
