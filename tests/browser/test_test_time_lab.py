"""A network that adapts to one patient, and collapses, in a real JupyterLab."""

from __future__ import annotations

import pytest
from driving import Notebook, Server

pytestmark = pytest.mark.browser

CELLS = (
    "import cdseg_teach as ct\n"
    "study = ct.brain_study(seed=0, sizes={'train': 1, 'validation': 1, 'test': 1})\n"
    "learner = ct.lecture_pack().checkpoint(study)",
    "lab = ct.TestTimeLab(learner, study)\nlab",
)


def test_play_collapse_look_back_and_another_method(server: Server, notebook: Notebook) -> None:
    notebook.open(server.write("test_time.ipynb", *CELLS)).run_all()
    lab = notebook.page.locator(".cdseg-lab")
    lab.scroll_into_view_if_needed()

    def numbers() -> str:
        return " ".join(notebook.text(".cdseg-numbers").split())

    def now() -> str:
        return str(lab.locator("img").nth(1).get_attribute("src"))

    notebook.wait_for(lambda: lab.locator(".trace.scatter").count() > 0, "the curves appear")
    notebook.wait_for(lambda: "step 0 " in numbers(), "the numbers appear")
    notebook.screenshot("test-time-1-opened")
    seen = now()
    notebook.button("Step").click()
    notebook.wait_for(lambda: "step 1 " in numbers(), "it does a step")
    assert "prediction after update 1" in lab.inner_text()
    notebook.drag("Learning rate", 0.75)
    notebook.wait_for(lambda: "step 0 " in numbers(), "another learning rate begins a new run")
    notebook.button("Play").click()
    notebook.wait_for(lambda: "Collapsed" in lab.inner_text(), "the prediction collapses")
    notebook.button("Pause").click()
    notebook.wait_for(lambda: "paused" in numbers(), "the run pauses")
    notebook.wait_for_idle()
    assert now() != seen
    notebook.screenshot("test-time-2-collapsed")

    notebook.drag("Back to step", 0.0)
    notebook.wait_for(lambda: "step 0 " in numbers(), "the run is looked back at")
    assert "prediction without an update" in lab.inner_text()
    assert "Collapsed" not in lab.inner_text()
    lab.locator("select").nth(2).select_option("denoising prior")
    bar = lab.locator(".widget-hprogress")
    notebook.wait_for(lambda: bar.is_visible(), "the denoiser's training is shown")
    notebook.wait_for(lambda: not bar.is_visible(), "it is trained")
    notebook.button("Step").click()
    notebook.wait_for(lambda: "step 1 " in numbers(), "it does a step")
    notebook.button("Reset").click()
    notebook.wait_for(lambda: "step 0 " in numbers(), "the run begins anew")
    notebook.screenshot("test-time-3-denoising-prior")
    panel = notebook.page.locator(".jp-NotebookPanel-notebook").bounding_box()
    assert lab.bounding_box()["height"] <= panel["height"]
    assert notebook.errors() == []
