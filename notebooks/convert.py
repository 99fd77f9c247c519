"""Run the notebooks and write them with their outputs: `first-steps.md` becomes `first-steps.ipynb`.

    python notebooks/convert.py                  # all
    python notebooks/convert.py first-steps      # some
    python notebooks/convert.py --data BreaKHis_v1 --output with-my-images

The Markdown files are the source: they are edited, reviewed and tested. Jupyter opens them, too (jupytext). Each
notebook runs in a kernel and an empty folder of its own.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).resolve().parent
SOURCES = sorted(FOLDER.glob("*.md"))
# In the first code cell, `folder = None` selects synthetic images.
FOLDER_LINE = "folder = None"
# Messages that TensorFlow's compiled code prints before it reads `TF_CPP_MIN_LOG_LEVEL`.
_START_UP = re.compile(r"^(WARNING: All log messages before absl::InitializeLog\(\)|[IW]0000 00:00:).*\n?", re.M)
_CELL_FILE = re.compile(r"\S*/ipykernel_\d+/\d+\.py:\d+")


def read_source(path: Path) -> NotebookNode:
    """Return a notebook without outputs; its cells are named by their number, so that equal text gives equal files."""
    notebook = jupytext.read(path, fmt="md")
    for number, cell in enumerate(notebook.cells, start=1):
        cell["id"] = f"cell-{number}"
        cell.metadata = nbformat.from_dict({})
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def use_folder(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Replace the synthetic images of a notebook by those of a folder, in place, and return it."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and FOLDER_LINE in cell.source]
    if len(cells) != 1:
        raise ValueError(f"{len(cells)} code cells have the line {FOLDER_LINE!r}; expected one.")
    cells[0].source = cells[0].source.replace(FOLDER_LINE, f"folder = {str(folder)!r}")
    return notebook


def execute(notebook: NotebookNode, folder: Path, **client: object) -> NotebookNode:
    """Run a notebook in a folder, in place, and return it; an exception in a cell is raised."""
    NotebookClient(
        notebook,
        timeout=1200,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
        **client,
    ).execute()
    return clean(notebook)


def clean(notebook: NotebookNode) -> NotebookNode:
    """Remove from the outputs, in place, messages that depend on the machine and displays that were cleared."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.metadata = nbformat.from_dict({})
        kept = []
        for output in cell.outputs:
            if output.output_type == "stream":
                output.text = _CELL_FILE.sub("notebook cell", _START_UP.sub("", output.text))
                before = kept[-1] if kept else None
                if before is not None and before.get("name") == output.name:
                    before.text += output.text
                    continue
                if not output.text.strip():
                    continue
            elif output.output_type == "display_data" and not output.data.get("text/plain", "x"):
                continue
            kept.append(output)
        cell.outputs = kept
    return notebook


def main() -> None:
    """Convert the notebooks that are named, by default all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="names of notebooks, without .md; by default all")
    parser.add_argument("--data", type=Path, help="folder of BreakHis images, instead of synthetic ones")
    parser.add_argument("--output", type=Path, default=FOLDER, help="where to write; by default beside the sources")
    arguments = parser.parse_args()
    known = {path.stem: path for path in SOURCES}
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        parser.error(f"no notebook is called {unknown[0]!r}; there are: {', '.join(known)}")
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or known:
        began = time.perf_counter()
        notebook = read_source(known[name])
        if arguments.data is not None:
            use_folder(notebook, arguments.data.resolve())
        with tempfile.TemporaryDirectory() as folder:
            execute(notebook, Path(folder))
        target = arguments.output / f"{name}.ipynb"
        nbformat.write(notebook, target)
        print(f"{target}  {target.stat().st_size / 1000:.0f} kB, {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
