"""The JSON values of checkpoints, as the trainer writes them."""

PHASE_META = {
    "rows": [{"epoch": 1, "phase": "all", "loss": 0.1}],
    "input_modes": [],
    "exact_head": None,
    "epoch": 0,
    "best": {"epoch": 1, "scores": {"loss": 0.1}, "since": 0, "here": False},
}
"""Of the beginning of a phase."""

STEP_META = {
    **PHASE_META,
    "input_modes": ["features", "images", "images", "images"],
    "phase": 0,
    "end": 3,
    "step": 0,
    "means": {"loss": 0.5, "accuracy": 1.0, "images": 2},
    "stopped": False,
    "whole": False,
}
"""Of a state within a phase."""
