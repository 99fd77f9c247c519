import warnings

import numpy as np
import pandas as pd
import pytest

import breastcls as bc
from breastcls.datasets import (
    PublishedSplit,
    list_breakhis_slides,
    list_published_splits,
    register_published_split,
    split_as_published,
)
from breastcls.datasets.published_splits import SPLITS
from breastcls.errors import DatasetWarning, LeakageWarning, RegistryError, SplitError


@pytest.fixture(scope="module")
def whole():
    """All 7,909 images of BreakHis by slide, subtype and magnification, without files."""
    slides = list_breakhis_slides()
    parts = [
        slides[["slide", "case", "subtype"]]
        .loc[slides.index.repeat(slides[f"images_{value}"])]
        .assign(magnification=value)
        for value in (40, 100, 200, 400)
    ]
    table = pd.concat(parts, ignore_index=True)
    table = table.assign(label=table["subtype"], path=[f"{number}.png" for number in range(len(table))])
    return bc.Dataset(table, tuple(table["subtype"].unique()))


def _split(data, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return split_as_published(data, name)


def test_the_table_of_slides_is_complete(whole):
    slides = list_breakhis_slides()
    assert (len(slides), slides["case"].nunique(), len(whole)) == (82, 70, 7909)
    assert slides[[f"images_{x}" for x in (40, 100, 200, 400)]].sum().tolist() == [1995, 2081, 2013, 1820]
    assert slides.groupby("subtype")["slide"].count().to_dict() == {
        "A": 4,
        "F": 10,
        "PT": 3,
        "TA": 7,
        "DC": 38,
        "LC": 5,
        "MC": 9,
        "PC": 6,
    }
    slides["case"] = ""
    assert list_breakhis_slides()["case"].all(), "a copy is returned"


def test_eva_has_the_counts_of_its_authors_and_leaks(whole):
    train, test = _split(whole, "eva")
    assert any("26.8% of the test images (91 of 339)" in note for note in test.notes)
    assert (len(train), len(test)) == (1132, 339)
    shared = pd.Series(np.isin(test.cases.astype(str), train.cases.astype(str))).groupby(test.table["subtype"])
    assert {name: (int(of.sum()), len(of)) for name, of in shared} == {
        "DC": (0, 168),
        "F": (14, 82),
        "MC": (42, 42),
        "TA": (35, 47),
    }
    assert bc.audit_leakage(train, test, pixels=False).test_images_in_shared_cases == 91


def test_thunder_has_the_test_part_of_eva(whole):
    train, val, test = _split(whole, "thunder")
    assert (len(train), len(val)) == (936, 196)
    assert test.paths == _split(whole, "eva")[1].paths
    assert bc.audit_leakage(train + val, test, pixels=False).shared_cases == (
        "14-16184",
        "14-18842",
        "14-19979",
        "14-23060",
    )


def test_the_folds_are_those_of_the_authors(whole, real_data):
    from breastcls.datasets import parse_breakhis_name, read_fold

    for number in range(1, 6):
        listed = read_fold(real_data / "breakhis_folds" / f"dsfold{number}.txt")
        parsed = [(parse_breakhis_name(name), part) for name, part in listed.items()]
        train, test = _split(whole, f"breakhis-fold-{number}")
        for part, images in (("train", train), ("test", test)):
            expected = sorted((p.subtype, p.slide, p.magnification) for p, of in parsed if of == part)
            columns = images.table[["subtype", "slide", "magnification"]]
            assert sorted(columns.itertuples(index=False, name=None)) == expected


def test_images_of_other_magnifications_are_left_out_and_counted(whole):
    with pytest.warns() as raised:
        train, _ = split_as_published(whole, "eva")
    assert [type(one.message) for one in raised] == [DatasetWarning, LeakageWarning]
    assert "The published split 'eva' does not contain 6,438 of 7,909 images, which were left out." in str(
        raised[0].message
    )
    assert set(train.table["magnification"]) == {40}
    assert any("kaiko-ai/eva" in note for note in train.notes)


def test_a_part_without_images_is_an_error(whole):
    with pytest.raises(SplitError, match=r"0 in train, 0 in test; no part may be empty"):
        _split(whole.where(magnification=400), "eva")
    with pytest.raises(RegistryError, match="Did you mean 'eva'"):
        _split(whole, "evaa")


def test_a_split_is_registered_from_outside(whole):
    mine = PublishedSplit(
        "by-year", "Slides of 2015 are the test part.", ("train", "test"),
        lambda table: np.where(table["slide"].str.startswith("15-"), "test", "train").tolist(), "this test",
    )  # fmt: skip
    register_published_split(mine)
    try:
        assert [len(part) for part in _split(whole, "by-year")] == [7909 - 65, 65]
        assert "by-year" in str(list_published_splits())
        assert list_published_splits().to_frame().loc["by-year", "reference"] == "this test"
    finally:
        SPLITS._items.pop("by-year")
