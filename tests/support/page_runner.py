"""Runs the scripts whose paths it reads, all in one process, and answers each with a line of JSON."""

import contextlib
import io
import json
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any


def run_script(path: Path) -> dict[str, str]:
    """Return what the script printed, and the traceback of its error, empty without one."""
    printed, error = io.StringIO(), ""
    names: dict[str, Any] = {"__name__": "__main__"}
    os.chdir(path.parent)
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        try:
            exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
        except Exception:
            error = traceback.format_exc()
    return {"printed": printed.getvalue(), "error": error}


if __name__ == "__main__":
    # Apart from what libraries print.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(run_script(Path(line.strip()))), file=answers, flush=True)
