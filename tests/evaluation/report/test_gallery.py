"""The galleries of misclassified and correctly classified images in the report."""

import dataclasses
import json
import os
import re

import keras
import numpy as np
import pandas as pd
import pytest

from breastcls.datasets.dataset import Dataset
from breastcls.errors import EvaluationError, EvaluationWarning
from breastcls.evaluation.evaluate import evaluate as score_model
from breastcls.evaluation.report.html_report import render_report, write_report
from breastcls.evaluation.source_references import SourceReferences
from breastcls.explanation.explain import explain
from breastcls.features.embedding_table import load_embeddings
from breastcls.features.image_index import index_images
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.predictions import Predictions
from support.page_reader import Page


@pytest.fixture(scope="module")
def page(evaluate):
    return Page(render_report(evaluate()))


def test_heatmaps_of_wrong_and_right_predictions_need_no_further_argument(words_of, tissue):
    """The evaluation knows its model and says why there are no heat-maps where it is gone, changed or of no use."""
    model = make_model()
    rows = {"label": ["benign", "malignant"] * 4, "case": [str(number // 2) for number in range(8)]}
    data = Dataset.from_columns(("benign", "malignant"), path=tissue[::36], **rows)
    with pytest.warns(EvaluationWarning, match="only 4 cases"):
        evaluation = score_model(model, data, bootstrap=Bootstrap(20))
    evaluation = dataclasses.replace(evaluation, model={"backbone": "cnn4"})
    shown = words_of(evaluation)
    pictures = [picture["attributes"]["alt"] for picture in shown.find("img")]
    assert len(pictures) == 16
    assert sum(alt.startswith("Heat-map over ") for alt in pictures) == 8
    text = shown.text(id="misclassified-images") + shown.text(id="correctly-classified-images")
    assert text.count("Each has a heat-map by Grad-CAM") == 1
    assert text.count("Heat-map: positive share") == 8
    viewer = json.loads(re.search(r'<script type="application/json">(.*?)</script>', render_report(evaluation))[1])
    ids = {f"#{picture['attributes'].get('id')}" for picture in shown.find("img")}
    assert {image["src"] for image in viewer["images"]} <= ids
    assert len(viewer["images"]) == 8
    assert {image["case"] for image in viewer["images"]} == {"0", "1", "2", "3"}
    model.layers[-1].bias.assign([0.5, 0.0])
    assert "weights of the model changed after the evaluation" in words_of(evaluation).text(id="misclassified-images")
    # As an evaluation that was pickled has none.
    alone = dataclasses.replace(evaluation, source=SourceReferences())
    text = words_of(alone).text(id="misclassified-images")
    assert "pass it to to_html (model=...)" in text
    assert len(words_of(alone, model=model, thumbnails=2).find("img")) == 8


def test_similar_training_images_are_shown_without_names_under_pseudonyms(words_of, whole, tissue):
    evaluation = whole(paths=tissue)
    files = list(dict.fromkeys(tissue))
    cases = [f"secret-{number}" for number in range(len(files))]
    table = pd.DataFrame({"path": files, "label": "benign", "case": cases})
    vectors = np.random.default_rng(0).normal(size=(len(files), 4))
    train = load_embeddings(table, vectors, classes=("benign", "malignant"))
    queries = load_embeddings(table.assign(case="new"), vectors, classes=("benign", "malignant"))
    similar = index_images(train).search(queries, count=3)
    shown = words_of(evaluation, similar=similar, thumbnails=4)
    alts = [picture["attributes"]["alt"] for picture in shown.find("img")]
    assert sum(alt.startswith("Similar training image ") for alt in alts) == 24
    text = shown.text(id="misclassified-images")
    assert "Below each are its most similar training images" in text
    assert "secret-" in text
    hidden = render_report(evaluation.with_pseudonyms(), similar=similar, thumbnails=4)
    assert "Most similar training images:" in hidden
    assert "secret-" not in hidden
    other = pd.DataFrame({"path": ["x.png"], "label": "benign", "case": "new"})
    elsewhere = load_embeddings(other, vectors[:1], classes=("benign", "malignant"))
    with pytest.raises(EvaluationError, match="none of the images that the report shows"):
        render_report(evaluation, similar=index_images(train).search(elsewhere, count=3))


def test_heatmaps_made_before_are_matched(words_of, whole, tissue, page):
    evaluation = whole(paths=tissue)
    model = make_model()
    assert "Grad-CAM" not in page.text(id="misclassified-images")
    made = explain(model, tissue[::12], image_size=(32, 32), classes=evaluation.predictions.classes)
    matched = words_of(evaluation, heatmaps=made, thumbnails=4)
    assert len(matched.find("img")) == 16
    with pytest.raises(EvaluationError, match="not both"):
        render_report(evaluation, model=model, heatmaps=made)


def make_model():
    keras.utils.set_random_seed(0)
    pixels = keras.Input((32, 32, 3))
    features = keras.layers.Conv2D(4, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(pixels))
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    return keras.Model(pixels, keras.layers.Dense(2, activation="softmax")(pooled))


def test_by_case_the_images_of_the_case_are_shown(words_of, whole, tissue):
    evaluation = whole(aggregation="case", paths=tissue)
    assert evaluation.predictions.paths is None
    shown = words_of(evaluation)
    assert len(shown.find("img")) == 16
    assert shown.find("img")[0]["attributes"]["alt"].startswith("Image ")


def test_it_stays_small_with_many_images_and_large_pictures(evaluate, tmp_path):
    import cv2

    noise = np.random.default_rng(0).integers(0, 256, (460, 700, 3), dtype=np.uint8)
    path = tmp_path / "noise.png"
    cv2.imwrite(str(path), noise)
    steps = np.linspace(0, 1, 100_000)
    roc = pd.DataFrame({"threshold": steps, "fpr": steps, "tpr": steps, "low": steps, "high": steps})
    paths = [str(tmp_path / f"noise-{number}.png") for number in range(1200)]
    for other in paths:
        os.link(path, other)
    evaluation = evaluate(paths=paths, cases=100, roc=roc)
    report = write_report(evaluation, tmp_path / "report.html", thumbnails=16)
    assert len(Page(report.read_text(encoding="utf-8")).find("img")) == 32
    assert report.stat().st_size < 3_000_000


def test_missing_pictures_are_replaced_by_the_reason(page):
    assert len(page.find("div", **{"class": "no-image"})) == 8
    assert not page.find("section", id="correctly-classified-images")
    assert "the file no longer exists" in page.text(id="misclassified-images")


def test_predictions_by_case_without_slides_or_paths(words_of, evaluate):
    evaluation = evaluate()
    predictions = Predictions.from_arrays(
        probabilities=[0.1, 0.9, 0.8, 0.3],
        labels=[0, 1, 0, 1],
        classes=("benign", "malignant"),
        cases=list("abcd"),
    )
    counts = {"images": 4, "slides": None, "cases": 4, "classes": {"benign": {"images": 2, "cases": 2}}}
    settings = dict(evaluation.settings)
    settings |= {"aggregation": {**settings["aggregation"], "level": "case"}}
    text = words_of(dataclasses.replace(evaluation, predictions=predictions, counts=counts, settings=settings))
    assert "tested on 4 images from 4 cases" in text.text(id="result")
    assert "2 misclassified images from 2 cases; all of them are shown." in text.text(id="misclassified-images")


def test_a_perfect_model_has_no_mistakes_to_show(words_of, evaluate):
    evaluation = evaluate()
    right = dataclasses.replace(evaluation.predictions, labels=evaluation.predictions.decisions)
    words = words_of(dataclasses.replace(evaluation, predictions=right)).text(id="misclassified-images")
    assert "There are no misclassified images." in words
