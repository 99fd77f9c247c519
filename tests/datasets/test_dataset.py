import numpy as np
import pandas as pd
import pytest

import breastcls as bc
from breastcls.errors import DatasetError, LeakageWarning, RegistryError, SplitError


@pytest.fixture
def data() -> bc.Dataset:
    n = 24
    return bc.Dataset.from_columns(
        ("benign", "malignant"),
        path=[f"{i:02}.png" for i in range(n)],
        label=["benign"] * 10 + ["malignant"] * 14,
        case=[f"c{i // 2}" for i in range(n)],
        slide=[f"s{i}" for i in range(n)],
        magnification=[40, 200] * 12,
        subtype=["A"] * 10 + ["DC"] * 14,
    )


def test_selecting_gives_new_datasets(data):
    assert len(data.where(magnification=200)) == 12
    assert len(data.where(magnification=[40, 200], subtype="A")) == 10
    assert data.where(lambda t: t["slide"].isin(["s0", "s3"])).paths == ["00.png", "03.png"]
    assert data[2:4].paths == ["02.png", "03.png"]
    assert data[-1].paths == ["23.png"]
    assert data[[5, 1]].paths == ["05.png", "01.png"]
    assert data[data.labels == 1].labels.tolist() == [1] * 14
    assert len(list(data)) == 24
    assert len(data[:3] + data[5:]) == 22
    assert "24 images of 12 cases" in repr(data)


def test_it_is_immutable(data):
    table = data.table
    table.loc[0, "label"] = "malignant"
    assert data.table.loc[0, "label"] == "benign"
    with pytest.raises(AttributeError):
        data.classes = ("a", "b")


def test_selecting_nothing_is_an_error(data):
    with pytest.raises(DatasetError, match=r"None of the 24 images satisfies magnification=100(.|\n)*200"):
        data.where(magnification=100)
    with pytest.raises(DatasetError, match="no column 'magnificaton'"):
        data.where(magnificaton=40)
    with pytest.raises(DatasetError, match="24 booleans"):
        data.where([True, False])
    with pytest.raises(IndexError, match="outside"):
        data[24]


def test_invalid_columns_are_refused():
    with pytest.raises(DatasetError, match="no column 'path'"):
        bc.Dataset.from_columns(("a",), label=["a"], case=["1"])
    with pytest.raises(DatasetError, match=r"labels \['c'\] are not among"):
        bc.Dataset.from_columns(("a", "b"), path=["x"], label=["c"], case=["1"])
    with pytest.raises(DatasetError, match="empty in 1 row, first in row 1"):
        bc.Dataset.from_columns(("a",), path=["x", "y"], label=["a", "a"], case=["1", None])
    with pytest.raises(DatasetError, match="magnification"):
        bc.Dataset.from_columns(("a",), path=["x"], label=["a"], case=["1"], magnification=["high"])
    with pytest.raises(DatasetError, match="distinct"):
        bc.Dataset.from_columns(("a", "a"), path=["x"], label=["a"], case=["1"])
    with pytest.raises(DatasetError, match="sequence of names"):
        bc.Dataset.from_columns("ab", path=["x"], label=["a"], case=["1"])


def test_concatenation_needs_the_same_classes(data):
    other = data.with_classes(("A", "DC"), "subtype")
    with pytest.raises(DatasetError, match="different classes"):
        data + other


def test_relabelling(data):
    subtypes = data.with_classes(("A", "DC"), "subtype")
    assert subtypes.classes == ("A", "DC")
    swapped = data.with_classes(("x", "y"), {"benign": "y", "malignant": "x"})
    assert swapped.labels.tolist() == (1 - data.labels).tolist()
    with pytest.raises(DatasetError, match="complete mapping"):
        data.with_classes(("x", "y"), {"benign": "y"})


def test_split_and_folds(data):
    train, val, test = data.split((0.6, 0.2, 0.2), seed=1)
    assert len(train) + len(val) + len(test) == len(data)
    assert not set(train.cases) & set(test.cases)
    assert bc.audit_leakage(train, test, pixels=False).clean
    tested = [path for _, part in data.folds(5, seed=2) for path in part.paths]
    assert sorted(tested) == data.paths
    with pytest.warns(LeakageWarning):
        data.split((0.5, 0.5), by="image")
    with pytest.raises(SplitError, match="'benign' has 5"):
        data.folds(6)
    with pytest.raises(DatasetError, match="by must be"):
        data.split(by="patient")


def test_summary_counts(data):
    summary = data.summary()
    assert summary.total == {"images": 24, "slides": 24, "cases": 12}
    assert summary.by_class.loc["malignant"].tolist() == [14, 14, 7]
    assert summary.by_magnification["images"].tolist() == [12, 12]
    assert "24 images, 24 slides, 12 cases" in str(summary)
    assert summary.to_dict()["by_subtype"]["A"]["cases"] == 5


def test_units_of_unknown_slides_are_cases():
    data = bc.Dataset.from_columns(("a", "b"), path=["x"], label=["a"], case=["1"])
    assert data.slides.tolist() == ["1"]
    assert data.table["magnification"].isna().all()
    assert isinstance(data.table, pd.DataFrame)
    assert data.labels.dtype == np.int64


@pytest.fixture
def on_disk(flat):
    return bc.load_breakhis(flat)


def test_arrays_and_batches_have_the_same_pixels(on_disk):
    images, labels = on_disk.to_numpy(8)
    assert images.shape == (24, 8, 8, 3)
    assert images.dtype == np.uint8
    by_tf = [(x.numpy(), y.numpy()) for x, y in on_disk.to_tf(8, batch_size=10)]
    batches = on_disk.to_keras(8, batch_size=10)
    by_keras = [batches[number] for number in range(len(batches))]
    for read in (by_tf, by_keras):
        np.testing.assert_array_equal(np.concatenate([x for x, _ in read]), images)
        np.testing.assert_array_equal(np.concatenate([y for _, y in read]), labels)


def test_classes_and_cases_are_passed_to_the_pipeline(on_disk):
    labels = np.concatenate([y.numpy() for _, y in on_disk[:18].to_tf(8, sampling="class-balanced", seed=1)])
    assert abs(int((labels == 0).sum()) - int((labels == 1).sum())) <= 1
    rows = np.concatenate([b[-1].numpy() for b in on_disk.to_tf(8, sampling="case-balanced", seed=1, with_rows=True)])
    drawn = np.unique(on_disk.cases[rows].astype(str), return_counts=True)[1]
    assert drawn.max() - drawn.min() <= 1
    _, mixed = next(iter(on_disk.to_tf(8, augment="mixup", shuffle=True, seed=1)))
    assert mixed.shape == (24, 2)
    with pytest.raises(RegistryError, match="'standard'"):
        on_disk.to_tf(8, augment="standart")
    for augment in (None, "none"):
        images = np.concatenate([x.numpy() for x, _ in on_disk.to_tf(8, augment=augment)])
        np.testing.assert_array_equal(images, on_disk.to_numpy(8)[0])
