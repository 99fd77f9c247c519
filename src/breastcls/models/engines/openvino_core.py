"""The one `openvino.Core` of a process."""

from __future__ import annotations

import functools
from typing import Any

from breastcls.models.engines.engine_packages import import_openvino


@functools.cache
def open_core() -> Any:
    """Return the core of this process, which reads and compiles all networks.

    Each core that compiles a network sets an alternate stack for signal handlers in its thread, and restores the stack
    before it when it is destroyed. If an earlier core is destroyed before a later one, the thread keeps a stack that
    was freed, and the next signal that Python handles, such as Ctrl-C, ends the process (OpenVINO 2026.4).

    Raises:
        ModelError: If OpenVINO is not installed.
    """
    return import_openvino().Core()
