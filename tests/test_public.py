"""The public surface: which names it has, that each is described, and what importing it loads."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import breastcls as bc

PACKAGE = Path(bc.__file__).parent
SUBPACKAGES = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.pyi"))
TOP_LEVEL = [
    "Dataset", "Evaluation", "Explanation", "Predictions", "Run", "__version__", "audit_leakage", "build_model",
    "compare", "cross_validate", "evaluate", "explain", "fit", "list_backbones", "load_breakhis", "load_folder",
    "load_idc", "load_model", "load_table", "predict", "save_model",
]  # fmt: skip


def public_names():
    """Every public name as (subpackage, name); the top level is "breastcls"."""
    names = [("breastcls", name) for name in TOP_LEVEL]
    return names + [(f"breastcls.{package}", name) for package in SUBPACKAGES for name in _package(package).__all__]


def _package(name):
    return getattr(bc, name)


def test_the_top_level_is_short():
    assert sorted(set(bc.__all__) - set(SUBPACKAGES) - {"errors"}) == sorted(TOP_LEVEL)


@pytest.mark.parametrize(("package", "name"), public_names())
def test_every_public_name_is_there_and_described(package, name):
    value = getattr(importlib.import_module(package), name)
    assert name == "__version__" or value.__doc__


def test_no_public_name_is_that_of_a_file_beside_it():
    """Otherwise importing the file would replace the public name by the module."""
    for package in SUBPACKAGES:
        files = {path.stem for path in (PACKAGE / package).glob("*") if path.suffix == ".py" or path.is_dir()}
        assert files.isdisjoint(_package(package).__all__), package


def _results_of(function):
    """The classes of the package among what a function says that it returns."""
    words = re.findall(r"\w+", str(function.__annotations__.get("return", "")))
    classes = [one for word in words if isinstance(one := vars(sys.modules[function.__module__]).get(word), type)]
    return {one.__name__ for one in classes if one.__module__.startswith("breastcls.")}


def test_what_public_calls_return_is_public_too():
    values = [getattr(importlib.import_module(package), name) for package, name in public_names()]
    returned = set().union(*(_results_of(value) for value in values if inspect.isfunction(value)))
    assert {"Evaluation", "Robustness", "ConformalSets", "SplitComparison", "ProtocolResult"} <= returned
    assert returned <= {name for _, name in public_names()}


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="attribute load_brekhis"):
        bc.load_brekhis  # noqa: B018


def test_import_loads_nothing_heavy():
    heavy = {"tensorflow", "keras", "cv2", "pandas", "sklearn", "matplotlib"}
    code = f"import sys, breastcls; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_reading_a_folder_loads_no_tensorflow(tmp_path):
    code = f"""
import sys, breastcls as bc
root = bc.datasets.make_breakhis({str(tmp_path)!r}, magnifications=(200,), images_per_slide=1, image_size=(96, 128))
train, test = bc.load_breakhis(root).split((0.5, 0.5))
assert bc.audit_leakage(train, test).clean
print(sorted({{'tensorflow', 'keras'}} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr
