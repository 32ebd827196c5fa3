"""Jobs give the same numbers wherever they run, and fail in one line."""

import math
import sys
import time
from functools import partial

import numpy as np
import pytest
import torch
from toy import toy_study

from cdseg_teach.experiments import jobs, recipes, table
from cdseg_teach.experiments.executors import executor_from, local_processes
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
    asked = [job("source"), job("adversarial")]
    here = run_jobs(asked, progress=False)
    with local_processes(2) as pool:
        there = run_jobs(asked, pool, progress=False)
    for ours, theirs in zip(here, there, strict=True):
        assert ours.rows.drop(columns="seconds").equals(theirs.rows.drop(columns="seconds"))


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
    assert text.startswith("3 runs, 6 steps of training: about ")


def test_how_often_the_discriminator_is_right_is_a_fact():
    (outcome,) = run_jobs([job("adversarial")], progress=False)
    assert 0 <= outcome.facts["discriminator_accuracy"] <= 1
