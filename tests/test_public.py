"""The public surface: what it holds, what it costs, and that the floors of the house are kept."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import breastcls as bc
from breastcls.result import Result

PACKAGE = Path(bc.__file__).parent
TESTS = Path(__file__).parent
FLOORS = ["images", "datasets", "models", "evaluation", "training", "explanation", "reporting", "recipes"]
GROUND = {"errors", "registry", "files", "environment", "result", "text_tables", "_version"}
ALLOWED = {
    "images": set(),
    "datasets": {"images"},
    "models": {"images", "datasets"},
    "evaluation": {"images", "datasets", "models"},
    "training": {"images", "datasets", "models", "evaluation"},
    "explanation": {"images", "datasets", "models"},
    "reporting": {"images", "datasets", "models", "evaluation", "training", "explanation"},
    "recipes": {"images", "datasets", "models", "evaluation", "training", "explanation", "reporting"},
}
# One staircase leads up: a result may ask reporting to draw it, from inside the method that was called.
STAIRCASE = "reporting"


@pytest.mark.parametrize("name", bc.__all__)
def test_every_public_name_is_there_and_described(name):
    value = getattr(bc, name)
    assert name == "__version__" or value.__doc__


def _results_of(function):
    """The results, and other classes of `evaluation`, among what a function says that it returns."""
    words = re.findall(r"\w+", str(function.__annotations__.get("return", "")))
    classes = [one for word in words if isinstance(one := vars(sys.modules[function.__module__]).get(word), type)]
    return {
        one.__name__ for one in classes if issubclass(one, Result) or one.__module__.startswith("breastcls.evaluation.")
    }


def test_what_public_calls_return_is_public_too():
    functions = [value for name in bc.__all__ if inspect.isfunction(value := getattr(bc, name))]
    returned = set().union(*map(_results_of, functions))
    assert {"Evaluation", "Robustness", "ConformalSets", "SplitComparison", "ProtocolResult"} <= returned
    assert returned <= set(bc.__all__)
    assert "Bootstrap" in bc.__all__, "an argument of four of them"


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'load_brekhis'"):
        bc.load_brekhis  # noqa: B018


def test_import_loads_nothing_heavy():
    heavy = {"tensorflow", "keras", "cv2", "pandas", "sklearn", "matplotlib"}
    code = f"import sys, breastcls; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_reading_a_folder_loads_no_tensorflow(tmp_path):
    code = f"""
import sys, breastcls as bc
root = bc.make_breakhis({str(tmp_path)!r}, magnifications=(200,), images_per_slide=1, image_size=(96, 128))
train, test = bc.load_breakhis(root).split((0.5, 0.5))
assert bc.audit_leakage(train, test).clean
print(sorted({{'tensorflow', 'keras'}} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def _modules():
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path.relative_to(PACKAGE).parts[0] in FLOORS]


def _imports(path: Path, *, top_level: bool) -> set[str]:
    """Floors that a module imports; `top_level` leaves out imports in functions and under TYPE_CHECKING."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("breastcls."):
            found.add(node.module.split(".")[1])
    return found - GROUND


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_floors_are_kept(path):
    floor = path.relative_to(PACKAGE).parts[0]
    assert _imports(path, top_level=True) <= ALLOWED[floor] | {floor}
    assert _imports(path, top_level=False) <= ALLOWED[floor] | {floor, STAIRCASE}


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_tensorflow_is_named_in_few_rooms(path):
    text = path.read_text()
    named = "import tensorflow" in text or "from tensorflow" in text
    room = path.relative_to(PACKAGE)
    assert not named or room.parts[0] in ("images", "training") or room.as_posix() == "explanation/gradients.py"


def test_no_file_is_too_long():
    files = [*PACKAGE.rglob("*.py"), *TESTS.rglob("*.py")]
    long = {str(path): lines for path in files if (lines := len(path.read_text().splitlines())) > 400}
    assert not long
