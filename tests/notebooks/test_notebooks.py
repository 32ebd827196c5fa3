"""What the notebooks promise before anybody runs them; `pytest --nbval` runs them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import jupytext
import nbformat
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
SOURCES = sorted(FOLDER.glob("*.py"))
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
LONGEST = 25  # lines of code in a cell

pytestmark = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def stored(source):
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code(notebook) for output in cell.outputs]


def tagged(notebook, tag):
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def without_answers(program):
    """The same program, every function reduced to its docstring and three dots."""
    tree = ast.parse(program)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.body = [node.body[0], ast.Expr(ast.Constant(...))]
    return ast.unparse(tree)


def test_the_pair_says_the_same(source):
    def content(notebook):
        return [(cell.cell_type, cell.source.rstrip(), cell.metadata) for cell in notebook.cells]

    mend = "run `make notebooks`"
    assert content(jupytext.read(source)) == content(stored(source)), mend


def test_every_cell_was_run_in_order(source):
    counts = [cell.execution_count for cell in code(stored(source))]
    assert counts == list(range(1, len(counts) + 1))


def test_the_kernel_is_named(source):
    assert stored(source).metadata.kernelspec.name == "python3"


def test_no_widget_is_stored(source):
    notebook = stored(source)
    assert "widgets" not in notebook.metadata
    assert all(WIDGET_VIEW not in output.get("data", {}) for output in outputs(notebook))


def test_nothing_went_wrong(source):
    for output in outputs(stored(source)):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.get("text")


def test_nothing_was_skipped(source):
    """The text around a cell speaks of what it shows."""
    mend = "set CDSEG_TEACH_DATA to the folder with open_ms, then run `make notebooks`"
    for output in outputs(stored(source)):
        assert "Skipped" not in output.get("text", ""), mend


def test_nobodys_folders_are_stored(source):
    for output in outputs(stored(source)):
        said = output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))
        assert not re.search(r"(?<![\w.])(/|~/|[A-Z]:\\)[\w.-]+[/\\]", said), said


def test_cells_are_short(source):
    for cell in code(stored(source)):
        assert len(cell.source.splitlines()) <= LONGEST, cell.source


def test_every_picture_has_words(source):
    for output in outputs(stored(source)):
        if "image/png" in output.get("data", {}):
            words = output.metadata.get("image/png", {}).get("alt", "")
            assert len(words) >= 20, output.data.get("text/plain")


def test_every_cell_that_is_not_compared_says_why(source):
    """The marker works only on a line of its own; the reason is on the next."""
    for cell in code(stored(source)):
        if "NBVAL_IGNORE_OUTPUT" in cell.source:
            assert re.match(r"# NBVAL_IGNORE_OUTPUT\n# \w+", cell.source), cell.source


def test_links_lead_somewhere(source):
    text = "\n".join(cell.source for cell in stored(source).cells if cell.cell_type == "markdown")
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        assert target.startswith("https://") or (FOLDER / target).exists(), target


def test_the_start_leads_here(source):
    """The table of contents lists every notebook there is."""
    start = (FOLDER / "00_start_here.py").read_text()
    assert source.stem == "00_start_here" or f"({source.stem}.ipynb)" in start


def test_an_exercise_is_its_solution_without_the_answer(source):
    notebook = stored(source)
    exercises, solutions = tagged(notebook, "exercise"), tagged(notebook, "solution")
    assert len(exercises) == len(solutions) == 1
    wanted = without_answers(solutions[0].source)
    assert ast.unparse(ast.parse(exercises[0].source)) == wanted
    assert solutions[0].metadata.jupyter.source_hidden
    assert "nothing yet" in exercises[0].outputs[0].text
    assert " is right in " in solutions[0].outputs[0].text
