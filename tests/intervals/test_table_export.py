import html
import re

import numpy as np
import pandas as pd
import pytest

from breastcls.evaluation.section_registry import SECTIONS
from breastcls.intervals.table_export import to_latex, to_markdown


@pytest.fixture
def metrics():
    return pd.DataFrame(
        {"value": [0.8912, -0.1, np.nan], "low": [0.801, -0.3, np.nan], "high": [0.95, 0.12, np.nan]},
        index=["roc_auc", "mcc", "strange|100%_&"],
    )


def test_markdown_is_aligned_and_escaped(metrics):
    lines = to_markdown(metrics).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [line.replace(r"\|", "").count("|") for line in lines] == [4] * 5
    assert [cell.strip() for cell in lines[2].split("|")[2:4]] == ["0.891", "0.801 to 0.950"]
    assert [cell.strip() for cell in lines[3].split("|")[2:4]] == ["−0.100", "−0.300 to 0.120"]
    assert lines[4].count("not defined") == 2


def test_latex_escapes_what_latex_reads(metrics):
    lines = to_latex(metrics, digits=2).splitlines()
    assert lines[0] == r"\begin{tabular}{lrr}"
    assert lines[-1] == r"\end{tabular}"
    assert lines[4] == r"Area under the ROC curve & 0.89 & 0.80 to 0.95 \\"
    assert lines[5] == r"Matthews correlation & $-$0.10 & $-$0.30 to 0.12 \\"
    assert lines[6] == r"Strange\textbar{}100\% \& & not defined & not defined \\"


@pytest.fixture(scope="module")
def found(whole):
    return whole()


def test_every_table_of_an_evaluation_can_be_written(found):
    absent = {name for name in SECTIONS if found.value_of(name) is None}
    assert absent == {"by_column", "colour_baseline", "colour_difference", "folds"}
    for name in set(SECTIONS) - absent - {"conformal", "threshold"}:
        lines = to_markdown(found.table_of(name)).splitlines()
        assert len({len(line) for line in lines}) == 1, name
        latex = to_latex(found.table_of(name)).splitlines()
        columns = latex[0].removeprefix(r"\begin{tabular}{").rstrip("}")
        rows = [line for line in latex if line.endswith(r"\\")]
        assert {line.count(" & ") for line in rows} == {len(columns) - 1}, name


def test_names_of_classes_are_shown_as_they_are(whole):
    names = ("x_y<c>", ">2cm*a* [b] $d$ ~~e~~ _f_ 'g' &amp; a|b \\*")
    found = whole(classes=names)
    for name in ("confusion", "per_class"):
        rows = read_markdown(to_markdown(found.table_of(name)))
        assert [row[0] for row in rows[1:]] == list(names)
    assert read_markdown(to_markdown(found.table_of("confusion")))[0] == ["True", *names]


def read_markdown(text):
    """Return the cells of a table as Python-Markdown shows them."""
    page = pytest.importorskip("markdown").markdown(text, extensions=["tables"])
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.S)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in rows]
    assert not any(re.search(r"<\w", cell) for row in cells for cell in row), "markup of its own in a cell"
    return [[html.unescape(cell) for cell in row] for row in cells]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("x_y<c>", r"x\_y\textless{}c\textgreater{}"),
        ("a|b", r"a\textbar{}b"),
        # LaTeX would take these for the star and the option of the end of the row before.
        ("*a", "{*}a"),
        ("[2cm]", "{[}2cm{]}"),
        ("a\nb", "a b"),
    ],
)
def test_latex_prints_names_as_they_are(name, written):
    frame = pd.DataFrame({"f1": [0.5]}, index=[name])
    assert to_latex(frame).splitlines()[4] == f"{written} & 0.500 \\\\"


def test_levels_stand_side_by_side(found):
    header, _, first, *_ = to_markdown(found.by_level.loc[:], digits=2).splitlines()
    assert [cell.strip() for cell in header.strip("|").split("|")] == ["Metric", "By image", "By slide", "By case"]
    value, low, high, _ = found.by_level.loc[("image", "accuracy")]
    assert first.split("|")[2].strip() == f"{value:.2f} ({low:.2f}–{high:.2f})"


def test_a_figure_and_its_bounds_are_one_cell(found):
    table = to_markdown(found.table_of("per_class"))
    header = [cell.strip() for cell in table.splitlines()[0].strip("|").split("|")]
    assert header == ["Class", "Precision", "Recall", "Specificity", "F1", "Images", "Cases"]
    row = found.per_class.iloc[0]
    assert f"{row['recall']:.3f} ({row['recall_low']:.3f}–{row['recall_high']:.3f})" in table


def test_a_value_without_an_interval_says_so():
    frame = pd.DataFrame(
        {"auc": [0.5], "auc_low": [np.nan], "auc_high": [np.nan], "auc_reason": ["too-few-cases"], "flag": [True]},
        index=["a"],
    )
    cells = [cell.strip() for cell in to_markdown(frame).splitlines()[2].split("|")]
    assert cells[1:-1] == ["a", "0.500 (CI not estimable)", "yes"]
    assert "0.500 (CI not estimable)" in to_latex(frame)
