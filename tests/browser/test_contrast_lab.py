"""A guess, then the shift dial between two scanners, in a real JupyterLab."""

from __future__ import annotations

import pytest
from driving import Notebook, Server

pytestmark = pytest.mark.browser

CELLS = (
    "import cdseg_teach as ct\n"
    "guess = ct.Predict('At full shift, fluid is ...', ['darker', 'brighter'])\n"
    "guess",
    "ct.ContrastLab(z=11)",
    "guess.reveal('darker', 'see the histogram')",
)


def test_guess_turn_the_dial_and_compare(server: Server, notebook: Notebook) -> None:
    notebook.open(server.write("contrast.ipynb", *CELLS)).run_all()
    lab = notebook.page.locator(".cdseg-contrast")
    asked, revealed = (notebook.page.locator(".cdseg-predict").nth(i) for i in range(2))
    assert "What happened" not in revealed.inner_text()
    notebook.button("darker").click()
    notebook.wait_for(lambda: "Locked: darker." in asked.inner_text(), "the guess is locked")
    assert notebook.button("brighter").is_disabled()
    wanted = "Your guess: darker. What happened: darker. ✓ see the histogram"
    notebook.wait_for(lambda: wanted in revealed.inner_text(), "it stands beside what happened")

    lab.scroll_into_view_if_needed()

    def picture() -> str:
        return str(lab.locator("img").nth(1).get_attribute("src"))

    seen = picture()
    for what, act in {
        "the dial changes": lambda: notebook.drag("Shift", 0.8),
        "a key changes": lambda: notebook.slider("TE (ms)").press("ArrowRight"),
        "another channel shows": lambda: lab.locator("select").select_option("FLAIR"),
        "a knob changes": lambda: notebook.drag("TI (ms)", 0.6),
    }.items():
        act()
        notebook.wait_for(lambda before=seen: picture() != before, what)
        seen = picture()
    assert "FLAIR" in lab.locator("[role=status]").inner_text()
    notebook.screenshot("contrast-lab")
    assert notebook.errors() == []
