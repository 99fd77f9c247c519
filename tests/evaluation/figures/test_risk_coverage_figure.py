import numpy as np
import pandas as pd

from breastcls.evaluation.figures.risk_coverage_figure import describe_risk_coverage, plot_risk_coverage

TABLE = pd.DataFrame(
    {"coverage": [1.0, 0.6, 0.2], "risk": [0.2, 0.1, 0.02], "low": [0.1, 0.05, 0.0], "high": [0.3, 0.2, 0.1]}
)


def test_the_curve_is_that_of_the_table_in_order_of_coverage():
    axes = plot_risk_coverage(TABLE).axes[0]
    curve, chance = axes.lines
    np.testing.assert_array_equal(curve.get_xdata(), [0.2, 0.6, 1.0])
    np.testing.assert_array_equal(curve.get_ydata(), [0.02, 0.1, 0.2])
    assert set(chance.get_ydata()) == {0.2}, "the risk at full coverage"
    assert len(axes.collections) == 1, "the band"
    assert axes.get_xlabel() == "Coverage: share of the images predicted"


def test_without_the_risk_at_full_coverage_there_is_no_line_for_chance():
    assert len(plot_risk_coverage(TABLE[1:]).axes[0].lines) == 1


def test_the_curve_in_words():
    words = describe_risk_coverage(TABLE, unit="case", confidence=0.95)
    assert words.alt == (
        "Error rate against the share of cases predicted: 0.200 at a coverage of 1.00, 0.020 at the lowest coverage of "
        "0.20."
    )
