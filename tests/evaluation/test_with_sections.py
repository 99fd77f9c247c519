import numpy as np
import pandas as pd
import pytest

from breastcls.errors import EvaluationError
from breastcls.evaluation.evaluate import evaluate
from breastcls.intervals.bootstrap import Bootstrap

TABLE = pd.DataFrame({"coverage": [0.5, 1.0], "risk": [0.1, 0.2], "low": [0.0, 0.1], "high": [0.2, 0.3]})


def test_what_is_attached_is_there_and_nothing_else_changes(draw):
    found = evaluate(draw(0), bootstrap=Bootstrap(20))
    more = found.with_sections(risk_coverage=TABLE)
    pd.testing.assert_frame_equal(more.risk_coverage, TABLE)
    assert more.metrics.equals(found.metrics)
    assert found.with_sections(risk_coverage=None).risk_coverage is None


@pytest.mark.parametrize("wrong", [TABLE.drop(columns="risk"), np.zeros(3), "a text"])
def test_what_has_another_form_is_refused_by_name(draw, wrong):
    with pytest.raises(EvaluationError, match="risk_coverage"):
        evaluate(draw(0), bootstrap=Bootstrap(20)).with_sections(risk_coverage=wrong)


def test_an_unknown_section_is_refused(draw):
    with pytest.raises((EvaluationError, TypeError), match="sharpness"):
        evaluate(draw(0), bootstrap=Bootstrap(20)).with_sections(sharpness=TABLE)
