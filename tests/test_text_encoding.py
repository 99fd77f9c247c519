"""Every file opened as text has an encoding: the default one differs between systems."""

import ast
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
FOLDERS = ("src", "tests", "examples", "benchmarks", "docs")


def calls_without_encoding(source: str) -> list[int]:
    """Return the lines of calls of `read_text`, `write_text` and the built-in `open` that leave the encoding open."""
    lines = []
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call) or any(word.arg in ("encoding", None) for word in call.keywords):
            continue
        if isinstance(call.func, ast.Attribute):
            # A function with positional arguments of its own, such as `files.write_text(path, text)`, is another one.
            found = (call.func.attr == "read_text" and not call.args) or (
                call.func.attr == "write_text" and len(call.args) == 1
            )
        else:
            values = [*call.args[1:2], *(word.value for word in call.keywords)]
            binary = any(isinstance(value, ast.Constant) and "b" in str(value.value) for value in values)
            found = isinstance(call.func, ast.Name) and call.func.id == "open" and not binary
        if found:
            lines.append(call.lineno)
    return lines


def test_every_text_file_is_opened_with_an_encoding():
    found = [
        f"{path.relative_to(PROJECT)}:{line}"
        for folder in FOLDERS
        for path in sorted((PROJECT / folder).rglob("*.py"))
        for line in calls_without_encoding(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("p.read_text()", 1),
        ("p.write_text('a')", 1),
        ("open(p)", 1),
        ("open(p, 'w')", 1),
        ("open(p, mode='rb')", 0),
        ("open(p, 'rb')", 0),
        ("p.read_text(encoding='utf-8')", 0),
        ("write_text(p, 'a')", 0),
    ],
)
def test_calls_are_recognised(source, count):
    assert len(calls_without_encoding(source)) == count
