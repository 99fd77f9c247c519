"""The check of the JSON values in a checkpoint, so that a file that was changed is skipped like a damaged one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from breastcls.argument_checks import is_count

_COUNTS = ("epoch",)
_STEP_COUNTS = ("phase", "end", "step")


def check_meta(meta: Any) -> None:
    """Check the values beside the arrays of a checkpoint.

    Args:
        meta: What the trainer wrote: of the beginning of a phase, or, with the key "step", of a state within one.

    Raises:
        ValueError: If a value is missing or has a wrong type.
    """
    _require(isinstance(meta, Mapping), "the values are no object")
    rows, modes = meta.get("rows"), meta.get("input_modes")
    _require(isinstance(rows, list) and all(map(_is_row, rows)), "rows is no list of epochs")
    named = isinstance(modes, list) and all(isinstance(mode, str) and mode.isascii() for mode in modes)
    _require(named, "input_modes is no list of names")
    _require(meta.get("exact_head") is None or isinstance(meta["exact_head"], Mapping), "exact_head is no object")
    for name in _COUNTS if "step" not in meta and "phase" not in meta else (*_COUNTS, *_STEP_COUNTS):
        _require(_is_count(meta.get(name)), f"{name} is no whole number")
    best = meta.get("best")
    _require(isinstance(best, Mapping) and _is_best(best), "best is not the record of an epoch")
    if "step" in meta:
        means = meta.get("means")
        sums = isinstance(means, Mapping) and set(means) == {"loss", "accuracy", "images"}
        _require(sums and all(map(_is_number, means.values())), "means are no sums")
        _require(isinstance(meta.get("stopped"), bool) and isinstance(meta.get("whole"), bool), "a flag is missing")
        _require(meta["phase"] < len(modes), "input_modes lacks the phase")


def _require(fulfilled: Any, message: str) -> None:
    if not fulfilled:
        raise ValueError(message)


def _is_count(value: Any) -> bool:
    # Larger numbers in JSON are not exact in every reader.
    return is_count(value, 0, 2**53 - 1)


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53)


def _is_row(row: Any) -> bool:
    if not isinstance(row, Mapping) or not _is_count(row.get("epoch")) or not isinstance(row.get("phase"), str):
        return False
    return all(_is_number(value) for name, value in row.items() if name != "phase")


def _is_best(best: Mapping[str, Any]) -> bool:
    scores = best.get("scores")
    if not isinstance(scores, Mapping) or not all(map(_is_number, scores.values())):
        return False
    epoch = best.get("epoch")
    known = epoch is None or (_is_count(epoch) and bool(scores))
    return known and _is_count(best.get("since")) and isinstance(best.get("here"), bool)
