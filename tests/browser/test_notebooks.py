"""The notebooks as a lecturer meets them: opened in JupyterLab, run from top to bottom."""

from __future__ import annotations

import shutil

import pytest
from driving import ROOT, Notebook
from test_alpha_lab import NUMBERS, number, picture, step

pytestmark = pytest.mark.browser

SOURCES = sorted((ROOT / "notebooks").glob("*.ipynb"))


def opened_and_run(notebook: Notebook, name: str) -> Notebook:
    shutil.copy(ROOT / "notebooks" / name, notebook.server.folder / name)
    notebook.open(name).run_all(timeout_s=240)
    return notebook


@pytest.mark.parametrize("name", [source.name for source in SOURCES if "02" not in source.name])
def test_a_notebook_runs_without_an_error(notebook: Notebook, name: str) -> None:
    opened_and_run(notebook, name)
    notebook.screenshot(f"notebook-{name[:2]}")
    assert notebook.errors() == []


def test_alpha_is_dragged_while_the_brain_is_learned(notebook: Notebook) -> None:
    opened = opened_and_run(notebook, "02_adversarial_learning.ipynb")
    opened.page.locator(".cdseg-lab").scroll_into_view_if_needed()
    opened.wait_for(lambda: step(opened) > 0, "the lab opens in the middle of a run")
    opened.screenshot("notebook-02-opened")

    before, at = picture(opened), step(opened)
    opened.button("Play").click()
    opened.wait_for(lambda: step(opened) >= at + 10, "the recorded run goes on")
    opened.drag("α", 0.9)
    opened.wait_for(lambda: number(opened, "α in effect") >= 30, "a following step uses that α")
    opened.wait_for(lambda: picture(opened) != before, "the picture changes")
    opened.screenshot("notebook-02-playing")

    opened.button("Pause").click()
    opened.wait_for(lambda: "paused" in opened.text(NUMBERS), "the run pauses")
    opened.wait_for_idle()
    last = step(opened)
    opened.drag("Back to step", 0.2)
    opened.wait_for(lambda: step(opened) < last, "the run is looked back at")
    opened.button("Reset").click()
    opened.wait_for(lambda: step(opened) == at - 20, "the lab is in the middle of the run again")
    assert opened.errors() == []
