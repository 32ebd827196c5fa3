"""Stack transforms, drag a strength, draw again: the augmentation lab in a real JupyterLab."""

from __future__ import annotations

import pytest
from driving import Notebook, Server

pytestmark = pytest.mark.browser

CELLS = (
    "from toy import toy_study\nimport cdseg_teach as ct",
    "ct.AugmentationLab(toy_study(size=64))",
)
STATUS = ".cdseg-augmentation [role=status]"


def pictures(notebook: Notebook) -> list[str]:
    """Where the browser holds the five pictures: another address for each picture."""
    found = notebook.page.locator(".cdseg-augmentation img").all()
    return [str(image.get_attribute("src")) for image in found]


def test_stack_drag_and_draw_again(server: Server, notebook: Notebook) -> None:
    notebook.open(server.write("augmentation.ipynb", *CELLS)).run_all()
    lab = notebook.page.locator(".cdseg-augmentation")
    lab.scroll_into_view_if_needed()
    notebook.wait_for(lambda: lab.locator(".trace.scatter").count() == 5, "the histograms appear")
    notebook.screenshot("augmentation-1-opened")

    original, *seen = pictures(notebook)
    for what, act, said in (
        ("a tick stacks", lambda: lab.get_by_label("Bias field").check(), "→ Bias field 0.5"),
        ("a drag, too", lambda: notebook.drag("weight up to", 0.5), "→ GIN 0."),
        ("a key changes", lambda: notebook.slider("σ of ln γ").press("ArrowRight"), "Gamma 0.45"),
        ("others are drawn", lambda: notebook.button("New draws").click(), "seed 1"),
        ("a tick unstacks", lambda: lab.get_by_label("2. Gamma").uncheck(), "Inversion 0.5 → Bias"),
    ):
        act()
        notebook.wait_for(
            lambda before=seen, said=said: (
                said in notebook.text(STATUS) and pictures(notebook)[1:] != before
            ),
            what,
        )
        now, *seen = pictures(notebook)
        assert now == original
    assert lab.get_by_label("3. GIN").is_checked()
    notebook.screenshot("augmentation-2-stacked")
    lab.get_by_label("Table's row").select_option("gin")
    notebook.wait_for(lambda: ": GIN 1, " in notebook.text(STATUS), "a row is chosen")
    panel = notebook.page.locator(".jp-NotebookPanel-notebook").bounding_box()
    assert lab.bounding_box()["height"] <= panel["height"]
    assert lab.bounding_box()["width"] <= panel["width"]
    assert notebook.errors() == []


def test_train_with_what_is_stacked(server: Server, notebook: Notebook) -> None:
    cells = (
        "from toy import toy_study\nimport cdseg_teach as ct\nstudy = toy_study(size=64)",
        "learner = ct.Supervised(study.source.train, seed=0)\n"
        "for _ in ct.steps(learner, 5, progress=False):\n    pass",
        "ct.AugmentationLab(study, learner=learner)",
    )
    notebook.open(server.write("training.ipynb", *cells)).run_all()
    lab = notebook.page.locator(".cdseg-augmentation")
    lab.scroll_into_view_if_needed()
    notebook.button("Train with it").click()
    notebook.wait_for(lambda: notebook.button("Stop").is_visible(), "it learns")
    bar = lab.locator(".widget-hprogress")
    assert bar.is_visible()
    notebook.wait_for(lambda: "as they are" in lab.inner_text(), "the control is done")
    notebook.wait_for(lambda: "Inversion 0.5 → Gamma 0.4, each" in lab.inner_text(), "it is done")
    notebook.wait_for(lambda: not bar.is_visible(), "the bar goes")
    notebook.screenshot("augmentation-3-trained")
    assert notebook.errors() == []
