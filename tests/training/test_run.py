import json
import math
from pathlib import Path

import pandas as pd

from breastcls.training.checkpointing.resume import load_run
from breastcls.training.run import Run


def test_it_prints_and_serialises(tmp_path):
    history = pd.DataFrame({"epoch": [1, 2], "phase": "all", "loss": [1.0, 0.5], "val_loss": [1.0, float("nan")]})
    run = Run(history, {"fit": {}}, 2, {"loss": 0.5}, "patience", {"train": {"images": 3, "cases": 2}}, None, {}, 1.5)
    assert "3 images of 2 cases for 2 epochs in 2 s (patience)" in str(run)
    assert "epoch 2: loss 0.500" in str(run)
    text = run.to_json(tmp_path / "run.json")
    assert json.loads(Path(tmp_path / "run.json").read_text(encoding="utf-8")) == json.loads(text)
    assert json.loads(text)["history"][1]["val_loss"] is None


def test_the_input_mode_of_each_phase_and_the_penalty_are_printed():
    config = {
        "phases": [{"name": "head"}, {"name": "fine-tune"}],
        "input_modes": ["features", "images"],
        "precision": "bfloat16",
        "exact_head": {"c": 0.003162, "folds": 5, "scores": []},
    }
    data = {"train": {"images": 3, "cases": 2}}
    text = str(Run(pd.DataFrame({"epoch": [1]}), config, None, {"loss": 0.5}, "interrupted", data, None, {}))
    assert "Phases: head on features, fine-tune on images; computed in bfloat16." in text
    assert "C = 0.003162 (chosen by 5 folds over cases)" in text
    config |= {"input_modes": ["features"], "exact_head": {"c": 0.01, "folds": 0, "scores": []}}
    text = str(Run(pd.DataFrame({"epoch": [1]}), config, None, {"loss": 0.5}, "interrupted", data, None, {}))
    assert "Phases: head on features; computed" in text
    assert "C = 0.01 (assumed: too few cases)" in text


def test_a_loss_that_diverged_is_kept_and_the_json_stays_json(tmp_path):
    nan = float("nan")
    history = pd.DataFrame({"epoch": [1], "phase": "all", "loss": [nan]})
    data = {"train": {"images": 3, "cases": 2}}
    run = Run(history, {}, None, {"loss": nan, "val_loss": 1.0}, "all epochs done", data, None, {})
    text = run.to_json(tmp_path / "run.json")
    assert "NaN" not in text
    back = load_run(tmp_path)
    assert math.isnan(back.scores["loss"])
    assert back.scores["val_loss"] == 1.0


def test_the_curves_are_drawn(tmp_path):
    columns = {"epoch": [1, 2], "phase": "all", "loss": [1.0, 0.5], "accuracy": [0.5, 0.6], "learning_rate": 1e-3}
    scores = {"val_loss": [1.0, 0.7], "val_case_balanced_accuracy": [0.5, 0.8], "seconds": 1.0}
    run = Run(pd.DataFrame(columns | scores), {}, 2, {}, "all epochs done", {"train": {}}, None, {})
    run.plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
