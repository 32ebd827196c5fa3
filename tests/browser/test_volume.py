"""Three planes and a rendering of a person, in a real JupyterLab."""

from __future__ import annotations

import pytest
from driving import Notebook, Server

pytest.importorskip("ipyniivue")
pytestmark = pytest.mark.browser

CELL = (
    "from toy import toy_subject\n"
    "import cdseg_teach as ct\n"
    "subject = toy_subject()\n"
    "ct.VolumeViewer(subject, subject.label, ('one', 'two'))"
)


def test_a_person_is_drawn(server: Server, notebook: Notebook) -> None:
    notebook.open(server.write("volume.ipynb", CELL)).run_all()
    canvas = notebook.page.locator(".jp-OutputArea-output canvas").first
    canvas.wait_for()
    canvas.scroll_into_view_if_needed()
    shot = None

    def is_drawn() -> bool:
        nonlocal shot
        shot = canvas.screenshot()
        return len(set(shot)) > 200 and len(shot) > 20_000  # an empty canvas packs into less

    notebook.wait_for(is_drawn, "the person is drawn")
    notebook.wait_for(
        lambda: "three planes" in (canvas.get_attribute("aria-label") or ""), "it has a name"
    )
    notebook.screenshot("volume")
    canvas.click()
    before = canvas.screenshot()
    notebook.page.keyboard.press("v")
    notebook.wait_for(lambda: canvas.screenshot() != before, "a key acts on the picture")
    cells = notebook.page.locator(".jp-Notebook .jp-CodeCell").count()
    assert cells == 1  # and not on the notebook, where V pastes
    assert notebook.errors() == []
