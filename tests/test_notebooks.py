"""The notebooks run from their Markdown, and the notebooks with outputs beside them have the same cells."""

import importlib.util
import json
import re
import shutil
import tomllib
from pathlib import Path

import jupytext
import nbformat
import pytest

PROJECT = Path(__file__).resolve().parents[1]
FOLDER = PROJECT / "notebooks"
NAMES = (
    "first-steps",
    "own-images",
    "compare-backbones",
    "calibration-and-decisions",
    "explanations",
    "evaluate-a-pytorch-model",
)
# What each notebook teaches is in its outputs.
SHOWN = {
    "first-steps": ("No leakage", "roc_auc", "image/jpeg"),
    "own-images": ("truncated", "P98_copy", "DatasetError", "not independent"),
    "compare-backbones": ("mobilenetv2", "Verdicts", "image/png"),
    "calibration-and-decisions": ("temperature", "sensitivity", "LeakageError", "ppv"),
    "explanations": ("without the mark", "median rank correlation", "data:image/webp"),
    "evaluate-a-pytorch-model": ("interval over images", "Colour-only baseline", "Robustness"),
}
LARGEST = 300_000


def _load_converter():
    spec = importlib.util.spec_from_file_location("convert_notebooks", FOLDER / "convert.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


convert = _load_converter()


def code_of(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_every_notebook_is_listed():
    assert sorted(NAMES) == [path.stem for path in convert.SOURCES]
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(NAMES)
    page = (PROJECT / "docs" / "notebooks.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"(notebooks/{name}.md)" not in page] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_notebook_with_outputs_has_the_cells_of_its_markdown(name):
    path = FOLDER / f"{name}.ipynb"
    written, source = nbformat.read(path, as_version=4), convert.read_source(FOLDER / f"{name}.md")
    nbformat.validate(written)
    assert [(cell.cell_type, cell.source) for cell in written.cells] == [
        (cell.cell_type, cell.source) for cell in source.cells
    ]
    assert path.stat().st_size < LARGEST
    outputs = json.dumps([cell.get("outputs", []) for cell in written.cells])
    assert [text for text in SHOWN[name] if text not in outputs] == []
    # No cell is without its run, no error was kept, and nothing of the machine is in the file.
    assert all(cell.execution_count for cell in written.cells if cell.cell_type == "code")
    assert '"output_type": "error"' not in outputs
    assert not re.search(r"/(home|root|tmp|work|Users)/|ipykernel_|tf\.function|absl", outputs)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_has_a_title_a_badge_and_its_limits(name):
    text = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    title, badge = [line for line in text.split("---", 2)[2].splitlines() if line][:2]
    assert title.startswith("# ")
    assert badge.startswith("[![Open in Colab](open-in-colab.svg)](https://colab.research.google.com/")
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    repository = project.get("urls", {}).get("Repository")
    if repository:
        place = repository.removeprefix("https://github.com/")
        assert f"/github/{place}/blob/main/notebooks/{name}.ipynb" in badge
    assert "synthetic" in text
    assert len(code_of(jupytext.reads(text, fmt="md"))) >= 6


def test_a_folder_replaces_the_synthetic_images():
    notebook = convert.use_folder(convert.read_source(FOLDER / "first-steps.md"), Path("/data/BreaKHis_v1"))
    first = code_of(notebook)[0]
    assert "folder = '/data/BreaKHis_v1'" in first
    with pytest.raises(ValueError, match="expected one"):
        convert.use_folder(notebook, Path("again"))


def test_what_the_machine_adds_is_left_out():
    output = nbformat.v4.new_output
    cell = nbformat.v4.new_code_cell(
        "x",
        outputs=[
            output("stream", name="stderr", text="WARNING: All log messages before absl::InitializeLog() is called\n"),
            output("stream", name="stderr", text="/tmp/ipykernel_7/12.py:1: DatasetWarning: unknown\n"),
            output("stream", name="stderr", text="more\n"),
            output("display_data", data={"text/plain": "", "text/html": ""}),
            output("execute_result", data={"text/plain": "3"}, execution_count=1),
        ],
    )
    kept = convert.clean(nbformat.v4.new_notebook(cells=[cell])).cells[0].outputs
    assert [one.output_type for one in kept] == ["stream", "execute_result"]
    assert kept[0].text == "notebook cell: DatasetWarning: unknown\nmore\n"


@pytest.fixture(scope="module")
def kernel():
    """One kernel for all notebooks, which would load TensorFlow one by one."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")
    client.stop_channels()
    yield manager
    manager.shutdown_kernel(now=True)


def run_notebook(name, folder, kernel, data=None):
    """Run a notebook in the kernel after those before it, without their names, in a folder of its own."""
    notebook = convert.read_source(FOLDER / f"{name}.md")
    if data is not None:
        convert.use_folder(notebook, data)
    begin = f"%reset -f\nimport os, warnings\nos.chdir({str(folder)!r})\nwarnings.resetwarnings()"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(begin))
    convert.execute(notebook, folder, km=kernel)
    assert [cell.source for cell in notebook.cells if cell.cell_type == "code" and not cell.execution_count] == []
    return json.dumps([cell.get("outputs", []) for cell in notebook.cells])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_runs(name, tmp_path, kernel):
    outputs = run_notebook(name, tmp_path, kernel)
    assert [text for text in SHOWN[name] if text not in outputs] == []
    assert "tf.function" not in outputs


@pytest.mark.slow
@pytest.mark.real
def test_it_runs_on_real_images(real_data, tmp_path, kernel):
    """The one with all five calls, on four images of every second slide."""
    some = tmp_path / "BreaKHis_v1"
    slides = sorted(real_data.glob("BreaKHis_200X_224/**/SOB_*"))
    slides = [path for path in slides if path.is_dir()]
    assert len(slides) > 20
    for slide in slides[::2]:
        for image in sorted(slide.rglob("*.png"))[:4]:
            target = some / image.relative_to(real_data / "BreaKHis_200X_224")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(image, target)
    outputs = run_notebook("first-steps", tmp_path, kernel, some)
    assert "roc_auc" in outputs
