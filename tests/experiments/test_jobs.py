"""Jobs give the same numbers wherever they run, and fail in one line."""

import gzip
import math
import sys
import time
from dataclasses import replace
from functools import partial

import nibabel as nib
import numpy as np
import pytest
import torch
from toy import toy_study

from cdseg_teach.cohorts.load import load_study
from cdseg_teach.evaluation import dsc
from cdseg_teach.experiments import jobs, recipes, table
from cdseg_teach.experiments.executors import executor_from, local_processes, one_thread
from cdseg_teach.experiments.facts import Remembering
from cdseg_teach.experiments.jobs import Job, run_jobs
from cdseg_teach.problems import Problem, RunFailed

SMALL = partial(toy_study, subjects=2)


def job(method="source", seed=0, studies=SMALL):
    return Job(studies, method, seed, alpha=1.0, steps=2, device="cpu")


def without_memory(seed):
    raise MemoryError("no room")


def without_data(seed):
    raise Problem("T2.nii.gz: is missing; add it")


def test_processes_give_the_numbers_of_this_process():
    asked = [replace(job(name), predictions=True) for name in ("source", "adversarial")]
    here = run_jobs(asked, progress=False)
    with local_processes(2) as pool:
        there = run_jobs(asked, pool, progress=False)
    for ours, theirs in zip(here, there, strict=True):
        assert ours.rows.drop(columns="seconds").equals(theirs.rows.drop(columns="seconds"))
        assert ours.predictions == theirs.predictions
        assert list(ours.predictions) == list(ours.rows.subject)


def test_one_core_needs_no_other_process():
    with local_processes(1) as executor:
        assert executor is None


def test_facts_of_each_run():
    source, longer, without = (
        outcome.facts
        for outcome in run_jobs(
            [job(name) for name in ("source", "source_longer", "source_without_shifted_channel")],
            progress=False,
        )
    )
    assert source["parameters_changed"] == 0
    assert 0 < longer["parameters_changed"] <= longer["parameters"]
    assert without["parameters_changed"] == without["parameters"]
    assert without["channels"] == "one"
    assert source["direction"] == "two_to_other"
    assert math.isnan(longer["discriminator_accuracy"])
    assert longer["seconds"] > source["seconds"]
    for facts in (source, longer, without):
        assert 0 <= facts["a_distance"] <= 2
        assert 0 <= facts["ece"] <= 1
        assert 0 <= facts["ece_near"] <= 1


def test_a_test_time_row_adapts_what_its_start_learned():
    rows = run_jobs(
        [job(name) for name in ("source", "tent", "batch_statistics", "gin_batch_statistics")],
        progress=False,
    )
    source, tent, statistics, gin = (outcome.facts for outcome in rows)
    assert tent["seconds"] > source["seconds"]
    assert 0 < tent["parameters_changed"] < tent["parameters"]
    assert statistics["parameters_changed"] == source["parameters_changed"] == 0
    assert math.isnan(tent["a_distance"])
    assert tent["sees"] == gin["sees"] == "a trained network, the image at hand"
    assert len(rows[1].rows) == len(rows[0].rows)


def test_a_volume_is_predicted_once_for_all_who_ask():
    class Counting:
        calls = 0

        def predict_probabilities(self, volume):
            self.calls += 1
            return np.stack([volume[0], 1 - volume[0]])

    counting = Counting()
    remembering = Remembering(counting)
    one, other = np.zeros((1, 2, 2, 2)), np.ones((1, 2, 2, 2))
    for _ in range(2):
        assert (remembering.predict(one) == 1).all()
        assert (remembering.predict(other) == 0).all()
    assert counting.calls == 2


def test_rows_that_share_a_start_train_it_once(monkeypatch):
    trained = []
    original = jobs.train_start
    monkeypatch.setattr(jobs, "train_start", lambda j: trained.append(j.start) or original(j))
    names = ("gin", "gin_batch_statistics", "synthesis_longer", "tent", "source")
    run_jobs([job(name) for name in names], progress=False)
    assert sorted(trained) == ["gin", "source", "synthesis"]


def test_at_every_shift_what_learns_from_s_alone_is_the_same_training(monkeypatch):
    trained = []
    original = jobs.train_start
    monkeypatch.setattr(jobs, "train_start", lambda j: trained.append(j.start) or original(j))

    def studies(seed, shift=1.0):
        return toy_study(seed, subjects=2)

    results = table.shift_curves(studies, (0.0, 0.5), ("source", "source_longer"), (0,), steps=2)
    assert trained == ["source"]
    assert set(results.rows.domain) == {"target"}


def test_the_seconds_of_a_denoising_prior_include_its_denoiser(monkeypatch):
    def slow(*arguments, **options):
        end = time.process_time() + 0.5
        while time.process_time() < end:
            pass
        return torch.nn.Identity()

    quick = job("denoising_prior")
    start = jobs.train_start(quick)
    monkeypatch.setattr(recipes, "denoiser_of", slow)
    assert jobs.run_job(quick, start).facts["seconds"] > start.seconds + 0.5


def test_threads_are_as_before_after_a_job():
    before = torch.get_num_threads()
    run_jobs([job()], progress=False)
    assert torch.get_num_threads() == before


def test_a_job_that_breaks_is_a_failed_run():
    with pytest.raises(RunFailed, match="MemoryError: no room"):
        run_jobs([job(studies=without_memory)], progress=False)


def test_a_users_mistake_stays_one():
    with pytest.raises(Problem, match=r"T2\.nii\.gz"):
        run_jobs([job("oracle", studies=without_data)], progress=False)


@pytest.mark.parametrize("name", ["threads", "dask", "dask://", "tcp://somewhere:1"])
def test_an_unknown_executor_is_named(name):
    with pytest.raises(Problem, match="local or dask"), executor_from(name, 2):
        pass


def test_dask_is_asked_for_only_when_wanted(monkeypatch):
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(Problem, match="pip install"), executor_from("dask://host:8786", 2):
        pass


def test_the_estimate_counts_the_source_learner_once():
    text = jobs.estimate([job("source"), job("source_longer"), job("adversarial")])
    assert text.startswith("4 runs, 6 steps of training: about ")


def test_how_often_the_discriminator_is_right_is_a_fact():
    (outcome,) = run_jobs([job("adversarial")], progress=False)
    assert 0 <= outcome.facts["discriminator_accuracy"] <= 1


TURN = np.deg2rad(20)
OBLIQUE = nib.affines.from_matvec(
    [[np.cos(TURN), -np.sin(TURN), 0], [np.sin(TURN), np.cos(TURN), 0], [0, 0, 1]]
    @ np.diag([-1.0, 1.3, 3.0]),
    [4, -7, 2],
)
SHAPE = (44, 38, 10)


def write_oblique(folder, people=3):
    """Balls in larger balls, tilted, mirrored and with voxels of 1 x 1.3 x 3 mm."""
    for number in range(people):
        subject = folder / f"p{number}"
        subject.mkdir(parents=True)
        mm = nib.affines.apply_affine(OBLIQUE, np.indices(SHAPE).T).T
        mm -= mm.mean(axis=(1, 2, 3), keepdims=True)
        ball = np.linalg.norm(mm - number, axis=0) < 8
        scan = nib.Nifti1Image(100.0 * (np.linalg.norm(mm, axis=0) < 14) + 50.0 * ball, OBLIQUE)
        scan.header.set_xyzt_units("mm", "sec")
        nib.save(scan, subject / "FLAIR.nii.gz")
        nib.save(nib.Nifti1Image(ball.astype(np.uint8), OBLIQUE), subject / "label.nii.gz")


def at_nearest(label, affine):
    """A label [Z, Y, X] of that affine at each voxel of SHAPE, and where two are as near."""
    where = nib.affines.apply_affine(np.linalg.inv(affine) @ OBLIQUE, np.indices(SHAPE).T).T
    where = where.reshape(3, -1)
    x, y, z = voxels = np.round(where).astype(int)
    inside = ((voxels >= 0) & (voxels < np.reshape(label.T.shape, (3, 1)))).all(axis=0)
    found = np.zeros(inside.shape, np.uint8)
    found[inside] = label[z[inside], y[inside], x[inside]]
    tie = (np.abs(np.abs(where - voxels) - 0.5) < 1e-6).any(axis=0)
    return found.reshape(SHAPE), tie.reshape(SHAPE)


def test_predictions_lie_on_tilted_scans_as_the_learner_made_them(tmp_path):
    for side in ("source", "target"):
        write_oblique(tmp_path / side)
    studies = partial(
        load_study, tmp_path / "source", tmp_path / "target",
        spacing_mm=(3.0, 1.0, 1.0), plane=(48, 48),
    )  # fmt: skip
    asked = replace(job(studies=studies), steps=40, predictions=True)
    (outcome,) = run_jobs([asked], progress=False)
    study = studies(seed=0)
    (subject,) = study.target.test
    with one_thread():  # as a job
        learner = recipes.learner_of("source", study, steps=40, device="cpu")
        jobs.train(learner, 40)
        predicted = learner.predict(subject.image)
    assert subject.name.startswith("target-p")  # both sides have a p0, and it says which
    file = gzip.decompress(outcome.predictions[subject.name])
    mask = nib.Nifti1Image.from_bytes(file)
    assert mask.shape == SHAPE
    assert np.allclose(mask.affine, OBLIQUE, atol=1e-5)
    assert mask.get_data_dtype() == np.uint8
    assert mask.header.get_xyzt_units() == ("mm", "sec")
    voxels = np.asarray(mask.dataobj)
    expected, tie = at_nearest(predicted, subject.affine)
    assert voxels.any()
    assert tie.mean() < 0.05
    assert np.array_equal(voxels[~tie], expected[~tie])
    truth = nib.load(subject.scan.with_name("label.nii.gz"))
    told = outcome.rows.set_index("subject").dsc[subject.name]
    assert dsc(voxels == 1, np.asarray(truth.dataobj) == 1) == pytest.approx(told, abs=0.05)
    assert told > 0.5


def test_kept_outcomes_bring_their_predictions_along(tmp_path, monkeypatch):
    asked = [replace(job(seed=seed), predictions=True) for seed in (0, 1)]
    run_jobs(asked, progress=False, keep=tmp_path)
    monkeypatch.setattr(jobs, "train", None)  # nothing is trained again
    table.write_predictions(tmp_path / "masks", run_jobs(asked, progress=False, keep=tmp_path))
    files = sorted(file.relative_to(tmp_path / "masks") for file in tmp_path.rglob("*.nii.gz"))
    assert [str(file) for file in files] == [
        f"source/seed-{seed}/{side}-test-{number}_prediction.nii.gz"
        for seed in (0, 1)
        for side in "ST"
        for number in (0, 1)
    ]


def test_nothing_is_written_over(tmp_path):
    (outcome,) = run_jobs([replace(job(), predictions=True)], progress=False)
    with pytest.raises(Problem, match="File exists"):
        table.write_predictions(tmp_path / "masks", [outcome, outcome])
    assert list(tmp_path.iterdir()) == []


def test_predictions_are_kept_only_where_they_are_asked_for():
    (outcome,) = run_jobs([job()], progress=False)
    assert outcome.predictions == {}
