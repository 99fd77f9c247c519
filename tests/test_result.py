import dataclasses
import importlib
import json
import pkgutil

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
