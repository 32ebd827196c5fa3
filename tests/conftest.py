"""Fixtures for every test."""

import os
import threading
from collections.abc import Iterator

import pytest
import torch
from faulty_server import Server
from toy import toy_study

from cdseg_teach.cohorts.study import Study

# Tests hold learners to the last bit, which a GPU does not keep: its sums have no fixed order.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture(scope="session")
def study() -> Study:
    return toy_study()


@pytest.fixture(autouse=True)
def _the_same_numbers_in_every_run() -> None:
    """Whatever a test draws without a generator of its own."""
    torch.manual_seed(0)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A web server with faults; pooch does not wait for seconds between two tries at it."""
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
