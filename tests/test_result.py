import ast
import dataclasses
import importlib
import json
import pkgutil
from pathlib import Path

import pytest

import breastcls
from breastcls.errors import OutputError
from breastcls.result import Result


@dataclasses.dataclass(frozen=True, repr=False)
class Count(Result):
    images: float

    def __str__(self):
        return f"{self.images:g} images"

    def to_dict(self):
        return {"images": self.images}


def test_it_prints_and_writes(tmp_path, capsys):
    count = Count(3)
    count.print()
    assert capsys.readouterr().out == "3 images\n"
    assert repr(count) == "3 images"
    assert json.loads(count.to_json(tmp_path / "count.json")) == {"images": 3}
    assert (tmp_path / "count.json").read_text(encoding="utf-8") == count.to_json() + "\n"


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="file"):
        Count(3).to_json(tmp_path / "file" / "count.json")


def test_nan_is_not_valid_json():
    with pytest.raises(ValueError, match="JSON"):
        Count(float("nan")).to_json()


def test_a_result_defines_its_text_and_its_json_values():
    with pytest.raises(TypeError, match="abstract"):
        Result()


def test_every_class_that_prints_is_a_result():
    for module in pkgutil.walk_packages(breastcls.__path__, "breastcls."):
        if module.name.endswith("__main__"):
            continue
        for item in vars(importlib.import_module(module.name)).values():
            if isinstance(item, type) and item.__module__ == module.name and hasattr(item, "print"):
                assert issubclass(item, Result), item


def public_classes():
    """Return the classes that the stubs of the package list."""
    root = Path(breastcls.__file__).parent
    found = {}
    for stub in sorted(root.rglob("__init__.pyi")):
        package = importlib.import_module(".".join(["breastcls", *stub.parent.relative_to(root).parts]))
        for node in ast.parse(stub.read_text(encoding="utf-8")).body:
            for alias in node.names if isinstance(node, ast.ImportFrom) else ():
                item = getattr(package, alias.name)
                if isinstance(item, type) and not issubclass(item, BaseException):
                    found[f"{package.__name__}.{alias.name}"] = item
    return found


def test_every_public_result_shows_itself_in_a_notebook():
    """What has JSON values, is a table of a registry or a dataset."""
    results = {
        name: item
        for name, item in public_classes().items()
        if hasattr(item, "to_dict") or hasattr(item, "names") or name == "breastcls.Dataset"
    }
    assert len(results) > 35
    assert [name for name, item in results.items() if not hasattr(item, "_repr_html_")] == []


def test_every_public_result_with_a_text_is_written_as_json():
    results = {
        name: item
        for name, item in public_classes().items()
        if hasattr(item, "to_dict") and item.__str__ is not object.__str__
    }
    assert len(results) > 35
    assert [name for name, item in results.items() if not hasattr(item, "to_json")] == []


def test_a_notebook_shows_the_text_with_its_lines():
    assert Count(3)._repr_html_() == '<pre style="white-space: pre-wrap; font-family: monospace">3 images</pre>'
