import numpy as np
import pandas as pd
import pytest

from breastcls.reporting.tables import to_latex, to_markdown


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
    assert lines[6] == r"Strange|100\% \& & not defined & not defined \\"
