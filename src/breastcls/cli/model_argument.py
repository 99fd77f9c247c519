"""A model on the command line: a file, or the folder of a run."""

from __future__ import annotations

from pathlib import Path


def find_model(path: str) -> str:
    """Return the model file of the folder of a run, and any other path unchanged."""
    inside = Path(path) / "model.keras"
    return str(inside) if inside.is_file() else path
