import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.preprocessing import StandardScaler, normalize

import breastcls as bc
from breastcls.errors import LeakageError, TrainingError
from breastcls.experiments.few_shot import draw_cases, few_shot_splits
from breastcls.experiments.neighbour_head import NeighbourHead
from breastcls.experiments.probe_scores import summarise_rows
from breastcls.experiments.probe_splits import ProbeSplit
from breastcls.experiments.probing import probe
from breastcls.features.linear_probe import fit_linear_probe
from breastcls.intervals.bootstrap import Bootstrap
from breastcls.intervals.case_statistics import CaseStatistics
from breastcls.intervals.score_tables import score

FEW = Bootstrap(100)
WIDTH = 12


def encode(seed, effect=1.5, cases=20, images=4, classes=("benign", "malignant")):
    """Vectors of cases: a class, a case and an image effect; no image files."""
    generator = np.random.default_rng(seed)
    code = np.repeat(np.arange(cases), images)
    label = code % len(classes)
    vectors = generator.normal(size=(cases, WIDTH))[code] + 0.5 * generator.normal(size=(len(code), WIDTH)) + 3
    vectors[:, 0] += effect * label
    data = bc.Dataset.from_columns(
        classes,
        path=[f"{number}.png" for number in range(len(code))],
        label=[classes[index] for index in label],
        case=[f"c{number}" for number in code],
    )
    return bc.features.load_embeddings(data, vectors.astype(np.float32))


@pytest.fixture(scope="module")
def encoders():
    return {"strong": encode(0, effect=4.0), "weak": encode(1, effect=0.0)}


@pytest.fixture(scope="module")
def result(encoders):
    return probe(encoders, permutations=9, few_shot=(1, 3, 50), draws=3, neighbours=7, bootstrap=FEW)


def test_every_head_is_that_of_scikit_learn_on_folds_by_case(encoders, result):
    data = encoders["strong"]
    for train, test in data.folds(5):
        place = {path: number for number, path in enumerate(data.paths)}
        rows = [place[path] for path in test.paths]
        known, unknown = train.vectors.astype(float), test.vectors.astype(float)
        found = {name: one.positive[rows] for (encoder, name), one in result.predictions.items() if encoder == "strong"}
        scaler = StandardScaler().fit(known)
        chosen = fit_linear_probe(known, train.labels, train.cases, 2).c
        regression = LogisticRegression(C=chosen, class_weight="balanced", tol=1e-9, max_iter=5000)
        regression.fit(scaler.transform(known), train.labels)
        expected = regression.predict_proba(scaler.transform(unknown))[:, 1]
        np.testing.assert_allclose(found["logistic regression"], expected, atol=1e-5)
        neighbours = KNeighborsClassifier(7, metric="cosine", algorithm="brute").fit(known, train.labels)
        np.testing.assert_allclose(found["7 nearest neighbours"], neighbours.predict_proba(unknown)[:, 1], atol=1e-6)
        centre = known.mean(axis=0)
        nearest = NearestCentroid().fit(normalize(known - centre), train.labels)
        predicted = nearest.predict(normalize(unknown - centre))
        assert ((found["nearest class mean"] > 0.5) == predicted).all()


def test_the_table_has_scores_by_case_means_over_folds_and_p_values(encoders, result):
    row = result.table.loc[("strong", "logistic regression")]
    predictions = result.predictions["strong", "logistic regression"]
    by_case = predictions.aggregate("case")
    expected = score(by_case, CaseStatistics.of(by_case), FEW).loc["roc_auc"]
    assert row["roc_auc"] == pytest.approx(expected["value"])
    assert (row["roc_auc_low"], row["roc_auc_high"]) == pytest.approx((expected["low"], expected["high"]))
    by_fold = []
    for _, test in encoders["strong"].folds(5):
        inside = predictions[np.isin(predictions.paths, test.paths)].aggregate("case")
        by_fold.append(roc_auc_score(inside.labels, inside.positive))
    assert row["roc_auc_mean_over_folds"] == pytest.approx(np.mean(by_fold))
    assert row["p"] == pytest.approx(0.1)
    assert result.table.loc[("weak", "logistic regression"), "p"] > 0.1
    test = result.permutation_tests["strong", "logistic regression"]
    assert test.observed["pooled"] == pytest.approx(row["roc_auc"])
    assert "difference" not in result.table
    assert "no colour-only baseline" in str(result)
    assert "6 combinations of encoder and probe" in str(result)


def test_the_result_shows_itself_in_every_form(result, tmp_path):
    assert result.to_frame().equals(result.table)
    whole = json.loads(result.to_json(tmp_path / "probe.json"))
    assert len(whole["permutation_tests"]) == 6
    assert "strong & logistic regression" in result.to_latex()
    assert "| strong | logistic regression |" in result.to_markdown()
    assert "cases per class" in result.to_markdown(table="few_shot")
    assert result._repr_html_().count("<table>") == 2
    result.plot(tmp_path / "scores.png")
    result.plot(tmp_path / "curves.svg", kind="few_shot")
    assert "Few-shot curves" in result.to_html(tmp_path / "probe.html").read_text(encoding="utf-8")


def test_few_shot_curves_count_cases_and_rise(result):
    curve = result.few_shot.sort_index().loc[("strong", "nearest class mean")]
    assert curve.index.tolist() == [1, 3]
    assert curve["roc_auc"].is_monotonic_increasing
    assert (curve["roc_auc_low"] <= curve["roc_auc"]).all()
    assert (curve["roc_auc_lowest"] <= curve["roc_auc"]).all()
    assert "leave out 50 cases per class: with more than 9" in str(result)
    assert "cannot be chosen over cases: C = 0.01" in str(result)


def test_a_case_of_both_classes_counts_for_both():
    labels, cases = np.tile([0, 1, 1], 6), np.repeat(list("abcdef"), 3).astype(object)
    inside = draw_cases(labels, cases, 2, np.random.default_rng(0))
    assert len(set(cases[inside])) == 2
    data = encode(0)
    first, second = few_shot_splits(data, 2, 2, seed=0)
    assert set(data.cases[first.train]) != set(data.cases[second.train])
    assert len(set(data.cases[first.train])) == 4
    assert not set(data.cases[first.train]) & set(data.cases[first.test])


def test_several_classes_and_images_within_cases():
    several = probe(encode(0, classes=("a", "b", "c"), cases=15, effect=3.0), folds=3, bootstrap=FEW)
    assert several.table["roc_auc"].notna().all()
    data = encode(2, cases=8, images=6)
    frame = data.table.assign(label=np.where(np.arange(len(data)) % 2, "malignant", "benign"))
    found = probe(
        bc.features.load_embeddings(bc.Dataset(frame, data.classes), data.vectors),
        folds=3, permutations=2, heads=["knn", "nearest-mean"], bootstrap=FEW,
    )  # fmt: skip
    assert found.settings["levels"] == {"vectors": "image"}
    assert "given its case" in found.permutation_tests["vectors", "nearest class mean"].null_hypothesis


def test_folds_by_a_column_keep_cases_whole_and_share_no_vectors():
    data = encode(4)
    number = np.array([int(name[1:]) for name in data.cases])
    frame = data.table.assign(centre=np.where(number < 10, "Lyon", "Bern"))
    options = {"by": "centre", "folds": 2, "heads": ["nearest-mean"], "bootstrap": FEW}
    apart = bc.features.load_embeddings(bc.Dataset(frame, data.classes), data.vectors)
    assert not any("but not each case" in one for one in probe(apart, **options).limitations)
    copied = bc.features.load_embeddings(bc.Dataset(frame, data.classes), data.vectors[np.arange(len(data)) % 79])

    def build():
        return bc.build_model("embeddings", classes=data.classes, dimensions=WIDTH)

    for call in (
        lambda: probe(copied, **options),
        lambda: bc.experiments.permutation_test(build, copied, by="centre", folds=2, frozen_head="lbfgs"),
    ):
        with pytest.raises(LeakageError, match="2 identical vectors") as caught:
            call()
        assert "allow_leakage" not in str(caught.value)


def test_a_penalty_that_is_assumed_is_a_limitation_and_no_warning(recwarn):
    data = encode(5, cases=8, classes=("a", "b", "c", "d"))
    found = probe(data, folds=2, heads=["logistic"], permutations=4, workers=4, bootstrap=FEW)
    assert "In some folds a class has one training case" in str(found)
    assert not [one for one in recwarn if "penalty" in str(one.message)]


def test_neighbours_of_many_splits_are_those_of_a_search():
    data = encode(3, cases=30)
    generator = np.random.default_rng(0)
    splits = []
    for _ in range(12):
        inside = generator.random(len(data)) < 0.4
        splits.append(ProbeSplit(generator.permutation(data.labels), np.flatnonzero(inside), np.flatnonzero(~inside)))
    together = NeighbourHead(data.vectors, 2, 7, "euclidean").predict(splits)
    for split, found in zip(splits, together, strict=True):
        [alone] = NeighbourHead(data.vectors, 2, 7, "euclidean").predict([split])
        np.testing.assert_array_equal(found, alone)


def test_images_have_the_colour_baseline_beside_them(data):
    encoded = bc.features.load_embeddings(data, np.random.default_rng(0).normal(size=(len(data), 5)).astype(np.float32))
    found = probe(encoded, heads=["nearest-mean"], folds=2, bootstrap=FEW)
    assert found.table.index.tolist() == [("vectors", "nearest class mean"), ("colour", "baseline")]
    row, colour = found.table.iloc[0], found.table.iloc[1]
    assert row["difference"] == pytest.approx(row["roc_auc"] - colour["roc_auc"])
    assert row["difference_low"] <= row["difference"] <= row["difference_high"]


def test_few_shot_curves_of_few_cases_have_no_interval():
    found = probe(encode(2, cases=8), heads=("nearest-mean",), folds=2, few_shot=(1,), draws=2, bootstrap=FEW)
    assert found.few_shot["roc_auc_reason"].tolist() == ["few-cases"]
    assert found.few_shot["roc_auc_low"].isna().all()


def test_few_cases_show_no_difference_from_a_baseline():
    rows = [
        {"encoder": name, "probe": "logistic regression", "difference_low": low, "difference_high": 0.9}
        for name, low in (("few", 0.2), ("many", 0.2), ("many", -0.2))
    ]
    better, rest, few = summarise_rows(rows, "roc_auc", ["colour"], few=["few"])
    assert better.endswith("excludes 0): many (logistic regression).")
    assert rest == "For 1 of 3 probes no difference from the baseline colour is shown."
    assert few == "For 1 of 3 probes the cases are too few to show a difference from the baseline colour."


def test_what_is_refused(encoders):
    data = encoders["strong"]
    for wrong, options in (
        ("have no vectors", {"data": bc.Dataset(data.table, data.classes)}),
        ("heads is 'knn'", {"data": data, "heads": "knn"}),
        ("neighbours is 0", {"data": data, "neighbours": 0}),
        ("few_shot is 0", {"data": data, "few_shot": (0,)}),
        ("is named 'colour'", {"data": {"colour": data}}),
        ("of the classes malignant; expected images of each", {"data": data.where(label="malignant")}),
    ):
        with pytest.raises(TrainingError, match=wrong):
            probe(**options)
