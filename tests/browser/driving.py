"""A notebook in JupyterLab, driven like a person would: what the browser tests share.

Screenshots are kept in artifacts/.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest

from cdseg_teach.doctor import find_chromium

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / "artifacts"
TOKEN = "for-this-test-only"
CHROMIUM = find_chromium()
# Nothing but the page itself may talk: labs work without a network.
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
NO_NEWS = '{"fetchNews": "false", "checkForUpdates": false}'


@dataclass
class Server:
    """A JupyterLab server of this test session."""

    url: str
    folder: Path
    log: Path

    def write(self, name: str, *cells: str) -> str:
        """Write a notebook of code cells into the served folder."""
        kernel = {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        }
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=kernel
        )
        nbformat.write(notebook, self.folder / name)
        return name


@dataclass
class Notebook:
    """A notebook that is open in JupyterLab, and what one does with it."""

    page: Any
    server: Server
    complaints: list[str] = field(default_factory=list)

    _CURRENT = "window.jupyterapp.shell.currentWidget"

    def open(self, name: str) -> Notebook:
        """Open a notebook of the served folder and wait for its kernel."""
        self.page.goto(f"{self.server.url}/lab/tree/{name}?token={TOKEN}&reset")
        ready = f"{self._CURRENT}?.context?.sessionContext?.session?.kernel?.status === 'idle'"
        self.page.wait_for_function(f"() => window.jupyterapp && ({ready})", timeout=60_000)
        return self

    def run_all(self, timeout_s: float = 120) -> None:
        """Run all cells and wait until the kernel has nothing left to do."""
        self.page.evaluate(
            "() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
        )
        counted = f"{self._CURRENT}.content.model.cells"
        done = f"Array.from({counted}).every(c => c.type !== 'code' || c.executionCount > 0)"
        self.page.wait_for_function(f"() => {done}", timeout=timeout_s * 1000)
        self.wait_for_idle()

    def wait_for_idle(self, timeout_s: float = 60) -> None:
        """Wait until the kernel has answered all that it was asked until now."""
        kernel = f"{self._CURRENT}.context.sessionContext.session.kernel"
        self.page.evaluate(
            f"() => {{ window.answered = false;"
            f" {kernel}.requestKernelInfo().then(() => window.answered = true); }}"
        )
        self.page.wait_for_function(
            f"() => window.answered && {kernel}.status === 'idle'", timeout=timeout_s * 1000
        )

    def button(self, text: str) -> Any:
        """The button with this text in the notebook's outputs."""
        return self.page.locator(
            ".jp-OutputArea .jupyter-button", has_text=re.compile(rf"^\s*{re.escape(text)}\s*$")
        )

    def slider(self, label: str) -> Any:
        """The handle of the slider with this label; it has the keyboard's focus when clicked."""
        label_is = self.page.locator(".widget-label", has_text=re.compile(rf"^{re.escape(label)}$"))
        return self.page.locator(".widget-inline-hbox").filter(has=label_is).locator(".noUi-handle")

    def drag(self, label: str, share: float, steps: int = 12) -> None:
        """Drag a slider's handle to a share (0..1) of its length, slowly."""
        handle = self.slider(label)
        handle.scroll_into_view_if_needed()
        self._wait_until_still(handle)
        track = handle.locator("xpath=ancestor::*[contains(@class, 'noUi-target')]").bounding_box()
        box = handle.bounding_box()
        mouse, y = self.page.mouse, box["y"] + box["height"] / 2
        mouse.move(box["x"] + box["width"] / 2, y)
        mouse.down()
        mouse.move(track["x"] + share * track["width"], y, steps=steps)
        mouse.up()

    def _wait_until_still(self, element: Any) -> None:
        """Wait until the page no longer moves under an element, after scrolling to it."""
        boxes = [element.bounding_box()]

        def still() -> bool:
            boxes.append(element.bounding_box())
            return boxes[-1] is not None and boxes[-1] == boxes[-2]

        self.wait_for(still, "the page stops moving")

    def text(self, selector: str) -> str:
        """The text of one element."""
        return str(self.page.locator(selector).first.inner_text())

    def wait_for(self, condition: Callable[[], bool], what: str, timeout_s: float = 30) -> None:
        """Wait until a condition holds, or fail saying what did not happen."""
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end:
                self.screenshot("failed")
                pytest.fail(f"within {timeout_s:g} s: {what}")
            self.page.wait_for_timeout(100)

    def screenshot(self, name: str) -> Path:
        """Keep what is seen now as artifacts/<name>.png."""
        ARTIFACTS.mkdir(exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        self.page.screenshot(path=path)
        return path

    def errors(self) -> list[str]:
        """What went wrong until now: in the browser's console, in cells, in the kernel's log."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        cells = f"Array.from({self._CURRENT}.content.model.cells).filter(c => c.type === 'code')"
        outputs = self.page.evaluate(f"() => {cells}.flatMap(c => c.outputs.toJSON())")
        wrong = [
            str(o) for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"
        ]
        log = self.server.log.read_text()
        return [*self.complaints, *wrong, *re.findall(r"Traceback[\s\S]{0,2000}", log)]
