"""The operations that are added to tf2onnx, against Keras."""

import keras
import numpy as np
import pytest

from breastcls.models.keras_export import prepare_export

onnxruntime = pytest.importorskip("onnxruntime")


def test_the_exact_gelu_is_converted(tmp_path):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Activation(lambda x: keras.activations.gelu(x, approximate=False))(inputs))
    values = np.linspace(-6, 6, 400, dtype=np.float32).reshape(-1, 4)
    expected = keras.ops.convert_to_numpy(model(values))
    path = tmp_path / "gelu.onnx"
    with prepare_export(model, "onnx", "gelu"):
        model.export(str(path), format="onnx", verbose=False, opset_version=18)
    session = onnxruntime.InferenceSession(str(path))
    [found] = session.run(None, {session.get_inputs()[0].name: values})
    np.testing.assert_allclose(found, expected, atol=1e-6)
