"""Expressions are evaluated as the Python that they print."""

from pathlib import Path, PurePosixPath
from types import SimpleNamespace

import pytest

from breastcls.cli.expressions import function_of_nothing, name_expression, source_of, value_of

NAMES = {"bc": SimpleNamespace(join=lambda *parts, sep="-", **_: sep.join(map(str, parts)), items=[1, 2, 3, 4])}
BC = name_expression("bc")


@pytest.mark.parametrize(
    "expression",
    [
        BC.join("a", 'say "hi"', "it's", sep="\\d\n"),
        BC.join(BC.items[1], BC.items[::2], BC.items[:3], BC.items[-1], BC.items[1:3] + BC.items),
        BC.join(PurePosixPath("x/y"), ("one",), (1, 2.5), [None, True], {"key": BC.items[0]}),
        BC.join(*[f"a long argument, number {number}" for number in range(5)], sep=BC.join("x" * 60, "y" * 60)),
    ],
)
def test_source_and_value_agree(expression):
    assert eval(source_of(expression), dict(NAMES)) == value_of(expression, NAMES)


def test_a_function_is_called_later_and_each_time():
    made = function_of_nothing(BC.join("a", "b"))
    assert value_of(made, NAMES)() == eval(source_of(made), dict(NAMES))() == "a-b"


def test_paths_are_written_as_text():
    assert source_of(Path("runs") / "first") == '"runs/first"'
