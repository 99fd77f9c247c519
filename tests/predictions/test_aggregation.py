import numpy as np
import pandas as pd
import pytest

from breastcls.errors import EvaluationError
from breastcls.predictions.aggregation import METHODS, Aggregation
from breastcls.predictions.predictions import Predictions
from breastcls.predictions.unit_labels import scored_images


def by_hand(some, names, method):
    """One group at a time, as one would explain it."""
    results = {}
    for name in pd.unique(names):
        inside = some.probabilities[names == name].astype(float)
        decided = some.decisions[names == name]
        if method == "mean":
            results[name] = inside.mean(axis=0)
        elif method == "mean-logit":
            geometric = np.prod(inside, axis=0) ** (1 / len(inside))
            results[name] = geometric / geometric.sum()
        elif method == "majority":
            results[name] = np.array([(decided == index).mean() for index in range(inside.shape[1])])
        elif inside.shape[1] == 2:
            results[name] = np.array([1 - inside[:, 1].max(), inside[:, 1].max()])
        else:
            results[name] = inside.max(axis=0) / inside.max(axis=0).sum()
    return np.stack(list(results.values())), list(results)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("classes", [("benign", "malignant"), ("a", "b", "c")])
@pytest.mark.parametrize("level", ["slide", "case"])
def test_each_aggregation_against_a_loop(draw, method, classes, level):
    some = draw(classes=classes, ties=False)
    names = some.slides if level == "slide" else some.cases
    expected, order = by_hand(some, names, method)
    grouped = some.aggregate(Aggregation(level, method))
    np.testing.assert_allclose(grouped.probabilities, expected, atol=1e-6)
    assert list(grouped.slides if level == "slide" else grouped.cases) == order
    assert grouped.level == level
    label_of = dict(zip(names, some.labels, strict=True))
    assert grouped.labels.tolist() == [label_of[name] for name in order]
    assert grouped.paths is None


def test_a_threshold_stays_but_votes_use_it_up():
    some = Predictions.from_arrays(
        probabilities=[0.4, 0.4, 0.1], labels=[1, 1, 1], cases=["a"] * 3, classes=("no", "yes"), threshold=0.3
    )
    assert some.aggregate("case").decisions.tolist() == [1]
    votes = some.aggregate(Aggregation("case", "majority"))
    assert votes.threshold is None
    np.testing.assert_allclose(votes.positive, [2 / 3], atol=1e-6)
    assert votes.decisions.tolist() == [1]


def test_a_drawn_vote_is_called_positive():
    some = Predictions.from_arrays(
        probabilities=[0.9, 0.1, 0.9, 0.1, 0.2], labels=[1] * 5, cases=list("aabbb"), classes=("no", "yes")
    )
    votes = some.aggregate(Aggregation("case", "majority"))
    assert votes.positive[0] == 0.5
    assert votes.decisions.tolist() == [1, 0]
    # The votes themselves follow the images' threshold.
    assert some.with_threshold(0.2).aggregate(Aggregation("case", "majority")).positive.tolist() == pytest.approx(
        [0.5, 2 / 3]
    )


def test_the_images_behind_what_is_scored():
    some = Predictions.from_arrays(
        probabilities=[0.9, 0.1, 0.2, 0.8], labels=[1, 0, 0, 1], cases=["m", "m", "n", "p"], classes=("no", "yes")
    )
    assert scored_images(some, Aggregation("image", mixed_labels="error")) is some
    last = scored_images(some, Aggregation("case", mixed_labels="last"))
    assert last.labels.tolist() == [1, 1, 0, 1]
    assert last.positive.tolist() == some.positive.tolist()
    dropped = scored_images(some, Aggregation("case", mixed_labels="drop"))
    assert dropped.cases.tolist() == ["n", "p"]
    assert dropped.labels.tolist() == [0, 1]
    with pytest.raises(EvaluationError, match="several classes"):
        scored_images(some, Aggregation("case", mixed_labels="error"))


def test_mixed_cases(draw):
    some = Predictions.from_arrays(
        probabilities=[0.9, 0.1, 0.2, 0.8], labels=[1, 0, 0, 1], cases=["m", "m", "n", "p"], classes=("no", "yes")
    )
    with pytest.raises(EvaluationError, match="1 of 3 cases hold images of several classes"):
        some.aggregate("case")
    assert some.aggregate(Aggregation("case", mixed_labels="last")).labels.tolist() == [1, 0, 1]
    assert some.aggregate(Aggregation("case", mixed_labels="drop")).cases.tolist() == ["n", "p"]
    with pytest.raises(EvaluationError, match="none is left"):
        some[:2].aggregate(Aggregation("case", mixed_labels="drop"))


def test_what_a_unit_does_not_share_is_left_open():
    some = Predictions.from_arrays(
        probabilities=[0.9, 0.1, 0.2],
        labels=[1, 1, 0],
        cases=["a", "a", "b"],
        classes=("no", "yes"),
        slides=["1", "2", "1"],
        magnifications=[40, 40, 100],
        subtypes=["DC", "LC", "F"],
    )
    cases = some.aggregate("case")
    assert cases.slides.tolist() == ["", "1"]
    assert cases.magnifications.tolist() == [40, 100]
    assert cases.subtypes.tolist() == ["", "F"]
    # Both cases number a slide "1": two slides.
    assert len(some.aggregate("slide")) == 3


def test_what_cannot_be_aggregated(draw):
    some = draw()
    assert some.aggregate("image") is some
    with pytest.raises(EvaluationError, match="by case already"):
        some.aggregate("case").aggregate("slide")
    with pytest.raises(EvaluationError, match="have no slide"):
        Predictions.from_arrays(probabilities=[0.5], labels=[0], classes=("a", "b")).aggregate("slide")
    for wrong in (("patient",), ("case", "median"), ("case", "mean", "first")):
        with pytest.raises(EvaluationError, match=r"of the aggregation is .*expected one of"):
            Aggregation(*wrong)
    for wrong in ("patient", "mean", None):
        with pytest.raises(EvaluationError, match=r'`aggregation` is .*Aggregation\("case", "mean"\)'):
            some.aggregate(wrong)
