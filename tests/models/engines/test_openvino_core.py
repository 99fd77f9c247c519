"""One core for all networks, so that closed networks leave the thread able to handle signals."""

import subprocess
import sys

import pytest

from support.platforms import POSIX

pytest.importorskip("openvino")

CODE = """
import os, signal, sys
import numpy as np
from breastcls.models.engines.openvino_core import open_core
from breastcls.models.engines.openvino_session import open_file
import openvino
from openvino import opset13

pixels = opset13.parameter([-1, 8, 8, 3], np.float32)
flat = opset13.reshape(pixels, opset13.constant([0, 192]), special_zero=True)
output = opset13.softmax(opset13.matmul(flat, opset13.constant(np.ones((192, 2), np.float32)), False, False), 1)
openvino.save_model(openvino.Model([output], [pixels]), sys.argv[1])
images = np.zeros((2, 8, 8, 3), np.uint8)
session, other = open_file(sys.argv[1]), open_file(sys.argv[1])
session.run(images), list(session.run_batches([images, images])), other.run(images)
session.close()
del session
other.close()
assert open_core() is open_core()
signal.signal(signal.SIGTERM, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGTERM)
"""


@POSIX
def test_a_signal_is_handled_after_networks_were_closed(tmp_path):
    done = subprocess.run([sys.executable, "-c", CODE, str(tmp_path / "network.xml")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr[-2000:]
