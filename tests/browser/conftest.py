"""A JupyterLab server, a Chromium, and a window: the fixtures of the browser tests.

Without Chromium the tests skip with one line; with CDSEG_TEACH_REQUIRE_BROWSER=1 they fail instead.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from driving import CHROMIUM, CHROMIUM_OPTIONS, NO_NEWS, ROOT, TOKEN, Notebook, Server


def _need_chromium() -> str:
    if CHROMIUM:
        return CHROMIUM
    if os.environ.get("CDSEG_TEACH_REQUIRE_BROWSER") == "1":
        pytest.fail(
            "no Chromium found, and CDSEG_TEACH_REQUIRE_BROWSER=1 asks for one: install chromium"
        )
    return pytest.skip("no Chromium found: install chromium to run the browser tests")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab on a free port, with a token and folders of its own."""
    _need_chromium()
    home = tmp_path_factory.mktemp("jupyter")
    folder = home / "notebooks"
    news = (
        home
        / "settings"
        / "@jupyterlab"
        / "apputils-extension"
        / "notification.jupyterlab-settings"
    )
    news.parent.mkdir(parents=True)
    folder.mkdir()
    news.write_text(NO_NEWS)
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    environment = os.environ | {name: str(home / place) for name, place in places.items()} | paths
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--expose-app-in-browser",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={folder}",
    ]
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
        started = playwright.chromium.launch(
            executable_path=_need_chromium(), args=CHROMIUM_OPTIONS
        )
        yield started
        started.close()


@pytest.fixture
def notebook(server: Server, browser: Any) -> Iterator[Notebook]:
    """A window of a projector's size; it gathers what the console complains about."""
    context = browser.new_context(viewport={"width": 1600, "height": 900})
    page = context.new_page()
    opened = Notebook(page, server)
    page.on("pageerror", lambda error: opened.complaints.append(f"page: {error}"))
    page.on(
        "console",
        lambda m: opened.complaints.append(f"console: {m.text}") if m.type == "error" else None,
    )
    yield opened
    page.evaluate(
        "() => window.jupyterapp?.serviceManager?.sessions?.shutdownAll()"
    )  # no kernel stays
    context.close()
