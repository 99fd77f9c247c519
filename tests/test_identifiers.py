import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from breastcls.errors import DatasetError
from breastcls.identifiers import (
    clean_name,
    format_names,
    merge_similar,
    read_distinct,
    similar_groups,
    similar_pairs,
    similarity_key,
)


@pytest.mark.parametrize(
    "given",
    [
        pd.Series([7, 8]),
        pd.Series([7.0, 8.0]),
        pd.Series([7.0, 8.0], dtype="float32"),
        pd.Series([7.0, 8.0], dtype="Float64"),
        pd.Series(["7", "8"]),
        pd.Series(["7.0", " 8 "], dtype="string"),
        pd.Series(["7.0", np.float64(8)], dtype=object),
        pd.Series([7, "8\n"], dtype=object),
    ],
    ids=repr,
)
def test_equal_names_of_any_type_become_equal(given):
    found = format_names(given)
    assert found.tolist() == ["7", "8"]
    assert found.dtype == "string"


def test_other_names_are_unchanged():
    names = ["14-22549AB", "007", "7.5", "7.00", "v7.0", ".0", "-1.0", "", "NA", "inf"]
    assert format_names(pd.Series(names)).tolist() == names
    assert format_names(pd.Series([7.5, np.inf, -2.0])).tolist() == ["7.5", "inf", "-2"]


def test_missing_values_and_the_index_are_kept():
    found = format_names(pd.Series([None, 7.0, np.nan, pd.NA, "a "], index=[5, 4, 3, 2, 1], dtype=object))
    assert found.isna().tolist() == [True, False, True, True, False]
    assert found.dropna().to_dict() == {4: "7", 1: "a"}


INVISIBLE = ("\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u202e", "\u2066", "\ufe0f", "\x00", "\x7f")
SPACES = (" ", "\u00a0", "\u2003", "\u2009", "\u202f", "\u3000", "\t", "\r\n", "  ")
DASHES = ("-", "\u2010", "\u2011", "\u2013", "\u2014", "\u2212", "\uff0d")
NAMES = st.text("aÅBöµßłéЖ1209.#-'", min_size=1, max_size=12).map(clean_name).filter(bool)


@st.composite
def spellings(draw):
    """A name, and another spelling of it that looks the same."""
    words = draw(st.lists(NAMES, min_size=1, max_size=3))
    form = draw(st.sampled_from(["NFC", "NFD"]))
    written = []
    for character in unicodedata.normalize(form, draw(st.sampled_from(SPACES)).join(words)):
        hidden = draw(st.sampled_from(["", "", "", *INVISIBLE]))
        written.append(hidden + (draw(st.sampled_from(DASHES)) if character == "-" else character))
    around = st.sampled_from(["", *SPACES, *INVISIBLE])
    return " ".join(words), draw(around) + "".join(written) + draw(around)


@given(spellings())
def test_spellings_that_look_the_same_become_equal(pair):
    name, other = pair
    assert clean_name(other) == clean_name(name)


@given(st.text(st.characters(), max_size=20))
def test_cleaning_is_idempotent_and_leaves_nothing_invisible(text):
    clean = clean_name(text)
    assert clean_name(clean) == clean
    assert clean == clean.strip()
    clean.encode("utf-8")
    assert all(unicodedata.category(one) not in ("Cc", "Cf", "Zl", "Zp", "Pd") or one == "-" for one in clean)
    assert similarity_key(clean) == similarity_key(text)


@given(st.lists(st.tuples(st.sampled_from(["p", "Patient", "Ö", "x"]), st.integers(0, 2000)), min_size=1, max_size=3))
def test_letter_case_zeros_and_separators_give_similar_names(parts):
    name = "-".join(f"{word}{number}" for word, number in parts)
    others = [name.upper(), name.replace("Ö", "O"), name.replace("-", "_"), name.replace("-", " ")]
    others.append("-".join(f"{word}_{number:05}" for word, number in parts))
    for other in others:
        assert similarity_key(other) == similarity_key(name)
        assert similar_pairs([name], [other]) == ([(name, other)] if name != other else [])
    raised = "-".join(f"{word}{number + 1}" for word, number in parts)
    assert similarity_key(raised) != similarity_key(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("01", "1"), ("P1", "p1"), ("Müller", "Muller"), ("Sørensen", "sorensen"), ("P-1", "P1"), ("P 01", "p_1"),
        ("Р1", "P1"), ("ΑB", "AB"), ("１2", "12"), ("٣", "3"), ("Straße", "STRASSE"), ("14-022549", "14-22549"),
        ("P/1", "P-1"), ("14/22549", "14-22549"), ("P.1", "p1"), ("case:7", "case 7"), ("S14 / 3", "S14-3"),
        ("A\\1", "a1"), ("No. 1", "No 1"), ("1. 5", "1.5"), ("1e2", "100"), ("1.00E+02", "1E2"),
        ("1.42E+13", "14200000000000"), ("0E5", "0"),
    ],
)  # fmt: skip
def test_names_that_may_be_one(one, other):
    assert similar_pairs([one], [other]) == [(one, other)]
    assert similar_groups([one, other, one], distinct=[one]) == [tuple(sorted([one, other]))]
    assert similar_pairs([one], [other], read_distinct([(one, other)])) == []
    assert similar_groups([one, other], read_distinct(True)) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1-12", "11-2"), ("HER2+", "HER2-"), ("HER2", "HER2-"), ("1", "-1"), ("1.5", "1.05"), ("A-B", "AB"),
        ("14-22549AB", "14-22549CD"), ("10", "1"), ("P1", "P11"), ("x", "y"), ("0", "00a"),
        ("1/12", "11/2"), ("1.5", "1-5"), ("1,5", "15"), ("ER-/PR+", "ER/PR+"), ("1e2", "1e3"), ("1.5e0", "15"),
        ("A/B", "AB"), ("1e999", "1"), ("x1e2", "x100"),
    ],
)  # fmt: skip
def test_names_that_differ(one, other):
    assert similarity_key(one) != similarity_key(other)
    assert similar_pairs([one], [other]) == []


def test_bytes_that_are_not_utf8_stay_different():
    names = [b"caf\xe9".decode("utf-8", "surrogateescape"), b"caf\xe8".decode("utf-8", "surrogateescape"), "\ud83d"]
    clean = [clean_name(name) for name in names]
    assert clean[:2] == [r"caf\xe9", r"caf\xe8"]
    assert len({*clean, *map(clean_name, clean)}) == 3


def test_merging_takes_the_first_of_similar_names():
    names = np.array(["b", "P1", "p1", "01", "1", "b"], dtype=object)
    assert merge_similar(names).tolist() == ["b", "P1", "P1", "01", "01", "b"]
    assert merge_similar(names, {"01", "1"}).tolist() == ["b", "P1", "P1", "01", "1", "b"]
    assert merge_similar(names[:2]) is not None


def test_distinct_names_must_be_a_list():
    assert read_distinct(None) == read_distinct(False) == read_distinct([]) == frozenset()
    assert read_distinct([" 01 ", 1.0, ("A", "a")]) == {"01", "1", "A", "a"}
    for wrong in ("P1", 7):
        with pytest.raises(DatasetError, match="distinct must be True, or a list"):
            read_distinct(wrong)
