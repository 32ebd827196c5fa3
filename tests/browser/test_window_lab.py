"""Window, dose and contrast phase in a real JupyterLab; hearts in the α lab."""

from __future__ import annotations

import pytest
from driving import Notebook, Server

pytestmark = pytest.mark.browser

STATUS = ".cdseg-window [role=status]"
HEARTS = (
    "import cdseg_teach as ct\n"
    "study = ct.heart_study(seed=0, sizes={'train': 1, 'validation': 1, 'test': 2}).load()",
    "lab = ct.AlphaLab(study)\nlab",
)


def test_look_and_scan(server: Server, notebook: Notebook) -> None:
    notebook.open(
        server.write("window.ipynb", "import cdseg_teach as ct\nct.WindowLab()")
    ).run_all()
    lab = notebook.page.locator(".cdseg-window")
    lab.scroll_into_view_if_needed()
    notebook.wait_for(lambda: "195 mGy·cm" in notebook.text(STATUS), "the dose is said")

    def picture() -> str:
        return str(lab.locator("img").get_attribute("src"))

    seen = picture()
    notebook.screenshot("window-1-opened")
    for what, act in {
        "a preset changes": lambda: notebook.button("soft tissue").click(),
        "a key changes": lambda: notebook.slider("Level (HU)").press("ArrowRight"),
        "a phase changes": lambda: lab.locator("select").select_option("unenhanced"),
        "a drag changes": lambda: notebook.drag("Dose (mGy·cm)", 0.75),
    }.items():
        act()
        notebook.wait_for(lambda before=seen: picture() != before, what)
        seen = picture()
    assert "195 mGy·cm" not in notebook.text(STATUS)
    assert lab.locator("tr").count() == 7
    notebook.screenshot("window-2-unenhanced")
    panel = notebook.page.locator(".jp-NotebookPanel-notebook").bounding_box()
    assert lab.bounding_box()["height"] <= panel["height"]
    assert lab.bounding_box()["width"] <= panel["width"]
    assert notebook.errors() == []


def test_hearts_in_the_alpha_lab_have_one_line_of_names(server: Server, notebook: Notebook) -> None:
    notebook.open(server.write("hearts.ipynb", *HEARTS)).run_all()
    lab = notebook.page.locator(".cdseg-lab")
    lab.scroll_into_view_if_needed()
    names = lab.locator(".cdseg-legend b").all_inner_texts()
    assert names[:7] == ["LV", "RV", "LA", "RA", "MYO", "AO", "PA"]
    rows = {round(name.bounding_box()["y"]) for name in lab.locator(".cdseg-legend b").all()[:7]}
    assert len(rows) == 1
    notebook.button("Step").click()
    notebook.wait_for(lambda: "step 1 " in " ".join(notebook.text(".cdseg-numbers").split()), "1")
    notebook.screenshot("hearts-alpha")
    panel = notebook.page.locator(".jp-NotebookPanel-notebook").bounding_box()
    assert lab.bounding_box()["height"] <= panel["height"]
    assert notebook.errors() == []
