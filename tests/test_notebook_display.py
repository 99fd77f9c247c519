"""What a notebook shows: HTML without anything from elsewhere, with names escaped, figures as pictures, few outputs."""

import base64
import io
import re
import sys
import types

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import breastcls as bc
from breastcls.drawing.figures import new_figure
from breastcls.html_parts import describe_value
from breastcls.images import notebook_display
from breastcls.images.notebook_display import SHOWN_LINES, describe_progress, print_progress
from breastcls.images.progress_bar import progress_bar
from breastcls.models.model_card import ModelCard
from breastcls.training.callbacks import ProgressBar
from breastcls.training.run import Run
from support.page_reader import Page
from support.prediction_fixtures import make_predictions

HOSTILE = ("<script>alert(1)</script>", 'm"alignant & <b>')
QUICK = bc.intervals.Bootstrap(50)


@pytest.fixture(scope="module")
def results(blue_squares):
    """One result of each kind with HTML of its own, or of those that others inherit, named as an attacker would."""
    predictions = make_predictions(classes=HOSTILE)
    data = bc.Dataset.from_columns(
        HOSTILE, path=["<i>.png", "b.png"], label=list(HOSTILE), case=["<u>1", "2"], subtype=["<s>", "t"]
    )
    evaluation = bc.evaluate(predictions, bootstrap=QUICK)
    history = pd.DataFrame({"epoch": [1], "loss": [0.7]})
    run = Run(history, {}, 1, {"<loss>": 0.7}, "all epochs done", {"train": {"images": 2, "cases": 2}}, None, {})
    return {
        "dataset": data,
        "summary": data.summary(),
        "leakage": bc.audit_leakage(data, data, pixels=False),
        "predictions": predictions,
        "evaluation": evaluation,
        "metrics": evaluation.per_class,
        "comparison": bc.compare({"<a>": predictions, "b": predictions}, bootstrap=QUICK),
        "calibration": bc.calibration.assess_calibration(predictions, bootstrap=QUICK),
        "calibrator": bc.calibration.fit_calibrator(predictions),
        "threshold": bc.decisions.choose_threshold(predictions),
        "conformal": bc.decisions.fit_conformal(predictions),
        "run": run,
        "card": ModelCard(classes=HOSTILE, image_size=(8, 8)),
        "explanation": bc.explain(blue_squares.model, blue_squares.images, classes=HOSTILE),
        "backbones": bc.list_backbones(),
        "policy": bc.augmentation.find_policy("standard"),
    }


def check_html(html):
    """Refuse markup from names, unbalanced tags, and whatever a browser would fetch."""
    page = Page(html)
    assert {"script", "style", "link", "iframe"}.isdisjoint(element["tag"] for element in page.elements)
    assert not [element for element in page.elements if element["tag"] in ("i", "b", "u", "s")]
    for element in page.elements:
        for name, value in element["attributes"].items():
            assert not name.startswith("on")
            assert name not in ("src", "href") or value.startswith("data:image/")
        # The colours are those of the notebook, light or dark.
        assert not re.search("color|background", element["attributes"].get("style", ""))
    return page


def test_results_are_escaped_and_need_nothing_from_elsewhere(results):
    for name, result in results.items():
        check_html(result._repr_html_())
        assert result._repr_html_() == result._repr_html_(), name


def test_the_content_is_that_of_the_text(results):
    evaluation = Page(results["evaluation"]._repr_html_())
    value = results["evaluation"].metrics.loc["roc_auc", "value"]
    row = next(row for row in evaluation.find("tr") if row["text"].startswith("roc_auc"))
    assert f"{value:.3f}" in row["text"]
    assert len([table for table in evaluation.find("table") if "Confusion" in table["text"]]) == 1
    assert [len(Page(results[name]._repr_html_()).find("table")) for name in ("dataset", "summary", "card")] == [
        1,
        2,
        1,
    ]
    assert "8, 8" in results["card"]._repr_html_()


def test_an_explanation_shows_images_beside_their_heatmaps(results, blue_squares):
    pictures = Page(results["explanation"]._repr_html_()).find("img")
    assert len(pictures) == len(blue_squares.images)
    data = base64.b64decode(pictures[0]["attributes"]["src"].split(",")[1])
    assert Image.open(io.BytesIO(data)).size == (64, 32)
    assert "further" not in results["explanation"]._repr_html_()


def test_long_values_are_shortened():
    assert describe_value(np.zeros((3, 2), np.float32)) == "float32 (3, 2)"
    assert describe_value({"a": [1.0, 2.5]}) == "a: 1, 2.5"
    assert len(describe_value("x" * 1000)) == 160


@pytest.mark.parametrize("photograph", [True, False])
def test_a_figure_is_a_picture_without_pyplot(photograph):
    figure = new_figure(80, 60)
    axes = figure.add_subplot()
    axes.imshow(np.zeros((4, 4, 3), np.uint8)) if photograph else axes.plot([0, 1])
    content, size = figure._repr_mimebundle_()
    ((kind, data),) = content.items()
    assert kind == ("image/jpeg" if photograph else "image/png")
    assert Image.open(io.BytesIO(data)).width > size[kind]["width"] > 300
    assert len(data) < 40_000


class Handle:
    def __init__(self, shown):
        self.shown = shown

    def update(self, bundle, raw):
        self.shown[-1] = bundle["text/plain"]


@pytest.fixture
def outputs(monkeypatch):
    """The outputs of a cell in a kernel that is no kernel: one text each."""
    shown = []

    def display(bundle, raw, display_id):
        shown.append(bundle["text/plain"])
        return Handle(shown)

    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(display=display))
    return shown


def test_a_long_training_has_one_output_of_few_lines(outputs):
    bar = ProgressBar("all", 0, 300, 5)
    bar.on_train_begin()
    for epoch in range(300):
        for step in range(5):
            bar.on_train_batch_end(step)
        bar.on_epoch_end(epoch, {"loss": 0.5, "val_accuracy": 0.75})
    bar.close()
    (text,) = outputs
    head, hidden, *lines = text.splitlines()
    assert head.split() == ["loss", "val_accuracy"]
    assert hidden == f"... {300 - SHOWN_LINES} earlier lines"
    assert len(lines) == SHOWN_LINES
    assert lines[-1].split() == ["epoch", "300/300", "all", "0.500", "0.750"]


def test_a_bar_in_a_notebook_is_gone_at_the_end(outputs, monkeypatch, capsys):
    clock = iter(np.arange(0.0, 1000.0, 0.4))
    monkeypatch.setattr(notebook_display.time, "monotonic", lambda: next(clock))
    seen = []
    with progress_bar("Reading", 40) as advance:
        for _ in range(40):
            advance()
            seen += outputs[-1:]
    assert outputs == [""]
    assert any("Reading" in text and "left" in text for text in seen)
    assert capsys.readouterr() == ("", "")
    with progress_bar("Reading", 3, show=False) as advance:
        advance()
    assert outputs == [""]


def test_other_lines_are_text_in_a_notebook_and_on_standard_error_elsewhere(outputs, monkeypatch, capsys):
    print_progress("Fold 1 of 5")
    assert outputs == ["Fold 1 of 5"]
    monkeypatch.delitem(sys.modules, "IPython")
    print_progress("Fold [2] of 5")
    assert capsys.readouterr().err == "Fold [2] of 5\n"


def test_progress_without_a_total_has_the_count():
    assert describe_progress("Reading", 7, None, 0.0) == "Reading  7"
