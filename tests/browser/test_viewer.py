"""Leafing through a person's slices, in a real JupyterLab."""

from __future__ import annotations

import pytest
from driving import Notebook, Server

pytestmark = pytest.mark.browser

CELL = (
    "from toy import toy_subject\n"
    "import cdseg_teach as ct\n"
    "subject = toy_subject()\n"
    "ct.SliceViewer(subject, subject.label, ('one', 'two'))"
)


def test_slices_channels_and_outlines(server: Server, notebook: Notebook) -> None:
    notebook.open(server.write("viewer.ipynb", CELL)).run_all()
    viewer = notebook.page.locator(".cdseg-viewer")
    viewer.scroll_into_view_if_needed()

    def picture() -> str:
        return str(viewer.locator("img").get_attribute("src"))

    seen = picture()
    for what, act in {
        "an arrow key leafs": lambda: notebook.slider("Slice").press("ArrowRight"),
        "another channel shows": lambda: viewer.locator("select").select_option("two"),
        "the outlines go": lambda: viewer.locator("input[type=checkbox]").uncheck(),
    }.items():
        act()
        notebook.wait_for(lambda before=seen: picture() != before, what)
        seen = picture()
    assert notebook.errors() == []
