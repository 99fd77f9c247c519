import json
import re
import types

import jsonschema
import numpy as np
import pandas as pd
import pytest

from breastcls.errors import EvaluationError, EvaluationWarning, OutputError
from breastcls.evaluation.evaluate import evaluate
from breastcls.evaluation.evaluation_schema import SCHEMA, read_schema
from breastcls.evaluation.section_registry import SECTIONS
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.aggregation import Aggregation
from breastcls.predictions.predictions import Predictions


@pytest.fixture
def found(draw):
    return evaluate(draw(), bootstrap=Bootstrap(100))


def test_the_text_starts_with_the_headline(found, capsys):
    found.print()
    lines = capsys.readouterr().out.splitlines()
    value, low, high, _ = found.metrics.loc["balanced_accuracy"]
    assert lines[0].startswith(f"Balanced accuracy {value:.3f} ({low:.3f}-{high:.3f}), ROC AUC ")
    assert lines[1].startswith("300 images, ") or "slides" in lines[1]
    assert "24 cases" in lines[1]
    assert "; positive class malignant; " in lines[1]
    table = [line for line in lines if line.startswith("  ") and " to " in line]
    assert len(table) == 13
    assert len({line.index(" to ") for line in table}) == 1


def test_repr_is_one_line(found):
    assert "\n" not in repr(found)


def test_json_is_plain_and_complete(found, tmp_path):
    content = json.loads(found.to_json(tmp_path / "found.json"))
    assert content == json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert content["schema"] == SCHEMA
    metrics = content["metrics"]
    assert metrics["columns"] == ["value", "low", "high", "reason"]
    place = metrics["index"].index("roc_auc")
    assert metrics["data"][place] == found.metrics.loc["roc_auc"].tolist()
    assert content["confusion"]["data"] == found.confusion.to_numpy().tolist()
    assert content["by_subtype"]["data"][0][content["by_subtype"]["columns"].index("roc_auc")] is None
    assert content["leakage"] is None


def attach_everything(found):
    """Return the evaluation with every section that can be attached."""
    steps = pd.DataFrame(
        {
            "perturbation": ["blur"] * 4,
            "strength": [0.0, 0.0, 2.0, 2.0],
            "unit": "sd in pixels",
            "metric": ["balanced_accuracy", "roc_auc"] * 2,
            "value": [0.8, 0.9, 0.6, 0.7],
            "low": [0.7, 0.8, 0.5, np.nan],
            "high": [0.9, 1.0, 0.7, np.nan],
        }
    )
    checks = pd.DataFrame(
        {"roc_auc": [0.8], "roc_auc_low": [0.7], "roc_auc_high": [0.9]}, index=pd.Index(["stain normalised"])
    )
    ood = {f"{name}{end}": [0.7] for name in ("auroc", "fpr95") for end in ("", "_low", "_high")}
    return found.with_sections(
        robustness=steps,
        shortcuts=checks,
        baselines=checks.rename(index={"stain normalised": "PFTAS"}),
        by_stain=found.by_subtype,
        by_sharpness=found.by_magnification,
        ood=pd.DataFrame(ood, index=["entropy"]),
        risk_coverage=pd.DataFrame({"coverage": [0.5, 1.0], "risk": [0.1, 0.2], "low": [0.0, 0.1], "high": [0.2, 0.3]}),
        conformal={"coverage": 0.91, "sets": checks, "method": "split"},
    )


@pytest.mark.parametrize("kind", ["two", "three", "by case", "bare", "everything", "threshold", "one class"])
def test_json_keeps_to_its_schema(draw, kind):
    some = draw()
    if kind == "three":
        found = evaluate(draw(classes=("a", "b", "c")), bootstrap=Bootstrap(50))
    elif kind == "by case":
        found = evaluate(some, aggregation=Aggregation("case", method="majority"), bootstrap=Bootstrap(50))
    elif kind == "bare":
        bare = Predictions.from_arrays(probabilities=[0.1, 0.7, 0.4], labels=[0, 1, 1], classes=("no", "yes"))
        with pytest.warns(EvaluationWarning, match="Cases are not known"):
            found = evaluate(bare, bootstrap=Bootstrap(20))
    elif kind == "one class":
        with pytest.warns(EvaluationWarning, match="Cases are not known"):
            found = evaluate(
                Predictions.from_arrays(probabilities=[0.1, 0.7], labels=[0, 0], classes=("no", "yes")),
                bootstrap=Bootstrap(20),
            )
    elif kind == "threshold":
        found = evaluate(some, threshold=0.4, bootstrap=Bootstrap(50))
    else:
        found = evaluate(some, bootstrap=Bootstrap(50))
    if kind == "everything":
        found = attach_everything(found)
    schema = read_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(found.to_json()), schema)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda content: content.pop("calibration"), "'calibration' is a required property"),
        (lambda content: content["metrics"]["columns"].reverse(), "was expected"),
        (lambda content: content.update(schema="breastcls.evaluation/2"), "was expected"),
        (lambda content: content.update(more=1), "Additional properties"),
        (lambda content: content["counts"].update(cases=0), "less than the minimum"),
        (lambda content: content["fingerprints"].update(weights="ab"), "does not match"),
    ],
)
def test_the_schema_refuses_what_is_not_of_it(found, change, complaint):
    content = json.loads(found.to_json())
    change(content)
    with pytest.raises(jsonschema.ValidationError, match=complaint):
        jsonschema.validate(content, read_schema())


def test_every_section_is_in_the_json_and_its_schema(found):
    assert set(SECTIONS) <= set(found.to_dict())
    assert set(found.to_dict()) == set(read_schema()["properties"]) == set(read_schema()["required"])


def test_sections_are_attached_and_taken_away(found):
    whole = attach_everything(found)
    assert found.robustness is None
    assert whole.robustness is not None
    assert whole.with_sections(robustness=None).robustness is None
    holder = types.SimpleNamespace(table=whole.robustness)
    assert found.with_sections(robustness=holder).robustness.equals(whole.robustness)
    pd.testing.assert_frame_equal(whole.metrics, found.metrics)


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ({"metrics": pd.DataFrame({"value": [1]})}, "no section 'metrics' to attach"),
        ({"robustness": pd.DataFrame({"value": [1]})}, "no columns perturbation, strength"),
        ({"risk_coverage": pd.DataFrame(columns=["coverage", "risk", "low", "high"])}, "an empty table"),
        ({"by_stain": [1]}, "found list"),
        ({"conformal": 0.9}, "must be a mapping, not float"),
    ],
)
def test_sections_that_are_not_what_they_should_be_are_refused(found, section, complaint):
    with pytest.raises(EvaluationError, match=complaint):
        found.with_sections(**section)


def test_the_text_holds_levels_calibration_and_threshold(draw):
    text = str(evaluate(draw(), threshold=0.4, bootstrap=Bootstrap(50)))
    assert "Decision threshold 0.4, given to evaluate as a number; how it was chosen is not recorded" in text
    assert "By case: Balanced accuracy" in text
    assert "Expected calibration error 0." in text
    assert "bins of equal mass; by chance alone 0." in text


def test_tables_as_text(found, tmp_path):
    text = found.to_markdown(tmp_path / "metrics.md")
    assert (tmp_path / "metrics.md").read_text(encoding="utf-8") == text
    assert "Area under the ROC curve" in text
    assert "Metric (positive class malignant)" in text.splitlines()[0]
    assert "Metric (positive class malignant) & Value" in found.to_latex()
    assert found.to_latex(table="operating", digits=2).startswith(r"\begin{tabular}{llrrrr}")
    assert "By case" in found.to_markdown(table="by_level").splitlines()[0]
    with pytest.raises(EvaluationError, match="no table 'metrix'"):
        found.to_markdown(table="metrix")
    with pytest.raises(EvaluationError, match="does not have the section 'robustness'"):
        found.to_latex(table="robustness")


@pytest.mark.parametrize(
    "figure", ["roc", "precision-recall", "confusion", "metrics", "reliability", "risk-histogram", "decision-curve"]
)
def test_single_figures_in_journal_size(found, tmp_path, figure):
    found.plot(tmp_path / "figure.svg", figure=figure, width_mm=85)
    width = re.search(r'<svg[^>]* width="([\d.]+)pt"', (tmp_path / "figure.svg").read_text(encoding="utf-8"))
    assert float(width.group(1)) == pytest.approx(85 / 25.4 * 72, abs=0.01)


def test_figures_that_there_are_not(found, draw, tmp_path):
    with pytest.raises(EvaluationError, match="There is no figure 'rok'"):
        found.plot(figure="rok")
    with pytest.raises(EvaluationError, match="needs two classes, with images of both"):
        evaluate(draw(classes=("a", "b", "c")), bootstrap=Bootstrap(20)).plot(figure="decision-curve")
    with pytest.raises(OutputError, match="suffix"):
        found.plot(tmp_path / "figure.bmp")


def test_it_draws_and_reports(found, tmp_path):
    figure = found.plot(tmp_path / "found.png")
    assert figure.axes
    assert (tmp_path / "found.png").stat().st_size > 1000
    page = found.to_html(tmp_path / "found.html")
    assert "<html" in page.read_text(encoding="utf-8")
