"""Models as students and other libraries save them, with random weights."""

import keras
import numpy as np

CLASSES = ("benign", "malignant")
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)


def student_network(activation="sigmoid", outputs=1, size=16, batch=None, first=()):
    """Return a network for images of values 0..1 that breastcls did not build."""
    glorot = keras.initializers.GlorotUniform
    return keras.Sequential(
        [
            keras.Input((size, size, 3), batch_size=batch),
            *first,
            keras.layers.Conv2D(4, 3, activation="relu", kernel_initializer=glorot(1)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(outputs, activation=activation, kernel_initializer=glorot(2)),
        ]
    )


def write_torch_like_onnx(path, *, batch="batch", side=16, classes=2, softmax=True, channels=3, inputs=1, kernel=None):
    """Write an ONNX file as PyTorch exports it, (n, 3, height, width): a pooling, a linear layer, a softmax.

    Returns the function that it computes, from float images (n, height, width, 3) to its outputs.
    """
    from onnx import TensorProto, helper, numpy_helper

    if kernel is None:
        kernel = np.random.default_rng(1).normal(size=(channels if isinstance(channels, int) else 3, classes))
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "kernel"], ["logits"]),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["logits"], ["output"], axis=1))
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "network",
        [
            value("input", TensorProto.FLOAT, [batch, channels, side, side]),
            *[value(f"more{number}", TensorProto.FLOAT, [batch, 4]) for number in range(1, inputs)],
        ],
        [value("output" if softmax else "logits", TensorProto.FLOAT, [batch, classes])],
        [numpy_helper.from_array(kernel.astype(np.float32), "kernel")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    path.write_bytes(model.SerializeToString())

    def compute(images):
        logits = images.mean(axis=(1, 2)) @ kernel
        if not softmax:
            return logits
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return raised / raised.sum(axis=1, keepdims=True)

    return compute
