"""The report as a file: what is in it, and that nothing in it can reach out or break in."""

import dataclasses
import re
from itertools import pairwise

import numpy as np
import pytest

from breastcls.errors import EvaluationError, EvaluationWarning, OutputError
from breastcls.evaluation.report.html_report import render_report, write_report
from support.page_reader import Page

EIGHT = ("A", "F", "PT", "TA", "DC", "LC", "MC", "PC")
ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def whole_evaluation(whole):
    return whole(threshold=0.4)


@pytest.fixture(scope="module")
def page(evaluate):
    return Page(render_report(evaluate()))


@pytest.fixture(scope="module")
def whole_page(whole_evaluation):
    return Page(render_report(whole_evaluation))


@pytest.fixture(scope="module", params=["whole", "leaking", "bare", "whole eight", "whole by case"])
def any_page(request, evaluate, audit, whole):
    if request.param == "whole":
        return request.getfixturevalue("whole_page")
    if request.param == "leaking":
        evaluation = evaluate(leakage=audit(shared_cases=("14-1",)))
    elif request.param == "whole eight":
        with pytest.warns(EvaluationWarning, match="8 of 8 classes have fewer than 5 cases"):
            evaluation = whole(EIGHT)
    elif request.param == "whole by case":
        evaluation = whole(aggregation="case", threshold=0.4)
    else:
        evaluation = evaluate(
            colour_baseline=None, leakage=None, by_subtype=None, by_magnification=None, general_limitations=(), model={}
        )
    return Page(render_report(evaluation))


def test_nothing_in_it_reaches_out(any_page):
    for element in any_page.elements:
        for name in ("src", "href", "xlink:href", "action", "poster", "srcset", "data"):
            address = element["attributes"].get(name)
            assert address is None or address.startswith(("#", "data:")), element
        assert not any(name.startswith("on") for name in element["attributes"])
    style = any_page.find("style")[0]["text"]
    assert "url(" not in style
    assert "@import" not in style
    assert {element["tag"] for element in any_page.elements}.isdisjoint({"iframe", "object", "embed", "form"})


def test_a_browser_is_given_an_icon_lest_it_asks_for_one(page):
    assert page.find("link", rel="icon")[0]["attributes"]["href"] == "data:,"


def test_its_own_policy_forbids_what_it_does_not_need(page):
    policy = page.find("meta", **{"http-equiv": "Content-Security-Policy"})[0]["attributes"]["content"]
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe-eval" not in policy
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/]{43}='", policy)


def test_ids_are_unique_and_every_reference_has_its_target(any_page):
    ids = [element["attributes"]["id"] for element in any_page.elements if "id" in element["attributes"]]
    assert len(ids) == len(set(ids))
    for element in any_page.elements:
        attributes = element["attributes"]
        if attributes.get("href", "").startswith("#"):
            assert attributes["href"][1:] in ids
        for name in ("aria-labelledby", "aria-describedby"):
            assert set(attributes.get(name, "").split()) <= set(ids)


def test_it_has_landmarks_one_heading_of_the_first_level_and_no_level_skipped(any_page):
    for tag in ("header", "nav", "main", "footer", "h1"):
        assert len(any_page.find(tag)) == 1, tag
    levels = [int(element["tag"][1]) for element in any_page.elements if re.fullmatch("h[1-6]", element["tag"])]
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    assert any_page.find("html")[0]["attributes"]["lang"] == "en"


def test_pictures_and_drawings_say_what_they_show(any_page, words_of, evaluate, tissue):
    for drawing in any_page.find("svg"):
        attributes = drawing["attributes"]
        outer = "svg" in drawing["parents"]
        assert outer or attributes.get("aria-hidden") == "true" or attributes.get("role") == "img"
    for figure in any_page.find("svg", role="img"):
        assert len(figure["attributes"]["aria-label"]) > 30
    shown = words_of(evaluate(paths=tissue)).find("img")
    assert len(shown) == 16
    assert all("labelled" in picture["attributes"]["alt"] for picture in shown)


def test_tables_have_captions_and_scopes(any_page):
    tables = any_page.find("table")
    assert len(any_page.find("caption")) == len(tables) >= 3
    assert all(header["attributes"].get("scope") in {"row", "col"} for header in any_page.find("th"))


def test_the_first_page_has_data_metrics_matrix_and_findings(whole_evaluation, whole_page):
    sections = [element["attributes"]["id"] for element in whole_page.find("section")]
    assert sections == [
        "result", "leakage-audit", "model-and-training", "metrics", "baselines", "curves", "calibration",
        "decision-threshold-and-net-benefit", "subgroups", "robustness", "uncertainty-and-selective-prediction",
        "out-of-distribution-detection", "misclassified-cases", "misclassified-images", "limitations",
        "how-to-read-the-values", "model-card", "settings-and-versions",
    ]  # fmt: skip
    words = whole_page.text(id="result")
    assert "The model was tested on 288 images of 24 slides from 24 cases: benign against malignant" in words
    for name in ("balanced_accuracy", "roc_auc", "recall", "specificity"):
        row = whole_evaluation.metrics.loc[name]
        assert f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})" in words
    assert "Leaks were not checked." in words
    assert "By case the balanced accuracy is" in words
    assert "The perturbation with the largest loss is stain." in words
    assert "benign 12 144" in words
    (matrix,) = whole_page.find("table", **{"class": "confusion"})
    assert f"malignantall benign{whole_evaluation.confusion.iloc[0, 0]} " in " ".join(matrix["text"].split())


def test_headings_are_the_entries_of_the_menu(any_page):
    menu = [element["text"] for element in any_page.find("a") if "nav" in element["parents"]]
    assert menu == [element["text"] for element in any_page.find("h2")]


def test_nothing_is_repeated(whole_page):
    paragraphs = [" ".join(element["text"].split()) for element in whole_page.find("p")]
    paragraphs += [" ".join(element["text"].split()) for element in whole_page.find("caption")]
    long = [text for text in paragraphs if len(text) > 60]
    assert len(long) == len(set(long))
    for table in whole_page.find("table"):
        rows = [line.split(maxsplit=1) for line in table["text"].splitlines() if line.strip()]
        assert rows
    names = [element["text"] for element in whole_page.find("th", scope="row") if "accuracy" in element["text"].lower()]
    assert "Accuracy (image recognition rate)" in names
    assert "Image recognition rate" not in names


def test_the_list_of_contents_names_the_sections_there_are(any_page):
    sections = [element["attributes"]["id"] for element in any_page.find("section")]
    nav = [element["attributes"]["href"][1:] for element in any_page.find("a") if "nav" in element["parents"]]
    assert nav == sections


def test_names_of_classes_keep_their_letters(evaluate):
    page = render_report(evaluate(("a$b$", "idcPos")))
    assert "<h1>a$b$ or idcPos</h1>" in page
    assert "<title>a$b$ or idcPos ·" in page
    assert "idcPos is predicted from" in page
    assert "cases: a$b$ against idcPos (the positive class)." in page
    assert "A$b$" not in page
    assert "Idcpos" not in page


def test_every_section_shows_its_numbers(whole_evaluation, whole_page):
    evaluation, page = whole_evaluation, whole_page
    error = evaluation.calibration.errors.loc["ece_equal_mass", "value"]
    assert f"{error:.3f}" in page.text(id="calibration")
    decisions = page.text(id="decision-threshold-and-net-benefit")
    assert "from a probability of 0.4, given to evaluate as a number; how it was chosen is not recorded" in decisions
    assert f"{evaluation.operating.loc[(0.4, 0.01), 'ppv']:.3f}" in decisions
    assert "stain-normalised" in page.text(id="baselines")
    assert "PFTAS and SVM" in page.text(id="baselines")
    assert "highest quarter" in page.text(id="subgroups")
    assert "entropy" in page.text(id="out-of-distribution-detection")
    assert "By class" in page.text(id="uncertainty-and-selective-prediction")
    assert evaluation.worst_cases.index[0] in page.text(id="misclassified-cases")
    assert "By case" in page.text(id="metrics")


def test_the_audit_is_shown_and_an_allowed_leak_is_loud(words_of, evaluate, audit, page):
    assert not page.find("div", **{"class": "banner"})
    assert "No leak was found." in page.text(id="leakage-audit")
    leak = audit(
        shared_cases=tuple(f"14-{number}" for number in range(20)),
        identical_files=(("/home/me/a.png", "C:\\data\\b.png"),),
        test_images_in_shared_cases=72,
    )
    loud = words_of(evaluate(leakage=leak))
    assert "Do not report these values." in loud.text(**{"class": "banner"})
    words = loud.text(id="leakage-audit")
    assert "20: 14-0, 14-1" in words
    assert "12 more" in words
    assert "a.png = b.png" in words
    assert "72 of 288 (25%)" in words
    assert "/home/me" not in words


def test_missing_audit_baseline_and_card_are_named(words_of, evaluate):
    bare = words_of(evaluate(leakage=None, colour_baseline=None, model={}, by_subtype=None, by_magnification=None))
    assert "Leaks were not checked." in bare.text(id="leakage-audit")
    assert "Not measured" in bare.text(id="baselines")
    assert "have no model card" in bare.text(id="model-and-training")
    assert "By subtype" not in bare.text(id="subgroups")


def test_undefined_values_are_named(evaluate):
    metrics = evaluate().metrics.copy()
    metrics.loc["roc_auc"] = np.nan
    metrics.loc["accuracy", ["low", "high"]] = np.nan
    text = render_report(evaluate(metrics=metrics))
    assert not re.search(r"\bnan\b", Page(text).find("main")[0]["text"], re.IGNORECASE)
    assert "ROC AUC not defined" in Page(text).text(id="result")


def test_eight_classes_have_eight_curves_and_eight_columns(evaluate):
    text = render_report(evaluate(EIGHT, cases=16))
    for key in ("roc", "precision-recall"):
        (figure,) = [one for one in text.split("<figure") if f'id="{key}-' in one]
        assert len(set(re.findall(r"stroke: var\(--(class-\d|model)\)", figure))) == 8
        assert all(f">{name}</text>" in figure for name in EIGHT)
    eight = Page(text)
    matrix = eight.find("table", **{"class": "confusion many"})
    assert len(matrix) == 1
    assert "predicted PC" in matrix[0]["text"]


def test_what_comes_from_outside_is_text_and_never_markup(evaluate):
    classes = (ATTACK, "malignant")
    evaluation = evaluate(
        classes, general_limitations=(ATTACK,), model={"backbone": ATTACK, "provenance": {ATTACK: ATTACK}}
    )
    names = np.array([f"/scans/{ATTACK.replace('/', '')}{row}.png" for row in range(288)], dtype=object)
    predictions = dataclasses.replace(
        evaluation.predictions,
        paths=names,
        cases=np.array([f"{ATTACK}{row % 24}" for row in range(288)], dtype=object),
    )
    text = render_report(dataclasses.replace(evaluation, predictions=predictions), title=ATTACK)
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    hostile = Page(text)
    # The theme, and the tables and the menu.
    assert len(hostile.find("script")) == 2
    assert not any("onerror" in element["attributes"] for element in hostile.elements)
    assert hostile.find("h1")[0]["text"] == ATTACK


def test_the_same_evaluation_gives_the_same_bytes(evaluate, tissue, tmp_path):
    first = write_report(evaluate(paths=tissue), tmp_path / "first.html")
    second = write_report(evaluate(paths=tissue), tmp_path / "second.html")
    assert first.read_bytes() == second.read_bytes()


def test_a_title_of_ones_own_and_a_folder_that_is_made(evaluate, tmp_path):
    path = write_report(evaluate(), tmp_path / "new" / "report.html", title="Fold 3", thumbnails=0)
    assert path == tmp_path / "new" / "report.html"
    assert Page(path.read_text(encoding="utf-8")).find("h1")[0]["text"] == "Fold 3"


def test_what_cannot_be_written_is_an_error_and_leaves_nothing(evaluate, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="Cannot create the folder"):
        write_report(evaluate(), tmp_path / "file" / "report.html")
    with pytest.raises(EvaluationError, match="thumbnails"):
        write_report(evaluate(), tmp_path / "report.html", thumbnails=500)
    assert not (tmp_path / "report.html").exists()
