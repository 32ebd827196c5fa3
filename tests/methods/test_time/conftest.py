"""Fixtures of the tests of test-time adaptation."""

import pytest
from learning import run

from cdseg_teach.methods import Supervised


@pytest.fixture(scope="session")
def learner(study):
    """A learner of S that is far from perfect on T."""
    learner = Supervised(study.source.train, schedule_steps=40, learning_rate=1e-2, device="cpu")
    run(learner, 40)
    return learner


@pytest.fixture(scope="session")
def image(study):
    """A volume of T."""
    return study.target.test[0].image
