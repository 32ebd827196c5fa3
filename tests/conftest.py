"""Fixtures for every test."""

import pytest
from toy import toy_study

from cdseg_teach.cohorts.study import Study


@pytest.fixture(scope="session")
def study() -> Study:
    return toy_study()
