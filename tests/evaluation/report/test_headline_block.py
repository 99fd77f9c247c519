import pandas as pd
import pytest

from breastcls.evaluation.report.headline_block import first_notice, first_page, key_table
from breastcls.evaluation.report.tested_data import data_facts, model_in_words, sample_in_words, weights_licence
from breastcls.intervals.limitations import few_cases
from support.report_fixtures import change

NAN = float("nan")
FIT = {
    "provenance": {
        "training": {
            "data": {
                "train": {"images": 30, "cases": 1, "by_class": {"benign": {"images": 10, "cases": 1}}},
                "val": {"images": 8, "cases": 2, "by_class": {}},
            }
        }
    }
}


def test_the_key_metrics_have_intervals_for_model_and_baseline(evaluate):
    table = key_table(evaluate())
    assert [column.title for column in table.columns] == ["Metric", "Model", "Colour-only baseline"]
    assert [row[0].text for row in table.rows] == ["Balanced accuracy", "ROC AUC", "Sensitivity", "Specificity"]
    metrics = evaluate().metrics
    assert table.rows[2][1].text == f"{metrics.loc['recall', 'value']:.3f}"
    assert table.rows[3][1].detail.startswith(f"{metrics.loc['specificity', 'low']:.3f} to ")


def test_what_is_not_known_is_left_out(evaluate):
    scores = pd.DataFrame({"value": [NAN], "low": [NAN], "high": [NAN]}, index=["roc_auc"])
    counts = {"images": 1, "slides": None, "cases": 1, "classes": {"benign": {"images": 1, "cases": 1}}}
    evaluation = evaluate(metrics=scores, counts=counts, colour_baseline=None, confusion=None, model={})
    page = first_page(evaluation, ())
    assert [[cell.text for cell in row] for row in page.metrics.rows] == [
        ["Balanced accuracy", "not defined"],
        ["ROC AUC", "not defined"],
    ]
    assert page.confusion is None
    assert sample_in_words(evaluation) == "1 image from 1 case"
    assert page.lead == "The model was tested on 1 image from 1 case: benign against malignant (the positive class)."
    assert dict(page.tested)["Model"] == "not recorded: only its predictions were given"
    assert "Date" not in dict(page.tested)


def test_cases_of_each_class_in_test_training_and_validation(evaluate):
    table = first_page(evaluate(model=FIT), ()).classes
    assert [column.title for column in table.columns] == ["Class", "Test cases", "Test images", "Training cases"]
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["benign", "12", "144", "1"],
        ["malignant", "12", "144", "not known"],
    ]


def test_model_data_date_and_versions_are_named(evaluate):
    origin = {
        "date": "2026-11-28",
        "test_data": "BreakHis, folder a",
        "train_data": "BreakHis, folder b",
        "versions": {"breastcls": "0.1.0", "Keras": "3.15.1"},
    }
    facts = dict(data_facts(evaluate(model=FIT, origin=origin)))
    assert facts["Test data"] == "BreakHis, folder a"
    assert (
        facts["Training data"]
        == "BreakHis, folder b: 30 images, 1 case for training and 8 images, 2 cases for validation"
    )
    assert facts["Date"] == "28 November 2026"
    assert facts["Versions"] == "breastcls 0.1.0, Keras 3.15.1"


def test_the_licence_is_that_of_the_backbone_and_only_of_its_published_weights():
    assert weights_licence({"backbone": "mobilenet", "weights": "imagenet"}).startswith("Apache-2.0")
    assert "if the file holds" in weights_licence({"backbone": "mobilenet", "weights": "own.h5"})
    assert weights_licence({"backbone": "mobilenet", "weights": None}) == ""
    assert weights_licence({"backbone": "unknown", "weights": "imagenet"}) == ""
    assert model_in_words({"backbone": "cnn4", "weights": None}) == "cnn4, random initial weights"


def test_the_notice_has_the_first_limitations(evaluate):
    assert first_notice(evaluate(general_limitations=())) is None
    limited = first_notice(evaluate(general_limitations=("One.", "Two.", "Three.")))
    assert (limited.tone, limited.text, limited.explanation) == ("caution", "Limitations:", "One. Two.")


@pytest.mark.parametrize(
    ("cases", "tone", "mark", "text"),
    [
        (4, "caution", "!", "There are few cases: 4 cases of benign."),
        (1, "not-estimable", "?", "Confidence intervals are not estimable: only 1 case of benign was scored"),
    ],
)
def test_few_cases_are_named_with_their_status_and_once(evaluate, cases, tone, mark, text):
    enough = evaluate()
    classes = {"benign": {"images": 9, "cases": cases}, "malignant": {"images": 9, "cases": 20}}
    counts = {**enough.counts, "classes": classes}
    limitations = (*few_cases(counts), "In some groups a class has fewer.", "Slides are not known.")
    notice = first_notice(change(enough, counts=counts, general_limitations=limitations))
    assert (notice.tone, notice.mark) == (tone, mark)
    assert notice.text.startswith(text)
    assert "In some groups" not in notice.explanation
    assert notice.explanation.endswith("Slides are not known.")
    assert ("The class benign has only" in notice.explanation) == (tone == "caution")
