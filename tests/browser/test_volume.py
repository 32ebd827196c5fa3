"""Three planes and a rendering of a person, in a real JupyterLab."""

from __future__ import annotations

import pytest
from driving import Notebook, Server

pytest.importorskip("ipyniivue")
pytestmark = pytest.mark.browser

CELL = (
    "import cdseg_teach as ct\n"
    "from cdseg_teach import brain_study\n"
    "study = brain_study(seed=0, sizes={'train': 1, 'validation': 0, 'test': 0})\n"
    "subject = study.source.train[0]\n"
    "ct.VolumeViewer(subject)"
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
    assert notebook.errors() == []
