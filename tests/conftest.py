"""Fixtures for every test."""

import pytest
import torch
from toy import toy_study

from cdseg_teach.cohorts.study import Study


@pytest.fixture(scope="session")
def study() -> Study:
    return toy_study()


@pytest.fixture(autouse=True)
def _the_same_numbers_in_every_run() -> None:
    """Whatever a test draws without a generator of its own."""
    torch.manual_seed(0)
