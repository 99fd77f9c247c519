import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import breastcls as bc
from breastcls.datasets.further_columns import type_further_column
from breastcls.errors import DatasetError, SplitError

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
VALUES = st.one_of(
    st.lists(st.one_of(st.none(), TEXT), min_size=3, max_size=3),
    st.lists(st.integers(-(2**60), 2**60), min_size=3, max_size=3),
    st.lists(st.one_of(st.none(), FINITE), min_size=3, max_size=3),
    st.lists(st.booleans(), min_size=3, max_size=3),
)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for name in "abc":
        (folder / f"{name}.png").touch()
    return folder


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
@given(VALUES)
def test_further_columns_survive_csv(files, values):
    paths = [str(files / f"{name}.png") for name in "abc"]
    data = bc.Dataset.from_columns(("b", "m"), path=paths, label=["b", "m", "m"], case=["1", "2", "3"], own=values)
    again = bc.load_table(data.to_csv(files / "table.csv"), root=data.root)
    pd.testing.assert_frame_equal(again.table, data.table)
    assert type_further_column(data.table["own"]).equals(data.table["own"])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["007", "8"], "string"),
        (["7", "8.0"], "Int64"),
        ([1.5, np.nan], "Float64"),
        (["1.5", ""], "Float64"),
        ([True, False], "boolean"),
        (["True", None], "boolean"),
        ([None, ""], "string"),
        (["1e400", "2"], "string"),
        ([" Lyon\u00a0", "Lyon"], "string"),
    ],
)
def test_the_type_follows_from_the_values(values, kind):
    assert type_further_column(pd.Series(values)).dtype == kind


@pytest.fixture(scope="module")
def data():
    n = 120
    return bc.Dataset.from_columns(
        ("b", "m"),
        path=[f"{i}.png" for i in range(n)],
        label=[("b", "m")[i // 2 % 2] for i in range(n)],
        case=[f"c{i // 2}" for i in range(n)],
        centre=[("Lyon", "Oslo", "Bonn")[i // 2 % 3] for i in range(n)],
        scanner=[("one", "two")[i % 2] for i in range(n)],
        age=[30 + i // 2 for i in range(n)],
    )


def test_columns_survive_selection_and_splits(data):
    train, test = data.split((0.7, 0.3), seed=1)
    for part in (train, test, train + test, data[::2], data.where(centre="Lyon", age=[30, "33"])):
        assert {"centre", "scanner", "age"} <= set(part.table.columns)
    assert len(data.where(centre="Lyon", age=[30, "33"])) == 4
    assert {name: len(part) for name, part in data.groups("centre").items()} == {"Bonn": 40, "Lyon": 40, "Oslo": 40}


def test_a_split_keeps_a_column_whole(data):
    parts = data.split((0.34, 0.33, 0.33), by="centre", seed=3)
    assert [part.table["centre"].nunique() for part in parts] == [1, 1, 1]
    with pytest.raises(SplitError, match=r"60 of 60 cases have images of several values of 'scanner'"):
        data.split((0.5, 0.5), by="scanner")
    unknown = bc.Dataset.from_columns(("b", "m"), path=["1", "2"], label=["b", "m"], centre=["x", None])
    with pytest.raises(DatasetError, match="'centre' is empty in 1 row"):
        unknown.split(by="centre")


def test_leaving_one_centre_out(data):
    folds = data.folds("leave-one-out", by="centre")
    assert [set(test.table["centre"]) for _, test in folds] == [{"Bonn"}, {"Lyon"}, {"Oslo"}]
    assert all(len(train) + len(test) == len(data) for train, test in folds)
    assert len(data.folds("leave-one-out")) == 60
    with pytest.raises(SplitError, match="'leave-one-out'; found 'all'"):
        data.folds("all")
    with pytest.raises(SplitError, match="needs at least two; all images have the centre 'Lyon'"):
        data.where(centre="Lyon").folds("leave-one-out", by="centre")
    one_sided = data.where((data.table["label"] == "b") | (data.table["centre"] == "Lyon"))
    with pytest.raises(SplitError, match="All images of the class 'm' have the centre 'Lyon'"):
        one_sided.folds("leave-one-out", by="centre")


@pytest.mark.filterwarnings("ignore::breastcls.errors.LeakageWarning")
@pytest.mark.parametrize("by", ["case", "image"])
def test_strata_are_distributed_alike(data, by):
    for seed in range(3):
        parts = data.split((0.5, 0.5), by=by, stratify=["centre"], seed=seed)
        for part in parts:
            cells = part.table.groupby(["label", "centre"]).size()
            assert len(cells) == 6
            assert cells.max() - cells.min() <= 2
