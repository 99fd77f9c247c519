import numpy as np
import pandas as pd
import pytest

from breastcls.decisions.conformal import fit_conformal
from breastcls.evaluation.report.any_table import any_table
from breastcls.evaluation.section_registry import SECTIONS
from breastcls.evaluation.sections.calibration_section import bin_table, calibration_table
from breastcls.evaluation.sections.conformal_section import conformal_facts, conformal_tables
from breastcls.evaluation.sections.metrics_section import metrics_table, shown_metrics
from breastcls.evaluation.sections.operating_section import operating_points
from breastcls.evaluation.sections.robustness_section import robustness_table
from breastcls.evaluation.sections.worst_cases_section import MOST_CASES, worst_case_table
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.predictions import Predictions
from support.report_fixtures import change


@pytest.fixture(scope="module")
def found(whole):
    return whole()


def test_levels_are_columns(found):
    table = metrics_table(found.metrics, found)
    assert [column.title for column in table.columns] == ["Metric", "By image", "By slide", "By case"]
    for row, name in zip(table.rows, shown_metrics(found.metrics), strict=True):
        values = [found.by_level.loc[(level, name), "value"] for level in ("image", "slide", "case")]
        assert [float(cell.value) if cell.value else np.nan for cell in row[1:]] == pytest.approx(values, nan_ok=True)
    alone = metrics_table(found.metrics, change(found, by_level=None))
    assert [column.title for column in alone.columns] == ["Metric", "By image"]


def test_calibration_in_numbers(found):
    table = calibration_table(found.calibration, found)
    parts = pd.concat([found.calibration.errors, found.calibration.bias, found.calibration.brier])
    assert [float(row[1].value) for row in table.rows] == parts["value"].tolist()
    consistency = found.calibration.consistency
    assert [float(row[2].value) for row in table.rows[:4]] == consistency["expected"].tolist()
    assert table.rows[1][2].text == "{expected:.3f}, up to {upper:.3f}".format(**consistency.iloc[1])
    assert {row[2].text for row in table.rows[4:]} == {""}
    bins = bin_table(found.calibration, found)
    assert [cell.text for cell in bins.rows[0]][1] == str(found.calibration.equal_mass["images"].iloc[0])


def test_predictive_values(found):
    table = operating_points(found.operating, found)
    assert [row[0].text for row in table.rows] == ["1%", "10%", "50%"]
    assert [float(row[1].value) for row in table.rows] == found.operating["ppv"].tolist()
    from breastcls.decisions.operating_points import operating_table

    several = operating_table(found.predictions, thresholds=[0.2, 0.8], prevalences=[0.05])
    several = operating_points(several, found)
    assert [column.title for column in several.columns][:2] == ["Prevalence", "Threshold"]
    assert [row[1].text for row in several.rows] == ["0.20", "0.80"]


def test_worst_cases_are_those_with_mistakes(found):
    table = worst_case_table(found.worst_cases)
    wrong = found.worst_cases[found.worst_cases["mistakes"] > 0]
    assert [row[0].text for row in table.rows] == wrong.index.tolist()[:MOST_CASES]
    assert [row[4].text for row in table.rows] == [str(count) for count in wrong["mistakes"][:MOST_CASES]]
    right = found.worst_cases.assign(mistakes=0)
    assert worst_case_table(right) is None


def test_a_long_list_of_cases_is_cut_and_the_caption_states_it(found):
    many = pd.concat([found.worst_cases.assign(mistakes=1, error=0.1)] * 3)
    table = worst_case_table(many)
    assert len(table.rows) == MOST_CASES
    assert table.caption == (
        "72 of 72 cases have misclassified images, of which the 12 with the highest error rate are shown."
    )
    one = found.worst_cases.assign(mistakes=[1] + [0] * 23)
    assert worst_case_table(one).caption == "1 of 24 cases has misclassified images."


def test_groups_that_were_attached(found):
    for name in ("by_stain", "by_sharpness"):
        note, table = SECTIONS[name].report(found.value_of(name), found)
        assert note.text.startswith("Few cases make wide intervals")
        assert ("optical density (a ratio" if name == "by_stain" else "grey levels") in table.caption
        assert [row[0].text for row in table.rows] == ["lowest quarter", "highest quarter"]


def test_any_table_finds_its_intervals(found):
    table = any_table(found, found.shortcuts, "Check", "What is left.")
    assert [column.title for column in table.columns] == ["Check", "ROC AUC", "Images", "Note"]
    assert [column.kind for column in table.columns] == ["text", "number", "number", "text"]
    assert [cell.text for cell in table.rows[0]] == ["stain-normalised", "0.850", "288", "all"]
    assert table.rows[0][1].detail == "0.750 to 0.920"
    assert table.rows[1][1].detail == "CI not estimable"
    changes = found.shortcuts.rename(columns=lambda name: name.replace("roc_auc", "roc_auc_change"))
    assert any_table(found, changes, "Check", "").columns[1].title == "ROC AUC, change"


def test_robustness_in_numbers(found):
    table = robustness_table(found.robustness, found)
    assert [column.title for column in table.columns][2:] == ["Balanced accuracy", "ROC AUC"]
    assert len(table.rows) == 12
    assert [cell.text for cell in table.rows[1]] == ["Stain", "1", "0.800", "0.800"]


def test_prediction_sets_are_facts_and_tables(found):
    assert conformal_facts(found.conformal) == [("Coverage", "0.91"), ("Wanted", "0.9")]
    (table,) = conformal_tables(found.conformal, found)
    assert table.caption.startswith("By class.")


def test_the_coverage_of_sets_is_shown_with_the_nominal_coverage(found):
    labels = np.tile([0, 1], 20)
    own, other = (
        Predictions.from_arrays(
            probabilities=np.clip(0.4 * labels + 0.6 * np.random.default_rng(seed).random(40), 0, 1),
            labels=labels,
            cases=[f"{seed}, {number // 2}" for number in range(40)],
            classes=("benign", "malignant"),
        )
        for seed in (1, 2)
    )
    described = fit_conformal(own).describe(other, Bootstrap(20))
    facts = dict(conformal_facts(described))
    assert facts["Nominal coverage"] == "0.9"
    assert facts["Measured"] == "coverage as the mean over cases, all else over images"
    (table,) = conformal_tables(described, found)
    assert [column.title for column in table.columns[1:3]] == ["Coverage", "Images covered"]
