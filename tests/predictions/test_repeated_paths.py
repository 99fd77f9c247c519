import numpy as np
import pytest

from breastcls.comparison.compare_models import compare
from breastcls.errors import EvaluationError
from breastcls.evaluation.evaluate import evaluate
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.predictions import Predictions
from breastcls.predictions.repeated_paths import describe_repeats

BINARY = ("benign", "malignant")
LABELS = np.repeat([0, 1], 100)
CASES = np.repeat([f"case {number}" for number in range(20)], 10)


def make(paths, **changes):
    scores = np.random.default_rng(0).random(len(LABELS))
    fields = {"probabilities": scores, "labels": LABELS, "cases": CASES, "classes": BINARY, "paths": paths} | changes
    return Predictions.from_arrays(**fields)


def limitations(paths, **changes):
    return [
        one
        for one in evaluate(make(paths, **changes), bootstrap=Bootstrap(10)).limitations
        if "count more than once" in one
    ]


def test_one_file_of_many_cases_is_refused():
    """One path for twenty cases of both classes: the file, what was found and what to do are named."""
    for path in ("/data/same.png", "data/same.png", r"C:\data\same.png"):
        with pytest.raises(EvaluationError) as found:
            make([path] * 200)
        for words in (
            repr(path),
            "200 rows",
            "20 cases (case 0, case 1, case 2, case 3, case 4, ...)",
            "leave `paths`",
        ):
            assert words in str(found.value)


def test_one_file_of_two_classes_is_refused_where_both_are_known():
    paths = [f"data/{number}.png" for number in range(200)]
    paths[95] = paths[105]
    with pytest.raises(EvaluationError, match=r"'data/105.png' in 2 rows, with 2 classes \(benign, malignant"):
        make(paths, cases=None)
    labels = LABELS.copy()
    labels[95] = -1
    assert len(make(paths, cases=None, labels=labels)) == 200
    paths[10] = paths[20]
    with pytest.raises(EvaluationError, match=r"2 cases .* 1 more path likewise"):
        make(paths)


def test_rows_that_are_doubled_are_counted():
    once = [f"data/{number}.png" for number in range(100)]
    (sentence,) = limitations(
        once + once, labels=np.tile(LABELS[::2], 2), cases=np.tile(CASES[::2], 2), probabilities=np.full(200, 0.4)
    )
    assert sentence.startswith("200 of 200 rows share their file")
    assert "(different files: 100, such as 'data/0.png')" in sentence
    few = [f"data/{number}.png" for number in range(200)]
    few[3] = few[4] = few[5]
    assert limitations(few)[0].startswith("3 of 200 rows share their file with another row (different files: 1,")
    assert limitations([f"data/{number}.png" for number in range(200)]) == []
    assert limitations(None) == []


def test_names_without_a_folder_may_repeat_and_are_told_of():
    (sentence,) = limitations([f"{number % 10}.png" for number in range(200)])
    assert sentence.startswith("200 of 200 rows share the name of their file")
    assert "(different names: 10, such as '0.png'). Without folders" in sentence
    both = ["a.png", "a.png", "b/a.png", "b/a.png", "", "", "c.png"]
    assert len(describe_repeats(np.array(both, dtype=object))) == 2


def test_a_comparison_tells_of_them_too():
    some = make([f"{number // 2}.png" for number in range(200)])
    assert any("different names: 100" in one for one in compare([some, some], bootstrap=Bootstrap(10)).limitations)


def test_it_is_found_in_a_file_as_well(tmp_path):
    some = make([f"data/{number}.png" for number in range(200)])
    frame = some.to_frame()
    frame.loc[150, "path"] = "data/3.png"
    frame.to_csv(tmp_path / "out.csv", index=False)
    with pytest.raises(EvaluationError, match=r"'data/3\.png' in 2 rows, with 2 cases"):
        Predictions.from_csv(tmp_path / "out.csv")
