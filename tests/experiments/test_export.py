"""A simulated study on disk: both cohorts or nothing, and a good cohort passes the checks."""

import numpy as np
import pytest

from cdseg_teach.cohorts.checks import check_cohort
from cdseg_teach.cohorts.load import load_study
from cdseg_teach.experiments import export
from cdseg_teach.experiments.export import write_study
from cdseg_teach.experiments.jobs import direction
from cdseg_teach.problems import Problem


def test_both_cohorts_pass_the_checks(study, tmp_path):
    write_study(study, tmp_path / "toy")
    assert check_cohort(tmp_path / "toy" / "source") == []
    assert check_cohort(tmp_path / "toy" / "target") == []


def test_read_back_it_is_the_study_that_was_written(study, tmp_path):
    write_study(study, tmp_path / "toy")
    read = load_study(tmp_path / "toy" / "source", tmp_path / "toy" / "target")
    assert read.shifted_channels == study.shifted_channels == (1,)
    assert direction(read) == direction(study)
    assert read.notes == ()
    for ours, theirs in ((study.source, read.source), (study.target, read.target)):
        assert theirs.channels == ours.channels
        assert np.array_equal(theirs.test[0].image, ours.test[0].image)


def test_a_folder_with_something_in_it_is_left_alone(study, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(Problem, match="not empty"):
        write_study(study, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_failure_leaves_nothing(study, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "write_cohort", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_study(study, tmp_path / "toy")
    assert list(tmp_path.iterdir()) == []
