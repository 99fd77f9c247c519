import numpy as np
import pytest

from breastcls.errors import EvaluationError
from breastcls.evaluation.report.risk_coverage_figure import plot_risk_coverage


def test_the_curve_is_that_of_the_table_from_the_surest_to_all(whole):
    found = whole().with_sections(risk_coverage=None)
    with pytest.raises(EvaluationError, match="no risk-coverage curve"):
        plot_risk_coverage(found)
    table = whole().risk_coverage.iloc[::-1]
    axes = plot_risk_coverage(found.with_sections(risk_coverage=table)).axes[0]
    curve, chance = axes.lines
    np.testing.assert_array_equal(curve.get_xdata(), [0.2, 0.6, 1.0])
    np.testing.assert_array_equal(curve.get_ydata(), [0.02, 0.1, 0.2])
    assert set(chance.get_ydata()) == {0.2}, "the risk where all are decided"
    assert len(axes.collections) == 1, "the band"
    assert axes.get_xlabel() == "Coverage: share of the images decided"


def test_without_the_risk_of_all_there_is_no_line_for_chance(whole):
    found = whole()
    part = found.with_sections(risk_coverage=found.risk_coverage[:2])
    assert len(plot_risk_coverage(part).axes[0].lines) == 1
