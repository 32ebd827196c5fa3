"""JupyterLab in a real Chromium: a server of its own, and a notebook that is driven like a person would.

Without Chromium the tests skip with one line; with CDSEG_TEACH_REQUIRE_BROWSER=1 they fail instead. Screenshots are kept in artifacts/.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).parents[2]
ARTIFACTS = ROOT / "artifacts"
TOKEN = "for-this-test-only"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
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
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=kernel)
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
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
        counted = f"{self._CURRENT}.content.model.cells"
        done = f"Array.from({counted}).every(c => c.type !== 'code' || c.executionCount > 0)"
        self.page.wait_for_function(f"() => {done}", timeout=timeout_s * 1000)
        self.wait_for_idle()

    def wait_for_idle(self, timeout_s: float = 60) -> None:
        """Wait until the kernel has been idle twice in a row."""
        status = f"{self._CURRENT}.context.sessionContext.session.kernel.status"
        for _ in range(2):
            self.page.wait_for_function(f"() => {status} === 'idle'", timeout=timeout_s * 1000)
            self.page.wait_for_timeout(200)

    def button(self, text: str) -> Any:
        """The button with this text in the notebook's outputs."""
        return self.page.locator(".jp-OutputArea .jupyter-button", has_text=re.compile(rf"^\s*{re.escape(text)}\s*$"))

    def slider(self, label: str) -> Any:
        """The handle of the slider with this label; it has the keyboard's focus when clicked."""
        label_is = self.page.locator(".widget-label", has_text=re.compile(rf"^{re.escape(label)}$"))
        return self.page.locator(".widget-inline-hbox").filter(has=label_is).locator(".noUi-handle")

    def drag(self, label: str, share: float, steps: int = 12) -> None:
        """Drag a slider's handle to a share (0..1) of its length, slowly enough to be seen on the way."""
        handle = self.slider(label)
        track = handle.locator("xpath=ancestor::*[contains(@class, 'noUi-target')]").bounding_box()
        box = handle.bounding_box()
        mouse, y = self.page.mouse, box["y"] + box["height"] / 2
        mouse.move(box["x"] + box["width"] / 2, y)
        mouse.down()
        mouse.move(track["x"] + share * track["width"], y, steps=steps)
        mouse.up()

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
        """What went wrong until now: in the browser's console, in cells, and in the kernel's log."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        cells = f"Array.from({self._CURRENT}.content.model.cells).filter(c => c.type === 'code')"
        outputs = self.page.evaluate(f"() => {cells}.flatMap(c => c.outputs.toJSON())")
        wrong = [str(o) for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
        log = self.server.log.read_text()
        return [*self.complaints, *wrong, *re.findall(r"Traceback[\s\S]{0,2000}", log)]


def _need_chromium() -> str:
    if CHROMIUM:
        return CHROMIUM
    if os.environ.get("CDSEG_TEACH_REQUIRE_BROWSER") == "1":
        pytest.fail("no Chromium found, and CDSEG_TEACH_REQUIRE_BROWSER=1 asks for one: install chromium")
    return pytest.skip("no Chromium found: install chromium to run the browser tests")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab on a free port, with a token and folders of its own."""
    _need_chromium()
    home = tmp_path_factory.mktemp("jupyter")
    folder = home / "notebooks"
    news = home / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    folder.mkdir()
    news.write_text(NO_NEWS)
    places = {
        "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython",
    }  # fmt: skip
    paths = {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    environment = os.environ | {name: str(home / place) for name, place in places.items()} | paths
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={folder}",
    ]  # fmt: skip
    log = home / "server.log"
    with log.open("w") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for_answer(f"{url}/api?token={TOKEN}", process, log)
        yield Server(url, folder, log)
    finally:
        process.terminate()
        process.wait(20)


def _wait_for_answer(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=_need_chromium(), args=CHROMIUM_OPTIONS)
        yield started
        started.close()


@pytest.fixture
def notebook(server: Server, browser: Any) -> Iterator[Notebook]:
    """A window of a projector's size; it gathers what the console complains about."""
    context = browser.new_context(viewport={"width": 1600, "height": 900})
    page = context.new_page()
    opened = Notebook(page, server)
    page.on("pageerror", lambda error: opened.complaints.append(f"page: {error}"))
    page.on("console", lambda m: opened.complaints.append(f"console: {m.text}") if m.type == "error" else None)
    yield opened
    page.evaluate("() => window.jupyterapp?.serviceManager?.sessions?.shutdownAll()")
    context.close()
