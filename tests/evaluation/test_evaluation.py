import json

import numpy as np
import pytest

from breastcls.evaluation.evaluate import evaluate


@pytest.fixture
def found(draw):
    return evaluate(draw(), resamples=100)


def test_the_text_starts_with_the_headline(found, capsys):
    found.print()
    lines = capsys.readouterr().out.splitlines()
    value, low, high = found.metrics.loc["balanced_accuracy"]
    assert lines[0].startswith(f"Balanced accuracy {value:.3f} ({low:.3f}-{high:.3f}), AUC ")
    assert lines[1].startswith("300 images, ") or "slides" in lines[1]
    assert "24 cases" in lines[1]
    table = [line for line in lines if line.startswith("  ") and " to " in line]
    assert len(table) == 13
    assert len({line.index(" to ") for line in table}) == 1


def test_repr_is_one_line(found):
    assert "\n" not in repr(found)


def test_json_is_plain_and_complete(found, tmp_path):
    content = json.loads(found.to_json(tmp_path / "found.json"))
    assert content == json.loads((tmp_path / "found.json").read_text())
    assert content["schema"] == "breastcls.evaluation/1"
    metrics = content["metrics"]
    assert metrics["columns"] == ["value", "low", "high"]
    place = metrics["index"].index("roc_auc")
    np.testing.assert_allclose(metrics["data"][place], found.metrics.loc["roc_auc"])
    assert content["confusion"]["data"] == found.confusion.to_numpy().tolist()
    assert content["by_subtype"]["data"][0][content["by_subtype"]["columns"].index("roc_auc")] is None
    assert content["leakage"] is None


def test_it_draws_and_reports(found, tmp_path):
    figure = found.plot(tmp_path / "found.png")
    assert figure.axes
    assert (tmp_path / "found.png").stat().st_size > 1000
    page = found.to_html(tmp_path / "found.html")
    assert "<html" in page.read_text(encoding="utf-8")
