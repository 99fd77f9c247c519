"""A section that another package registers, in one file, is in everything that an evaluation shows."""

import dataclasses
import json

import jsonschema
import pandas as pd
import pytest

from breastcls import Evaluation, evaluate
from breastcls.errors import EvaluationError, RegistryError
from breastcls.evaluation import (
    EvaluationContext,
    FigureText,
    Need,
    Section,
    SectionFigure,
    Verdict,
    list_sections,
    read_schema,
    register_section,
)
from breastcls.evaluation.report import section_parts
from breastcls.evaluation.section_registry import RESERVED, SECTIONS
from breastcls.intervals.bootstrap import Bootstrap

QUICK = Bootstrap(20)


def compute_certainty(context: EvaluationContext) -> pd.DataFrame:
    highest = pd.Series(context.scored.probabilities.max(axis=1))
    names = pd.Index([context.scored.classes[label] for label in context.scored.labels], name="class")
    return highest.groupby(names).agg(["mean", "min"]).rename(columns=str)


def draw_certainty(table, evaluation, axes):
    from matplotlib.figure import Figure

    axes = Figure().add_subplot() if axes is None else axes
    axes.bar(table.index, table["mean"])
    axes.set_title("Mean certainty", loc="left")
    return axes.get_figure()


CERTAINTY = Section(
    name="certainty",
    title="Certainty",
    part="Certainty of the predictions",
    description="Mean and lowest probability of the predicted class.",
    needs=(Need.TWO_CLASSES,),
    compute=compute_certainty,
    columns=("mean", "min"),
    text=lambda table, evaluation: [f"Mean certainty {table['mean'].mean():.3f}"],
    figures=(
        SectionFigure(
            "certainty", draw_certainty, lambda table, evaluation: FigureText("Bars of 2 classes.", "Mean by class.")
        ),
    ),
    verdict=lambda table, evaluation: Verdict("caution", "Certainty is no accuracy.", "It was not calibrated."),
    glossary=(("Certainty", "The probability of the predicted class."),),
    limitations=lambda table, context: ["Certainty says nothing of accuracy."],
    cases=lambda table, context: {name: of["cases"] for name, of in context.counts["classes"].items()},
)


@pytest.fixture
def registered():
    yield register_section(CERTAINTY)
    del SECTIONS._items["certainty"]  # A registry has no way to remove an entry, which only this test needs.


def test_it_is_in_print_json_html_and_figures(registered, draw, tmp_path):
    found = evaluate(draw(), bootstrap=QUICK)
    assert found["certainty"].equals(found.sections["certainty"])
    assert found.certainty.equals(found.sections["certainty"])
    assert "certainty" in dir(found)
    assert f"Mean certainty {found.certainty['mean'].mean():.3f}" in str(found)
    assert "  - Certainty says nothing of accuracy." in str(found)
    content = json.loads(found.to_json())
    schema = read_schema()
    jsonschema.validate(content, schema)
    assert content["certainty"]["columns"] == ["mean", "min"]
    assert content["section_cases"]["certainty"] == {"benign": 12, "malignant": 12}
    assert schema["properties"]["certainty"]["description"] == CERTAINTY.description
    content["certainty"]["columns"] = ["mean", "maximum"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema)
    page = found.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<a href="#certainty-of-the-predictions">Certainty of the predictions</a>' in page
    assert '<h2 id="certainty-of-the-predictions-heading">Certainty of the predictions</h2>' in page
    assert 'aria-label="Bars of 2 classes."' in page
    # The first page has the cases of each class; a section repeats them only where it is based on others.
    assert "Based on 12 cases" not in page
    fewer = dataclasses.replace(found, section_cases={"certainty": {"benign": 1, "malignant": 12}})
    (note,) = section_parts._cases([CERTAINTY], fewer)
    assert note.text == "Based on 1 case of benign and 12 cases of malignant."
    assert page.count("Certainty is no accuracy.") == 2
    assert "<li>Certainty says nothing of accuracy.</li>" in page
    assert "<dt>Certainty</dt>" in page
    assert found.plot(tmp_path / "certainty.svg", figure="certainty").axes[0].get_title(loc="left") == "Mean certainty"
    assert "Mean" in found.to_markdown(table="certainty")
    assert "certainty" in list_sections().names


def test_without_what_it_needs_it_is_absent(registered, draw, tmp_path):
    found = evaluate(draw(classes=("a", "b", "c")), bootstrap=QUICK)
    assert found.certainty is None
    assert "certainty" not in found.sections
    assert json.loads(found.to_json())["certainty"] is None
    assert "Certainty" not in found.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    with pytest.raises(EvaluationError, match="needs two classes, with images of both"):
        found.plot(figure="certainty")
    with pytest.raises(KeyError, match="needs two classes"):
        found["certainty"]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("metrics", "registered already"),
        ("predictions", "taken by the evaluation"),
        ("plot", "taken by the evaluation"),
        ("limitations", "taken by the evaluation"),
        ("my section", "expected an identifier"),
    ],
)
def test_names_that_are_taken_or_no_identifier_are_refused(name, complaint):
    with pytest.raises(RegistryError, match=complaint):
        register_section(Section(name=name, title="X", description="X."))
    figure = SectionFigure("roc", draw_certainty)
    with pytest.raises(RegistryError, match="figure named 'roc'"):
        register_section(Section(name="other", title="X", description="X.", figures=(figure,)))


def test_no_section_can_hide_an_attribute_of_an_evaluation():
    assert {name for name in dir(Evaluation) if not name.startswith("_")} <= RESERVED


def test_the_table_of_sections_shows_what_each_needs_and_draws():
    table = list_sections()
    text = str(table)
    assert "two classes, with images of both" in text
    assert "reliability" in text
    frame = table.to_frame()
    assert frame.loc["robustness", "computed"] == False  # noqa: E712 - a NumPy bool
    assert frame.loc["robustness", "can_be_attached"]
    assert not frame.loc["metrics", "can_be_attached"]
    assert all(entry.description.endswith(".") for entry in table)
