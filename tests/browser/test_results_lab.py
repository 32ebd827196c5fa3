"""Another table, another view, one method more: the results explorer in a real JupyterLab."""

from __future__ import annotations

import pytest
from driving import Notebook, Server

pytestmark = pytest.mark.browser

CELLS = (
    "from results import ToyPack\nimport cdseg_teach as ct",
    "ct.ResultsExplorer(ToyPack())",
)
STATUS = ".cdseg-results [role=status]"


def test_every_view_and_what_is_not_there(server: Server, notebook: Notebook) -> None:
    notebook.open(server.write("results.ipynb", *CELLS)).run_all()
    lab = notebook.page.locator(".cdseg-results")
    lab.scroll_into_view_if_needed()

    def said(text: str) -> None:
        notebook.wait_for(lambda: text in notebook.text(STATUS), f"it says {text!r}")

    def fits() -> bool:
        panel = notebook.page.locator(".jp-NotebookPanel-notebook").bounding_box()
        box = lab.bounding_box()
        return bool(box["height"] <= panel["height"] and box["width"] <= panel["width"])

    notebook.wait_for(lambda: lab.locator("tbody tr").count() == 6, "the table appears")
    notebook.screenshot("results-table")
    assert fits()
    lab.get_by_label("gin", exact=True).focus()
    notebook.page.keyboard.press("Space")
    notebook.wait_for(lambda: lab.locator("tbody tr").count() == 7, "a key adds a method")

    def pictured(view: str, words: str) -> None:
        notebook.button(view).click()
        notebook.wait_for(
            lambda: lab.locator(f'img[alt*="{words}"]').count() == 1, f"{view} has its picture"
        )
        notebook.screenshot(f"results-{view.replace(' ', '-')}")

    pictured("subjects", "A dot a test subject of T")
    assert fits()
    pictured("over shift", "over shift strength")
    pictured("over α", "over α")
    pictured("worst cases", "each method does worst on")

    lab.locator("select").nth(0).select_option("heart, MR to CT")
    said("no worst cases of hearts")
    notebook.button("table").click()
    lab.locator("select").nth(2).select_option("PA")
    lab.locator("select").nth(1).select_option("HD95 (mm)")
    said("heart, MR to CT: HD95 (mm) of PA")
    notebook.screenshot("results-heart")
    lab.locator("select").nth(0).select_option("heart, CT to MR")
    said("lacks 'ct_to_mr'")
    assert lab.locator("select").nth(0).input_value() == "heart, MR to CT"
    assert notebook.errors() == []
