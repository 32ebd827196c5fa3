"""The moment that decides: play, drag α, see it happen, in a real JupyterLab."""

from __future__ import annotations

import re

import pytest
from driving import Notebook, Server

pytestmark = pytest.mark.browser

CELLS = (
    "from toy import toy_study\n"
    "from cdseg_teach.labs.alpha import AlphaLab\n"
    "from cdseg_teach.methods import Supervised",
    "study = toy_study(size=64)\n"
    "learner = Supervised(study.source.train, seed=0)\n"
    "for _ in range(40):\n    report = learner.step()",
    "lab = AlphaLab(study, learner, warm_up=False)\nlab",
)
NUMBERS = ".cdseg-numbers"


def number(notebook: Notebook, name: str) -> float:
    """Read one of the numbers beside the plots."""
    text = " ".join(notebook.text(NUMBERS).split())
    found = re.search(rf"{name} (-?[\d.]+(?:e[+-]?\d+)?)", text)
    return float(found[1]) if found else float("nan")


def picture(notebook: Notebook) -> str:
    """Where the browser holds the slice's picture: another address for each picture."""
    return str(notebook.page.locator(".cdseg-lab img").first.get_attribute("src"))


def step(notebook: Notebook) -> float:
    return number(notebook, "step")


@pytest.fixture
def opened(server: Server, notebook: Notebook) -> Notebook:
    notebook.open(server.write("alpha.ipynb", *CELLS)).run_all()
    notebook.page.locator(".cdseg-lab").scroll_into_view_if_needed()
    notebook.wait_for(
        lambda: notebook.page.locator(".cdseg-lab .trace.scatter").count() > 0, "the curves appear"
    )
    notebook.wait_for(lambda: step(notebook) == 0, "the numbers appear")
    return notebook


def test_play_drag_pause_look_back_and_reset(opened: Notebook) -> None:
    opened.screenshot("alpha-1-opened")
    before = picture(opened)
    opened.button("Play").click()
    opened.wait_for(lambda: step(opened) >= 12, "steps are done after Play")
    opened.drag("α", 0.9)
    opened.wait_for(
        lambda: number(opened, "α asked") >= 30, "a following step uses the α that was dragged to"
    )
    opened.wait_for(lambda: number(opened, "α in effect") >= 30, "that α is in effect")
    opened.wait_for(lambda: step(opened) >= 42 and picture(opened) != before, "the picture changes")
    opened.screenshot("alpha-2-playing")

    opened.button("Pause").click()
    opened.wait_for(lambda: "paused" in opened.text(NUMBERS), "the run pauses")
    opened.wait_for_idle()
    at = step(opened)
    opened.page.wait_for_timeout(1000)
    assert step(opened) == at

    last = picture(opened)
    opened.button("Pin run").click()
    opened.drag("Back to step", 0.25)
    opened.wait_for(
        lambda: step(opened) < at and picture(opened) != last, "the run is looked back at"
    )
    opened.screenshot("alpha-3-looking-back")
    opened.slider("Back to step").press("ArrowRight")  # by keyboard, too

    opened.button("Reset").click()
    opened.wait_for(lambda: step(opened) == 0, "the run begins anew")
    opened.button("Discriminator step").click()
    opened.button("Segmenter step").click()
    opened.wait_for(lambda: step(opened) == 2, "each player does a step alone")
    opened.button("Play").click()
    opened.wait_for(lambda: step(opened) >= 12, "the next run is compared with the pinned one")
    opened.screenshot("alpha-4-pinned")
    assert opened.errors() == []


def test_fifty_restarts_leave_one_loop(opened: Notebook) -> None:
    for _ in range(50):
        opened.button("Play").click()
        opened.button("Reset").click()
    opened.wait_for_idle(180)
    opened.page.evaluate(
        """() => {
          const session = window.jupyterapp.shell.currentWidget.context.sessionContext.session;
          window.ticks = [];
          session.kernel.anyMessage.connect((_, { direction, msg }) => {
            const content = msg.content?.data?.content;
            if (direction === "send" && content?.kind === "tick") window.ticks.push(content.number);
          });
        }"""
    )
    opened.button("Play").click()
    opened.wait_for(lambda: step(opened) >= 10, "steps are done after fifty restarts")
    opened.button("Pause").click()
    opened.wait_for_idle()
    numbers = opened.page.evaluate("() => window.ticks")
    assert numbers
    assert len(numbers) == len(set(numbers))  # two loops would send the same number twice
    assert opened.errors() == []


def test_the_lab_fits_a_projector_without_scrolling(opened: Notebook) -> None:
    box = opened.page.locator(".cdseg-lab").bounding_box()
    panel = opened.page.locator(".jp-NotebookPanel-notebook").bounding_box()
    assert box["height"] <= panel["height"]
    assert box["width"] <= panel["width"]


def test_the_slider_keeps_a_length_in_a_narrow_window(opened: Notebook) -> None:
    opened.page.set_viewport_size({"width": 1280, "height": 720})
    lab = opened.page.locator(".cdseg-lab")
    opened.wait_for(lambda: lab.bounding_box()["width"] < 900, "the lab takes the new width")
    track = opened.slider("α").locator("xpath=ancestor::*[contains(@class, 'noUi-target')]")
    opened.wait_for(lambda: track.bounding_box()["width"] >= 200, "the slider has a length")
    opened.screenshot("alpha-5-narrow")
