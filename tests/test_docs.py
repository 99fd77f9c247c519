"""The documentation: its links lead somewhere, the names in its code exist, and the tutorial runs as it stands."""

import ast
import importlib
import importlib.util
import inspect
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import breastcls as bc
from breastcls.models.backbones.backbone_registry import list_backbones

PROJECT = Path(__file__).resolve().parents[1]
DOCS = PROJECT / "docs"
SUBPACKAGES = {path.parent.name for path in Path(bc.__file__).parent.glob("*/__init__.pyi")}
ALL_PACKAGES = {*SUBPACKAGES, "breastcls"}
EXAMPLES = sorted((PROJECT / "examples").glob("*.py"))
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", PROJECT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
FENCE = re.compile(
    r"(?P<tested><!-- runs in tests -->\n\s*)?^(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^ *```",
    re.M | re.S,
)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def _name(page: Path) -> str:
    return page.relative_to(PROJECT).as_posix()


def _blocks(page: Path, *, tested_only: bool = False) -> list[str]:
    found = [match for match in FENCE.finditer(page.read_text(encoding="utf-8")) if match["language"] == "python"]
    return [textwrap.dedent(match["code"]) for match in found if match["tested"] or not tested_only]


def _anchors(page: Path) -> set[str]:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ +(.+)$", text, re.M)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


def broken_links(page: Path) -> list[str]:
    """Links of a page to files or headings that are not there; addresses on the web are not followed."""
    broken = []
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        place, _, anchor = target.partition("#")
        file = (page.parent / place).resolve() if place else page
        # Anchors of docstrings come with the build; `mkdocs build --strict` checks those.
        if file.parent == DOCS / "notebooks":
            # The pages of notebooks are made from them by a hook.
            file = PROJECT / "notebooks" / file.name
        heading = anchor and file.suffix == ".md" and not anchor.startswith("breastcls.")
        lost = heading and file.exists() and anchor not in _anchors(file)
        if not file.exists() or lost:
            broken.append(target)
    return broken


def unknown_names(code: str) -> list[str]:
    """Names that a block of code takes from the package and that are not there."""
    unknown = []
    for node in ast.walk(ast.parse(code)):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in ("bc", "breastcls")
        ):
            if not hasattr(bc, node.attr):
                unknown.append(f"bc.{node.attr}")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "breastcls":
            module = importlib.import_module(node.module)
            unknown += [f"{node.module}.{alias.name}" for alias in node.names if not hasattr(module, alias.name)]
    return unknown


def private_names(code: str) -> list[str]:
    """Return what a block imports or reads from the package past the public names."""
    private = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "breastcls":
            public = public_names(node.module)
            private += [f"{node.module}.{alias.name}" for alias in node.names if alias.name not in public]
        elif isinstance(node, ast.Import):
            private += [alias.name for alias in node.names if alias.name.startswith("breastcls.")]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            owner = node.value
            inner = owner.value
            if isinstance(inner, ast.Name) and inner.id in ("bc", "breastcls") and owner.attr in SUBPACKAGES:
                public = public_names(f"breastcls.{owner.attr}")
                private += [] if node.attr in public else [f"bc.{owner.attr}.{node.attr}"]
    return private


def public_names(module: str) -> set[str]:
    """Return the public names of the package or of a subpackage; no names for a module below."""
    if module == "breastcls.errors":
        return {name for name, value in vars(bc.errors).items() if isinstance(value, type)}
    return set(importlib.import_module(module).__all__) if module.removeprefix("breastcls.") in ALL_PACKAGES else set()


def unknown_arguments(code: str) -> list[str]:
    """Keyword arguments that a block passes to a public function or class of the package and that it does not take."""
    unknown = []
    for node in ast.walk(ast.parse(code)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value
        if isinstance(owner, ast.Name) and owner.id == "bc":
            function = getattr(bc, node.func.attr)
        elif isinstance(owner, ast.Attribute) and isinstance(owner.value, ast.Name) and owner.value.id == "bc":
            function = getattr(getattr(bc, owner.attr), node.func.attr)
        else:
            continue
        parameters = inspect.signature(function).parameters
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
            unknown += [f"{node.func.attr}({word.arg}=)" for word in node.keywords if word.arg not in parameters]
    return unknown


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page):
    assert broken_links(page) == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_code_names_what_exists(page):
    for code in _blocks(page):
        assert unknown_names(code) == [], code
        assert unknown_arguments(code) == [], code


@pytest.mark.parametrize("page", [*PAGES, *EXAMPLES], ids=_name)
def test_code_uses_public_names_only(page):
    for code in _blocks(page) if page.suffix == ".md" else [page.read_text(encoding="utf-8")]:
        assert private_names(code) == [], code


def test_the_checks_can_fail(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A\n\n[one](nowhere.md) [two](#b) [three](#a) [four](https://example.org)\n", encoding="utf-8")
    assert broken_links(page) == ["nowhere.md", "#b"]
    assert unknown_names("bc.load_brekhis('x')") == ["bc.load_brekhis"]
    assert unknown_names("from breastcls.errors import NoSuch, BreastclsError") == ["breastcls.errors.NoSuch"]
    assert private_names("from breastcls.datasets import Dataset, LeakageReport") == ["breastcls.datasets.Dataset"]
    assert private_names("from breastcls.datasets.dataset import Dataset") == ["breastcls.datasets.dataset.Dataset"]
    assert private_names("bc.datasets.dataset.Dataset") == ["bc.datasets.dataset"]
    assert unknown_arguments("bc.load_breakhis('x', magnify=200)\nbc.Predictions.from_csv('x', klasses=1)") == [
        "load_breakhis(magnify=)",
        "from_csv(klasses=)",
    ]


def test_every_subpackage_has_a_page_of_the_reference():
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (DOCS / "reference").glob("*.md")}
    for package in sorted(SUBPACKAGES):
        assert f"<!-- public names of breastcls.{package} -->" in pages[package]
    assert "<!-- public names of breastcls -->" in pages["breastcls"]
    navigation = (PROJECT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [page for page in pages if f"reference/{page}.md" not in navigation] == []


def test_every_explanation_method_is_explained():
    from breastcls.explanation.methods.method_registry import METHODS

    tables = _load_tables()
    text = (DOCS / "explanation" / "explanations.md").read_text(encoding="utf-8")
    page = tables.on_page_markdown(text)
    assert tables.EXPLANATION_METHODS not in page
    # In the table of all methods, and in that of their uses and limitations.
    assert [name for name in METHODS if page.count(f"| `{name}` |") != 2] == []
    assert [entry.name for entry in METHODS.values() if not entry.passes] == []


def test_every_uncertainty_score_is_explained():
    from breastcls.uncertainty.uncertainty_scores import UNCERTAINTY_SCORES

    page = (DOCS / "how-to" / "uncertainty.md").read_text(encoding="utf-8")
    assert [name for name in UNCERTAINTY_SCORES if f"| `{name}` |" not in page] == []


def test_every_metric_is_explained():
    from breastcls.metrics.classification_metrics import METRICS

    page = (DOCS / "explanation" / "how-to-read-the-numbers.md").read_text(encoding="utf-8")
    assert [name for name in METRICS if f"`{name}`" not in page] == []


def test_every_figure_of_calibration_and_use_is_explained():
    from breastcls.calibration.assessment import BRIER, ERRORS

    page = (DOCS / "explanation" / "how-to-read-the-numbers.md").read_text(encoding="utf-8")
    names = (*ERRORS, *BRIER, "sensitivity", "ppv", "npv", "worst_cases", "by_stain", "by_sharpness", "by_level")
    assert [name for name in names if f"`{name}`" not in page and f"{name}`" not in page] == []


def test_every_field_of_the_json_is_described():
    from breastcls.evaluation.evaluation_schema import SCHEMA, read_schema

    page = _load_tables().on_page_markdown((DOCS / "reference" / "evaluation-json.md").read_text(encoding="utf-8"))
    assert [name for name in read_schema()["properties"] if f"`{name}`" not in page] == []
    assert f'"{SCHEMA}"' in page


def test_every_threshold_rule_and_calibration_is_described():
    from breastcls.calibration.calibrators import METHODS
    from breastcls.decisions.thresholds import RULES

    page = (DOCS / "how-to" / "thresholds-and-calibration.md").read_text(encoding="utf-8")
    assert [name for name in METHODS if f"`{name}`" not in page] == []
    assert [name for name in RULES if f'`"{name}"`' not in page] == []


def test_every_policy_normalizer_and_finding_is_explained():
    from breastcls.augmentation.policy_registry import list_policies
    from breastcls.images.integrity import PROBLEMS
    from breastcls.stain.normalizer_registry import list_normalizers

    for page, names in (("augmentation", list_policies()), ("stain", list_normalizers()), ("check-a-folder", PROBLEMS)):
        text = (DOCS / "how-to" / f"{page}.md").read_text(encoding="utf-8")
        assert [name for name in names if f"`{name}`" not in text] == [], page


def test_every_perturbation_check_and_baseline_is_explained():
    from breastcls.baselines.baseline_registry import list_baselines
    from breastcls.robustness.perturbations import list_perturbations
    from breastcls.robustness.shortcut_interpretation import CHECKS

    page = (DOCS / "how-to" / "find-weak-spots.md").read_text(encoding="utf-8")
    assert [name for name in (*list_perturbations(), *CHECKS, *list_baselines()) if f"| `{name}` |" not in page] == []


def test_the_table_of_backbones_holds_them_all():
    tables = _load_tables()
    page = tables.on_page_markdown((DOCS / "reference" / "models.md").read_text(encoding="utf-8"))
    assert tables.MARKER not in page
    assert [name for name in list_backbones().names if f"| `{name}` |" not in page] == []


def test_the_tables_of_recipes_hold_them_all():
    from breastcls.experiments.recipes.published import PUBLISHED

    tables = _load_tables()
    page = tables.on_page_markdown((DOCS / "explanation" / "recipes.md").read_text(encoding="utf-8"))
    assert tables.RECIPES not in page
    assert tables.RECIPE_RESULTS not in page
    for recipe in PUBLISHED:
        assert f"| `{recipe.name}` |" in page
        for model in recipe.models:
            assert f"| `{recipe.name}`, {model.name}" in page
            # Every value that a project reported is beside the measured one.
            assert all(f"{metric} {value:.4g} |" in page for metric, value in model.reported.items())


def test_the_table_of_few_cases_comes_from_the_simulation():
    tables = _load_tables()
    found = json.loads((tables.RESULTS / "few_cases.json").read_text(encoding="utf-8"))["calibration"]
    page = tables.on_page_markdown(tables.FEW_CASES)
    rows = page.splitlines()[2:]
    assert len(rows) == len(found["right"]) >= 6
    for row, (method, side) in zip(rows, found["right"].items(), strict=True):
        assert method in row
        assert f"{side['times']:.2f}" in row


def test_the_table_of_interval_coverage_comes_from_the_simulation():
    tables = _load_tables()
    page = tables.on_page_markdown((DOCS / "explanation" / "intervals.md").read_text(encoding="utf-8"))
    assert tables.COVERAGE not in page
    assert "| 100 | images, percentile |" in page


def test_a_page_opened_from_disk_loads_the_search_from_the_site():
    from material.plugins.offline import plugin
    from mkdocs.structure.files import File

    hook = _load("local_scripts")
    # The hook replaces the address that this version of the theme writes into the pages.
    assert f'"{hook.REMOTE}"' in inspect.getsource(plugin)
    page = File("how-to/train.md", str(DOCS), "site", use_directory_urls=False)
    found = hook.on_post_page(f'<script src="{hook.REMOTE}">', page=page, config=None)
    assert found == '<script src="../javascripts/iframe-worker.js">'
    assert (DOCS / hook.LOCAL).is_file()


def _load_tables():
    return _load("tables")


def _load(name):
    """Import a hook of the documentation."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    return hook


@pytest.fixture(scope="session")
def page_runner(tmp_path_factory):
    """One process for all pages, which would load TensorFlow one by one."""
    log = tmp_path_factory.mktemp("pages") / "log.txt"
    command = [sys.executable, str(PROJECT / "tests" / "support" / "page_runner.py")]
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        yield process, log
        process.kill()


def _run_blocks(page: Path, folder: Path, page_runner: tuple[subprocess.Popen[str], Path]) -> str:
    """Run the blocks marked on a page one after the other, as a reader would, in an empty folder."""
    blocks = _blocks(page, tested_only=True)
    assert blocks, "no block is marked '<!-- runs in tests -->'"
    script = folder / "blocks.py"
    script.write_text("\n\n".join(blocks), encoding="utf-8")
    process, log = page_runner
    process.stdin.write(f"{script}\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    assert answer, log.read_text(encoding="utf-8")[-3000:]
    result = json.loads(answer)
    assert result["error"] == "", result["error"][-3000:]
    return result["printed"]


TUTORIAL = DOCS / "getting-started.md"
MARKED = [page for page in PAGES if page != TUTORIAL and _blocks(page, tested_only=True)]


@pytest.mark.slow
@pytest.mark.parametrize("page", MARKED, ids=_name)
def test_marked_blocks_run(page, tmp_path, page_runner):
    assert _run_blocks(page, tmp_path, page_runner)


@pytest.mark.slow
def test_the_tutorial_runs(tmp_path, page_runner):
    """From nothing to a model, a number, a report and heat-maps, on synthetic images."""
    output = _run_blocks(TUTORIAL, tmp_path, page_runner)
    assert "No leak" in output
    assert "Balanced accuracy" in output
    assert "<script src" not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "first.keras").is_file()
    assert (tmp_path / "runs" / "first" / "history.csv").is_file()
    assert len(list((tmp_path / "heatmaps").glob("*.png"))) == 8
