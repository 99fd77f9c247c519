"""The architecture: layers, no import cycles, file names, file lengths, where TensorFlow is named."""

from collections import Counter
from pathlib import Path

import pytest

from support.architecture import PACKAGE, RANK, cycles, import_graph, modules, wrong_imports

TESTS = Path(__file__).parent
# Where TensorFlow may be named.
TENSORFLOW = (
    "images",
    "augmentation",
    "training",
    "explanation/gradients/tensorflow_gradients.py",
    "models/engines/saved_model_session.py",
    "features",
)

# What the present structure still owes; each list only gets shorter.
PENDING_IMPORTS: set[str] = set()
PENDING_CYCLES = 0
PENDING_STRINGS: list[str] = []


@pytest.fixture(scope="module")
def graph():
    return import_graph()


def test_every_subpackage_has_a_layer():
    names = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert names - {"__init__"} == set(RANK)


def test_a_file_imports_from_lower_layers_only(graph):
    assert set(wrong_imports(graph)) <= PENDING_IMPORTS


def test_there_is_no_import_cycle(graph):
    assert sum(len(group) for group in cycles(graph)) <= PENDING_CYCLES


def test_no_module_is_imported_by_a_string():
    """Neither the layers nor the rule about cycles can be evaded through `importlib`; packages are lazy by stubs."""
    named = [name for name, path in modules().items() if "import_module(" in path.read_text(encoding="utf-8")]
    assert named == PENDING_STRINGS


def test_the_checks_of_imports_can_fail(tmp_path):
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "low.py").write_text(
        "def f():\n    from breastcls.training.high import g\n", encoding="utf-8"
    )
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "high.py").write_text("from breastcls.datasets import low\n", encoding="utf-8")
    graph = import_graph(tmp_path)
    assert wrong_imports(graph) == ["datasets.low -> training.high"]
    assert cycles(graph) == [["datasets.low", "training.high"]]


def test_no_two_files_have_the_same_name():
    names = Counter(path.name for path in PACKAGE.rglob("*.py") if path.name not in ("__init__.py", "__main__.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_names_of_files_say_what_is_in_them():
    vague = {"utils", "helpers", "common", "misc", "tools"}
    assert vague.isdisjoint(path.stem for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("name", modules())
def test_tensorflow_is_named_in_few_places(name):
    text = modules()[name].read_text(encoding="utf-8")
    named = "import tensorflow" in text or "from tensorflow" in text
    assert not named or modules()[name].relative_to(PACKAGE).as_posix().startswith(TENSORFLOW)


def test_no_file_is_too_long():
    files = [*PACKAGE.rglob("*.py"), *TESTS.rglob("*.py")]
    long = {str(path): lines for path in files if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400}
    assert not long
