"""Run the notebooks and store what they show: `make notebooks`.

The text source (`notebooks/*.py`) is what people edit and review. This makes the `.ipynb` beside
it: runs every cell in a fresh kernel and keeps outputs that look the same anywhere, so that a
notebook shows something before it is run, on a code host, in print.

    python data_scripts/run_notebooks.py [NOTEBOOK.py ...]

Notebook 01 shows numbers of two real patients, so set CDSEG_TEACH_DATA to where their scans are;
the notebook says how to get them. A test fails where it was stored without them.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def run(source: Path) -> nbformat.NotebookNode:
    """Run one notebook from its text source; a cell that raises stops it."""
    notebook = jupytext.read(source)
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        store_widget_state=False,
        record_timing=False,
        resources={"metadata": {"path": str(source.parent)}},
    )
    client.execute()
    return tidy(notebook)


def tidy(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Take out what differs from run to run: widgets' identities, cells' random names."""
    # jupytext also writes its own version and comment settings; pairing needs the formats only.
    notebook.metadata = nbformat.from_dict(
        {
            "jupytext": {"formats": "ipynb,py:percent"},
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        for output in cell.get("outputs", []):
            # Without its kernel a widget is an error message; its still picture is not.
            output.get("data", {}).pop(WIDGET_VIEW, None)
    return notebook


def main(names: list[str]) -> None:
    """Run these notebooks, or all of them."""
    for source in map(Path, names or sorted(FOLDER.glob("*.py"))):
        start = time.perf_counter()
        nbformat.write(run(source), source.with_suffix(".ipynb"))
        print(f"{source.name}: {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
