import dataclasses
import itertools
import json

import numpy as np
import pytest

from breastcls.errors import EvaluationError, EvaluationWarning, OutputError
from breastcls.evaluation.evaluate import evaluate
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.predictions.aggregation import Aggregation
from breastcls.predictions.predictions import Predictions

BINARY = ("benign", "malignant")


def make(**changes):
    arguments = {"probabilities": [0.9, 0.2, 0.6], "labels": [1, 0, 0], "classes": BINARY} | changes
    return Predictions.from_arrays(**arguments)


def test_positive_scores_become_two_columns():
    for shape in ((3,), (3, 1)):
        some = make(probabilities=np.array([0.9, 0.25, 0.5], np.float32).reshape(shape))
        assert some.probabilities.dtype == np.float32
        np.testing.assert_array_equal(some.positive, np.array([0.9, 0.25, 0.5], np.float32))
        np.testing.assert_allclose(some.probabilities.sum(axis=1), 1, atol=1e-7)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"probabilities": [0.9, np.nan, 0.6]}, "NaN or infinite values in 1 of 3 rows, first in row 1"),
        ({"probabilities": [0.9, 1.2, 0.6]}, "0..1; row 1"),
        ({"probabilities": [[0.9, 0.3], [0.5, 0.5], [0.5, 0.5]]}, "row 0 sums to 1.2"),
        ({"probabilities": np.full((3, 3), 1 / 3)}, r"shape \(3, 3\)"),
        ({"probabilities": ["a", "b", "c"]}, "must be numbers"),
        ({"probabilities": [], "labels": []}, "no predictions"),
        ({"labels": [1, 0]}, r"`labels` has shape \(2,\)"),
        ({"labels": [1, 0, 2]}, r"`labels` holds \[2\]"),
        ({"labels": ["benign", "malignant", "Benign"]}, r"\['Benign'\]"),
        ({"labels": [0.0, 0.5, 1.0]}, "fractions"),
        ({"labels": np.eye(2)[[1, 0, 0]]}, "one-hot"),
        ({"cases": ["a", "b"]}, "`cases` has shape"),
        ({"cases": ["a", None, "b"]}, "`cases` is missing in 1 of 3 rows, first in row 1"),
        ({"classes": ("benign", "benign")}, "two or more different"),
        ({"classes": "ab"}, "sequence of names"),
        ({"classes": (1, 2)}, r"`classes` holds numbers, \(1, 2\)"),
        ({"threshold": 1.5}, "0..1"),
        ({"probabilities": np.eye(3), "classes": ("a", "b", "c"), "threshold": 0.5}, "needs two classes"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_words(changes, words):
    with pytest.raises(EvaluationError, match=words):
        make(**changes)


def test_labels_may_be_names_booleans_or_unknown():
    assert make(labels=["malignant", "benign", "benign"]).labels.tolist() == [1, 0, 0]
    assert make(labels=np.array([True, False, False])).labels.tolist() == [1, 0, 0]
    assert make(labels=None).labels.tolist() == [-1, -1, -1]
    assert make(labels=["0", "1", "1"], classes=("0", "1")).labels.tolist() == [0, 1, 1]


def test_a_tensor_with_gradient_is_read():
    class Tensor:
        def __init__(self, values):
            self.values = values

        def detach(self):
            return self.values

        def __array__(self, dtype=None, copy=None):
            raise RuntimeError("call detach first")

    assert make(probabilities=Tensor(np.array([0.25, 0.5, 0.75]))).positive.tolist() == [0.25, 0.5, 0.75]


def test_nearly_one_is_normalised_and_exact_rows_are_left_alone():
    some = make(probabilities=[[0.5005, 0.5], [0.25, 0.75], [1.0, 0.0]])
    assert abs(some.probabilities[0].sum() - 1) < 1e-6
    assert some.probabilities[1].tolist() == [0.25, 0.75]


def test_decisions_follow_the_threshold_inclusive():
    some = make(probabilities=[0.3, 0.29, 0.6])
    assert some.decisions.tolist() == [0, 0, 1]
    assert some.with_threshold(0.3).decisions.tolist() == [1, 0, 1]
    # Without a threshold as at 0.5: a tie is positive.
    assert make(probabilities=[0.5, 0.5, 0.49]).decisions.tolist() == [1, 1, 0]


def test_it_is_read_only_but_the_callers_array_is_not():
    own = np.array([0.1, 0.2, 0.3], np.float32)
    some = Predictions(np.stack([1 - own, own], 1), np.zeros(3, np.int64), BINARY)
    with pytest.raises(ValueError, match="read-only"):
        some.probabilities[0, 0] = 1
    labels = np.zeros(3, np.int64)
    Predictions(np.stack([1 - own, own], 1), labels, BINARY)
    labels[0] = 1


def test_choosing_rows(draw):
    some = draw()
    assert len(some[3]) == 1
    assert some[-1].cases[0] == some.cases[-1]
    assert len(some[some.labels == 1]) == int((some.labels == 1).sum())
    np.testing.assert_array_equal(some[5:9].positive, some.positive[5:9])
    np.testing.assert_array_equal(some[[2, 0]].slides, some.slides[[2, 0]])
    with pytest.raises(IndexError):
        some[len(some)]


@pytest.mark.parametrize("classes", [BINARY, ("a", "b", "c")])
def test_csv_loses_nothing(draw, tmp_path, classes):
    some = draw(classes=classes, ties=False)
    back = Predictions.from_csv(some.to_csv(tmp_path / "some.csv"))
    for name in ("probabilities", "labels", "cases", "slides", "magnifications", "subtypes"):
        np.testing.assert_array_equal(getattr(back, name), getattr(some, name))
    assert back.classes == some.classes
    assert back.paths is None


def test_csv_keeps_level_threshold_part_and_unknown_labels(draw, tmp_path):
    some = dataclasses.replace(draw(images=40, cases=8).with_threshold(0.1 + 0.2), part="out-of-fold")
    labels = some.labels.copy()
    labels[[0, 7]] = -1
    back = Predictions.from_csv(dataclasses.replace(some, labels=labels).to_csv(tmp_path / "some.csv"))
    assert back.labels.tolist() == labels.tolist()
    assert (back.level, back.aggregation_method, back.threshold, back.part) == ("image", None, 0.1 + 0.2, "out-of-fold")
    file = some.aggregate(Aggregation("case", "maximum")).to_csv(tmp_path / "case.csv")
    back = Predictions.from_csv(file)
    assert (back.level, back.aggregation_method, back.threshold, back.part) == (
        "case",
        "maximum",
        0.1 + 0.2,
        "out-of-fold",
    )
    np.testing.assert_array_equal(back.decisions, some.aggregate(Aggregation("case", "maximum")).decisions)
    told = Predictions.from_csv(file, threshold=0.7, part="validation")
    assert (told.threshold, told.part) == (0.7, "validation")


@pytest.mark.parametrize("classes", [BINARY, ("a", "a, b", "none")])
def test_csv_keeps_prediction_sets_and_flags(tmp_path, classes):
    sets = np.array(list(itertools.product([True, False], repeat=len(classes))))
    some = Predictions.from_arrays(probabilities=np.full(sets.shape, 1 / len(classes)), labels=None, classes=classes)
    some = dataclasses.replace(some, prediction_sets=sets, ood=np.arange(len(sets)) % 3 == 1)
    file = some.to_csv(tmp_path / "some.csv")
    back = Predictions.from_csv(file)
    np.testing.assert_array_equal(back.ood, some.ood)
    assert back.to_csv(tmp_path / "again.csv").read_bytes() == file.read_bytes()
    turned = Predictions.from_csv(file, classes=classes[::-1])
    np.testing.assert_array_equal(turned.prediction_sets, back.prediction_sets[:, ::-1])


@pytest.mark.parametrize(("column", "value"), [("prediction_set", "b, x"), ("out_of_distribution", "maybe")])
def test_csv_sets_and_flags_that_cannot_be_read(tmp_path, column, value):
    file = tmp_path / "other.csv"
    file.write_text(f'probability_b,probability_m,label,{column}\n0.5,0.5,m,"{value}"\n', encoding="utf-8")
    with pytest.raises(EvaluationError, match=rf"The column `{column}` of .* holds \['{value}'\]; expected "):
        Predictions.from_csv(file)
    file.write_text(f"probability_b,probability_m,label,{column}\n0.5,0.5,m,\n", encoding="utf-8")
    back = Predictions.from_csv(file)
    assert back.prediction_sets is None
    assert back.ood is None


def test_csv_columns_that_say_something_else(tmp_path):
    file = tmp_path / "other.csv"
    text = "probability_b,probability_m,label,part\n0.5,0.5,m,{}\n0.25,0.75,b,{}\n"
    file.write_text(text.format("train", "test"), encoding="utf-8")
    with pytest.raises(EvaluationError, match=r"`part` of .* holds \['test', 'train'\]; expected one value"):
        Predictions.from_csv(file)
    assert Predictions.from_csv(file, part="test").part == "test"
    # A column that the caller reads as something else is that.
    assert Predictions.from_csv(file, case="part").part is None
    file.write_text(text.format("val", "val"), encoding="utf-8")
    with pytest.raises(EvaluationError, match="part is 'val'; expected one of"):
        Predictions.from_csv(file)
    file.write_text(text.replace("part", "threshold").format("high", "high"), encoding="utf-8")
    with pytest.raises(EvaluationError, match="column 'threshold' holds 'high' in row 0; expected a number"):
        Predictions.from_csv(file)
    file.write_text(text.format("", ""), encoding="utf-8")
    assert Predictions.from_csv(file).part is None


@pytest.mark.parametrize(
    ("names", "written", "indices"),
    [
        (("1", "2", "3"), "1 2 2", [0, 1, 1]),
        (("1", "2", "3"), "1.0 2.0 3.0", [0, 1, 2]),
        (("1", "2", "3"), "0 1 2", [0, 1, 2]),
        (("0", "1", "2"), "2 1 0", [2, 1, 0]),
        (("3", "2", "1"), "1 2 3", [2, 1, 0]),
        (("NA", "None", "x"), "None NA x", [1, 0, 2]),
        (("a", "b", "c"), "c  2", None),
    ],
)
def test_csv_labels_are_names_first(tmp_path, names, written, indices):
    file = tmp_path / "some.csv"
    columns = [f"probability_{name}" for name in names]
    rows = [f"{label},0.25,0.25,0.5" for label in written.split(" ")]
    file.write_text("\n".join([",".join(["label", *columns]), *rows]), encoding="utf-8")
    if indices is None:
        with pytest.raises(EvaluationError, match=r"\['c'\]"):
            Predictions.from_csv(file)
        return
    some = Predictions.from_csv(file)
    assert some.labels.tolist() == indices
    again = Predictions.from_csv(some.to_csv(tmp_path / "again.csv"))
    assert again.labels.tolist() == indices


def test_the_part_and_the_level_are_known_words(draw):
    for part in ("train", "validation", "out-of-fold", "test", None):
        assert make(part=part).part == part
    for wrong in ({"part": "val"}, {"part": "Test"}, {"level": "patient"}, {"aggregation_method": "median"}):
        with pytest.raises(EvaluationError, match="expected one of"):
            dataclasses.replace(draw(), **wrong)
    with pytest.raises(EvaluationError, match="part is 'val'"):
        make(part="val")


def test_how_images_were_joined_is_kept(draw):
    assert draw().aggregation_method is None
    assert draw().aggregate(Aggregation("case", "mean-logit")).aggregation_method == "mean-logit"


def test_csv_with_names_of_its_own(tmp_path):
    file = tmp_path / "other.csv"
    file.write_text("score,y,patient\n0.25,0,007\n0.75,1,8\n", encoding="utf-8")
    some = Predictions.from_csv(file, probabilities="score", classes=BINARY, label="y", case="patient")
    assert some.positive.tolist() == [0.25, 0.75]
    assert some.cases.tolist() == ["007", "8"]
    with pytest.raises(EvaluationError, match="it has \\['score', 'y', 'patient'\\]"):
        Predictions.from_csv(file)
    with pytest.raises(EvaluationError, match="Cannot read the table"):
        Predictions.from_csv(tmp_path / "absent.csv")


def test_json_holds_everything(draw, tmp_path):
    some = draw(images=30).with_threshold(0.25)
    content = json.loads(some.to_json(tmp_path / "some.json"))
    assert content == json.loads((tmp_path / "some.json").read_text(encoding="utf-8"))
    assert content["threshold"] == 0.25
    assert content["labels"] == some.labels.tolist()
    np.testing.assert_array_equal(np.array(content["probabilities"], np.float32), some.probabilities)


def test_writing_where_one_may_not(draw, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError):
        draw().to_csv(tmp_path / "file" / "some.csv")


def test_it_prints_its_counts(capsys):
    make(cases=["a", "b", "b"], labels=[1, 0, -1]).print()
    assert capsys.readouterr().out == (
        "Predictions: 3 images of 2 cases (benign 1, malignant 1, not known 1)\n\n"
        "image  true       predicted  P(malignant)\n"
        "0      malignant  malignant  0.900\n"
        "1      benign     benign     0.200\n"
        "2                 malignant  0.600\n"
    )


def test_the_positive_class_is_that_of_the_last_column_and_is_told(tmp_path):
    file = tmp_path / "turned.csv"
    file.write_text(
        "label,probability_malignant,probability_benign\nbenign,0.2,0.8\nmalignant,0.9,0.1\n", encoding="utf-8"
    )
    turned = Predictions.from_csv(file)
    assert turned.positive.tolist() == pytest.approx([0.8, 0.1])
    right = Predictions.from_csv(file, classes=("benign", "malignant"))
    assert right.positive.tolist() == pytest.approx([0.2, 0.9])
    for some, name in ((turned, "benign"), (right, "malignant")):
        with pytest.warns(EvaluationWarning):
            assert f"positive class {name};" in str(evaluate(some, bootstrap=Bootstrap(10))).splitlines()[2]
