"""What makes a run repeat on a GPU: the deterministic kernels of TensorFlow, asked for by the user."""

import subprocess
import sys

import pytest

# In a process of its own, since this setting of TensorFlow cannot be undone.
SCRIPT = """
import sys
import numpy as np
import tensorflow as tf

tf.config.experimental.enable_op_determinism()
import breastcls as bc

data = bc.load_table(sys.argv[1])
train, val, _ = data.split((0.5, 0.25, 0.25), seed=1)
for augment in ("standard", "mixup"):
    found = []
    for _ in range(2):
        model = bc.build_model("cnn4", classes=data.classes, image_size=32, weights=None, seed=3, dropout=0.3)
        bc.fit(model, train, val, augment=augment, epochs=1, batch_size=8)
        found.append(model.get_weights())
    assert all(np.array_equal(first, second) for first, second in zip(*found)), augment
"""


@pytest.mark.slow
def test_nothing_in_a_training_is_refused_where_all_must_be_deterministic(easy, tmp_path):
    """TensorFlow then raises at any draw without a seed, and at any kernel that it has no deterministic one for."""
    easy.table.to_csv(tmp_path / "easy.csv", index=False)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "easy.csv")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
