from breastcls.evaluation.case_statistics import CaseStatistics
from breastcls.evaluation.caveats import few_cases, find_caveats
from breastcls.evaluation.intervals import Bootstrap
from breastcls.evaluation.predictions import Predictions
from breastcls.evaluation.subgroups import count_units, score


def caveats_of(some, leaking=False):
    table = score(some, CaseStatistics.of(some), Bootstrap(20))
    return " ".join(find_caveats(some, some, table, count_units(some), leaking))


def test_nothing_to_say_about_a_sound_test_set(draw):
    assert caveats_of(draw()) == ""


def test_few_cases(draw):
    (one,) = few_cases({"classes": {"benign": {"images": 9, "cases": 1}, "malignant": {"images": 9, "cases": 5}}})
    assert "benign has only 1 case" in one
    assert few_cases({"classes": {"benign": {"images": 0, "cases": 0}}}) == ()
    assert "malignant has only 3 cases" in caveats_of(draw(cases=6))


def test_what_is_missing_is_named():
    one = Predictions.from_arrays(probabilities=[0.2, 0.3], labels=[0, 0], classes=("a", "b"), cases=["x", "x"])
    text = caveats_of(one)
    for words in ("no image of b", "All images are of one case", "Slides are not known", "never decided for b"):
        assert words in text
    assert "Cases are not known" in caveats_of(
        one.__class__.from_arrays(probabilities=[0.2, 0.7], labels=[0, 1], classes=("a", "b"))
    )
    assert "not independent" in caveats_of(one, leaking=True)
