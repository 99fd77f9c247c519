"""The architecture: layers, no import cycles, file names, file lengths, where TensorFlow is named."""

import ast
from collections import Counter
from pathlib import Path

import pytest

import breastcls as bc

PACKAGE = Path(bc.__file__).parent
TESTS = Path(__file__).parent
# A file imports from its own subpackage and from those of lower layers. Names in one row do not import each other.
LAYERS = (
    ("errors", "registry", "result", "files", "environment", "json_values", "text_tables", "_version"),
    ("images",),
    ("stain",),
    ("augmentation",),
    ("datasets",),
    ("models",),
    ("predictions", "drawing"),
    ("metrics",),
    ("intervals",),
    ("features",),
    ("calibration",),
    ("decisions",),
    ("baselines", "comparison", "robustness", "uncertainty"),
    ("explanation",),
    ("training",),
    ("evaluation",),
    ("experiments",),
)
CORE = set(LAYERS[0])
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
# Where TensorFlow may be named.
TENSORFLOW = ("images", "augmentation", "training", "explanation/gradients.py", "features")

# What the present structure still owes; each list only gets shorter.
PENDING_IMPORTS = {
    "comparison.comparison -> evaluation.evaluate",
    "comparison.comparison -> evaluation.report.text_export",
    "images.pipeline -> augmentation.policy",
    "images.pipeline -> augmentation.policy_registry",
    "intervals.paired_scores -> evaluation.text_summary",
    "predictions.predict -> decisions.stored_decisions",
    "robustness.appearance_groups -> baselines.baseline_registry",
    "robustness.robustness_figure -> evaluation.evaluation",
    "stain.fitting -> datasets.dataset",
    "training.run -> evaluation.report.evaluation_figures",
}
PENDING_CYCLES = 47
PENDING_STRINGS = ["models.persistence"]


def modules(package: Path = PACKAGE) -> dict[str, Path]:
    """Every module of the package below its root, by dotted name: `datasets.dataset`."""
    files = [path for path in sorted(package.rglob("*.py")) if path.name != "__init__.py"]
    return {".".join(path.relative_to(package).with_suffix("").parts): path for path in files}


def imported(path: Path, known: dict[str, Path]) -> set[str]:
    """Modules of the package that a file imports: at the top, in functions, for type checking."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "breastcls":
            module = node.module.removeprefix("breastcls").removeprefix(".")
            inner = {f"{module}.{alias.name}".removeprefix(".") for alias in node.names}
            found |= (inner & set(known)) or {module}
        elif isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("breastcls.") for alias in node.names if alias.name != "breastcls"} & set(
                known
            )
    return found


def wrong_imports(graph: dict[str, set[str]]) -> list[str]:
    """Imports of a higher layer, or of another subpackage of the same layer."""
    wrong = []
    for module, targets in graph.items():
        own = module.split(".")[0]
        for target in targets:
            other = target.split(".")[0]
            if other != own and not (RANK[other] < RANK[own] or (other in CORE and own in CORE)):
                wrong.append(f"{module} -> {target}")
    return sorted(wrong)


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other, directly or through others (strongly connected components)."""
    reachable: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for target in graph.get(waiting.pop(), ()):
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        reachable[start] = seen
    groups = {
        frozenset(other for other in seen if start in reachable.get(other, ()))
        for start, seen in reachable.items()
        if start in seen
    }
    return sorted(sorted(group) for group in groups)


@pytest.fixture(scope="module")
def graph():
    known = modules()
    return {name: imported(path, known) for name, path in known.items()}


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
    known = modules(tmp_path)
    graph = {name: imported(path, known) for name, path in known.items()}
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
