"""The structure of the package as its imports show it; `python tests/support/architecture.py` prints it."""

from __future__ import annotations

import ast
import statistics
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "breastcls"
# A file imports from its own subpackage and from those of lower layers. Names in one row do not import each other.
LAYERS = (
    (
        "errors",
        "argument_checks",
        "registry",
        "result",
        "files",
        "environment",
        "keras_backend",
        "json_values",
        "text_tables",
        "relative_paths",
        "control_characters",
        "identifiers",
        "csv_text",
        "table_files",
        "html_parts",
        "size_limits",
        "_version",
    ),
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
    ("export",),
    ("cli",),
    ("__main__",),
)
CORE = set(LAYERS[0])
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}


def modules(package: Path = PACKAGE) -> dict[str, Path]:
    """Return every module of the package by its dotted name below the root, such as `datasets.dataset`."""
    files = [path for path in sorted(package.rglob("*.py")) if path.name != "__init__.py"]
    return {".".join(path.relative_to(package).with_suffix("").parts): path for path in files}


def imported(path: Path, known: dict[str, Path]) -> set[str]:
    """Return the modules of the package that a file imports: at its top, in functions, for type checking."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "breastcls":
            module = node.module.removeprefix("breastcls").removeprefix(".")
            inner = {f"{module}.{alias.name}".removeprefix(".") for alias in node.names} & set(known)
            found |= inner or ({module} & (set(known) | set(RANK)))
        elif isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("breastcls.") for alias in node.names} & set(known)
    return found


def import_graph(package: Path = PACKAGE) -> dict[str, set[str]]:
    """Return the imports of every module."""
    known = modules(package)
    return {name: imported(path, known) for name, path in known.items()}


def wrong_imports(graph: dict[str, set[str]]) -> list[str]:
    """Return imports of a higher layer, or of another subpackage of the same layer."""
    wrong = []
    for module, targets in graph.items():
        own = module.split(".")[0]
        for target in targets:
            other = target.split(".")[0]
            if other != own and not (RANK[other] < RANK[own] or (other in CORE and own in CORE)):
                wrong.append(f"{module} -> {target}")
    return sorted(wrong)


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return groups of modules that import each other, directly or through others (strongly connected components)."""
    reachable: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = graph.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        reachable[start] = seen
    groups = {
        frozenset(other for other in seen if start in reachable.get(other, ()))
        for start, seen in reachable.items()
        if start in seen
    }
    return sorted(sorted(group) for group in groups)


def describe(package: Path = PACKAGE) -> str:
    """Return names at the top level, cycles, lengths of files and source lines as text."""
    stub = package / "__init__.pyi"
    top = package / "__init__.py"
    if stub.is_file():
        subpackages = {path.parent.name for path in package.glob("*/__init__.py")}
        tree = ast.parse(stub.read_text(encoding="utf-8"))
        names = [alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
        names = [name for name in names if name not in subpackages | {"errors"}]
    else:
        assigned = {
            target.id: node.value
            for node in ast.parse(top.read_text(encoding="utf-8")).body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        names = ast.literal_eval(assigned["__all__"])
    lengths = sorted(
        (len(path.read_text(encoding="utf-8").splitlines()), name) for name, path in modules(package).items()
    )
    counts = [length for length, _ in lengths]
    found = cycles(import_graph(package))
    return "\n".join(
        [
            f"names at the top level   {len(names)}",
            f"import cycles            {len(found)} ({sum(map(len, found))} files)",
            f"files                    {len(counts)}",
            f"lines, median            {statistics.median(counts):g}",
            f"lines, 90th percentile   {statistics.quantiles(counts, n=10)[-1]:g}",
            f"lines, largest           {counts[-1]} ({lengths[-1][1]})",
            f"source lines             {sum(counts)}",
        ]
    )


if __name__ == "__main__":
    print(describe(Path(sys.argv[1]) if len(sys.argv) > 1 else PACKAGE))
