"""Fixtures for every test; that this file is here also lets any test say `from toy import ...`."""

import pytest
from toy import toy_study

from cdseg_teach.cohorts.study import Study


@pytest.fixture(scope="session")
def study() -> Study:
    return toy_study()
