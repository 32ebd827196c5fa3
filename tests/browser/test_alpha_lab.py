"""The moment that decides: play, drag α, see it happen, in a real JupyterLab."""

from __future__ import annotations

import re

import pytest
from conftest import Notebook, Server

CELLS = (
    "import sys; sys.path.insert(0, '/tmp')\nfrom toy_labs import toy_study\nfrom cdseg_teach.labs.alpha import AlphaLab\nfrom cdseg_teach.methods import Supervised",
    "study = toy_study()\nlearner = Supervised(study.source.train, seed=0, schedule_steps=40)\nfor _ in range(40): learner.step()",
    "lab = AlphaLab(study, learner)\nlab",
)


def numbers(notebook: Notebook) -> dict[str, float]:
    text = re.sub(r"\s+", " ", notebook.text(".cdseg-numbers"))
    return {
        "step": float(re.search(r"step (\d+)", text)[1]),
        "asked": float(re.search(r"α asked ([\d.e+-]+)", text)[1]),
    }


def test_play_drag_pause_scrub_reset(server: Server, notebook: Notebook) -> None:
    notebook.open(server.write("alpha.ipynb", *CELLS)).run_all()
    notebook.page.locator(".cdseg-lab").scroll_into_view_if_needed()
    notebook.wait_for(lambda: notebook.page.locator(".js-plotly-plot .scatterlayer").count() > 0, "the curves appear")
    notebook.screenshot("alpha-1-opened")
    notebook.button("Play").click()
    notebook.wait_for(lambda: numbers(notebook)["step"] > 10, "steps are done")
    notebook.drag("α", 0.9)
    notebook.wait_for(lambda: numbers(notebook)["asked"] >= 30, "a step uses the new alpha")
    notebook.wait_for(lambda: numbers(notebook)["step"] > 40, "steps are done", 60)
    notebook.screenshot("alpha-2-playing")
    notebook.button("Pause").click()
    notebook.screenshot("alpha-3-paused")
    assert notebook.errors() == []
