"""The outputs of a network that Keras exported to OpenVINO."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from breastcls.models.engines.engine_packages import import_openvino
from breastcls.models.engines.openvino_core import open_core

# The name that TensorFlow gives to what a traced function returns.
_RETURNED = "Identity"


def drop_unused_outputs(path: Path) -> None:
    """Remove the outputs of a network file that are not outputs of the model.

    OpenVINO makes an output of every tensor of the graph that nothing uses, such as one that a layer computes and does
    not return.

    Args:
        path: The `.xml` file that `keras.Model.export` wrote. It is replaced if there are such outputs.
    """
    network = open_core().read_model(path)
    unused = [port for port in network.outputs if not any(name.startswith(_RETURNED) for name in port.get_names())]
    if not unused or len(unused) == len(network.outputs):
        return
    for port in unused:
        network.remove_result(port.get_node())
    with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent, ignore_cleanup_errors=True) as folder:
        import_openvino().serialize(network, Path(folder) / path.name)
        # The weights are read while they are written: the old files are replaced afterwards.
        del network
        for suffix in (".bin", ".xml"):
            os.replace(Path(folder) / path.with_suffix(suffix).name, path.with_suffix(suffix))
