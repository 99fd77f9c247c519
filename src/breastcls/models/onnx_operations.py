"""Operations of TensorFlow that tf2onnx does not convert, added to its registry."""

from __future__ import annotations

from typing import Any

import numpy as np


def add_operations() -> None:
    """Add the complementary error function, which the exact GELU of Keras uses: erfc(x) = 1 - erf(x).

    A conversion that the installed tf2onnx has itself is kept.
    """
    from tf2onnx.handler import tf_op

    known = {name for opset in tf_op.get_opsets().get("", ()) for name in opset}
    if "Erfc" not in known:
        tf_op("Erfc")(_ComplementaryErrorFunction)


class _ComplementaryErrorFunction:
    @classmethod
    def version_9(cls, graph: Any, node: Any, **_: Any) -> None:
        """Convert one node; ONNX has `Erf` from version 9 of its operator set."""
        from tf2onnx import utils

        node.type = "Erf"
        [output] = node.output
        dtype = utils.map_onnx_to_numpy_type(graph.get_dtype(output))
        one = graph.make_const(utils.make_name("one"), np.ones((), dtype)).output[0]
        difference = graph.make_node(
            "Sub",
            [one, output],
            name=utils.make_name("erfc"),
            dtypes=[graph.get_dtype(output)],
            shapes=[graph.get_shape(output)],
        )
        graph.insert_node_on_output(difference, output)
