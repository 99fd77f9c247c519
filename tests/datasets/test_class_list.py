"""The first line of a table of images, which lists the classes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breastcls.datasets.class_list import read_classes, write_classes
from breastcls.errors import DatasetError

NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8), min_size=1, max_size=4)


@given(NAMES)
def test_any_names_come_back_from_one_line(names):
    line = write_classes(names)
    assert "\n" not in line
    assert "\r" not in line
    assert read_classes(line) == tuple(names)


def test_a_list_of_no_classes_comes_back():
    assert read_classes(write_classes(())) == ()


@pytest.mark.parametrize("text", ['["a", ', '["a"] x', "[" * 10**5, '["\\ud800"]', '[["a"]]', "[1, 2]"])
def test_a_damaged_line_is_an_error(text):
    with pytest.raises(DatasetError, match="should list the classes"):
        read_classes(f"# classes: {text}\n")
