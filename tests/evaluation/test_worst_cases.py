import dataclasses

import numpy as np
import pytest
from sklearn.metrics import log_loss

from breastcls.evaluation.worst_cases import rank_cases


def test_every_case_against_a_loop(draw):
    some = draw(1, ties=False)
    table = rank_cases(some)
    assert len(table) == 24
    for case, row in table.iterrows():
        inside = some.cases == case
        wrong = some.decisions[inside] != some.labels[inside]
        assert row["class"] == some.classes[some.labels[inside][0]]
        assert (row["images"], row["mistakes"]) == (inside.sum(), wrong.sum())
        assert row["error"] == pytest.approx(wrong.mean())
        truth = some.probabilities[inside, some.labels[inside]]
        assert row["probability"] == pytest.approx(truth.mean())
        expected = log_loss(some.labels[inside], some.probabilities[inside], labels=[0, 1])
        assert row["log_loss"] == pytest.approx(expected, rel=1e-5)


def test_the_worst_come_first_and_the_threshold_decides(draw):
    some = draw(1, ties=False)
    errors = rank_cases(some)["error"].to_numpy()
    assert (np.diff(errors) <= 0).all()
    assert errors[0] > errors[-1]
    assert rank_cases(some.with_threshold(1.0))["class"].iloc[0] == "malignant"


def test_a_case_of_several_classes_is_marked(draw):
    table = rank_cases(draw(1, mixed=True))
    assert set(table["class"]) == {"several"}
    assert set(table["subtype"]) == {"several"}


def test_without_cases_there_is_nothing_to_rank(draw):
    assert rank_cases(dataclasses.replace(draw(), cases=None)) is None
    assert "subtype" not in rank_cases(dataclasses.replace(draw(), subtypes=None))
