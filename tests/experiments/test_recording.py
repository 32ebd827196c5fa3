"""Recorded runs: written, read, refused; and what a recorder looks at."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from cdseg_teach.cohorts.study import Split, Study
from cdseg_teach.experiments.recording import RecordedRun, Recorder, record
from cdseg_teach.methods import Adversarial, Supervised
from cdseg_teach.problems import Problem


@pytest.fixture(scope="module")
def run(study: Study) -> RecordedRun:
    return record(
        study, Adversarial(study, seed=0, batch_size=2, device="cpu"), 6, every=2, alpha=1.0
    )


def test_numbers_of_every_step_pictures_of_every_few(run: RecordedRun) -> None:
    assert run.metrics["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert run.frame_steps.tolist() == [0, 2, 4, 6]
    assert run.masks.shape == (4, 32, 32)
    assert run.masks.dtype == np.uint8
    assert run.points.shape == (4, len(run.domains), 2)
    assert ((run.dsc_target >= 0) & (run.dsc_target <= 1)).all()
    assert run.settings["task"] == "toy"


def test_comes_back_from_disk_as_it_was(run: RecordedRun, tmp_path: Path) -> None:
    run.to_npz(tmp_path / "run.npz")
    again = RecordedRun.from_npz(tmp_path / "run.npz")
    assert again.settings == run.settings
    assert again.reports == run.reports
    for name in ("frame_steps", "masks", "points", "domains", "mean", "axes", "dsc_source"):
        np.testing.assert_array_equal(getattr(again, name), getattr(run, name))
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip at all", None])
def test_a_broken_file_is_a_problem_of_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "run.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Problem, match=r"run\.npz") as problem:
        RecordedRun.from_npz(path)
    assert "\n" not in str(problem.value)


def test_looking_changes_nothing(study: Study) -> None:
    watched, alone = (
        Supervised(study.source.train, seed=0, batch_size=2, device="cpu") for _ in range(2)
    )
    recorder = Recorder(study, every=1)
    recorder.begin(watched)
    for _ in range(2):
        assert watched.step() == alone.step()
        recorder.after_step(watched)
    one, other = watched.state_dict()["segmenter"], alone.state_dict()["segmenter"]
    assert all((one[key] == other[key]).all() for key in one)


def test_the_first_map_is_centred_and_its_first_axis_is_the_widest(run: RecordedRun) -> None:
    first = run.points[0].astype(np.float64)
    assert np.abs(first.mean(axis=0)).max() < 1e-2
    assert first[:, 0].std() >= first[:, 1].std()


def test_a_cohort_without_a_test_subject_is_named(study: Study) -> None:
    alone = copy.copy(study.target)
    alone.splits = study.target.splits | {"test": Split((), tuple)}
    with pytest.raises(Problem, match="cohort T has no test subject"):
        Recorder(dataclasses.replace(study, target=alone))


def test_frames_are_bounded(study: Study) -> None:
    learner = Supervised(study.source.train, seed=0, batch_size=2, device="cpu")
    recorder = Recorder(study, every=1, keep=4)
    recorder.begin(learner)
    for _ in range(8):
        learner.step()
        recorder.after_step(learner)
    steps = [frame.step for frame in recorder.frames]
    assert len(steps) <= 4
    assert steps[0] == 0
    assert recorder.every > 1
