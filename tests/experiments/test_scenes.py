"""Failures on purpose: every scene is measured, repeats, and shares what it can."""

import copy
import dataclasses
import math
import pickle
from functools import partial
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from toy import toy_study

from cdseg_teach.cohorts.study import Split
from cdseg_teach.experiments import jobs, scenes
from cdseg_teach.experiments import stage as staged
from cdseg_teach.experiments.executors import Here, one_thread
from cdseg_teach.experiments.jobs import Job, train_start
from cdseg_teach.experiments.recipes import learner_of
from cdseg_teach.experiments.scenes import (
    SCENES,
    SETTINGS,
    by_seed,
    over,
    pull,
    run_scenes,
    without_lesions,
)
from cdseg_teach.experiments.stage import Stage
from cdseg_teach.experiments.weights import from_bytes
from cdseg_teach.problems import Problem

SMALL = partial(toy_study, subjects=2)
STEPS = 2


@pytest.fixture(scope="module")
def stage():
    with one_thread():  # as jobs compute
        yield Stage.built(SMALL, 0, STEPS, "cpu")


@pytest.fixture(scope="module")
def rows():
    return run_scenes(SMALL, [0, 1], progress=False, steps=STEPS, device="cpu")


def value(rows, scene, quantity, seed=0):
    chosen = rows[(rows.scene == scene) & (rows.quantity == quantity) & (rows.seed == seed)]
    assert len(chosen) == 1
    return chosen.value.item()


class Sure(torch.nn.Module):
    """A discriminator with logit +c for S and -c for T, the other way round from column `wrong` on.

    Next to that it hardly hears anything.
    """

    def __init__(self, c, wrong=None):
        super().__init__()
        self.c, self.wrong, self.asked = c, wrong, 0

    def forward(self, taps):
        self.asked += 1
        heard = 1e-4 * taps[-1].mean(1, keepdim=True)
        sign = torch.ones_like(heard)
        if self.wrong is not None:
            sign[..., self.wrong :] = -1
        if self.asked == 2:  # S is asked about first
            sign = -sign
        return self.c * sign + heard


def test_every_scene_is_measured_on_every_seed(rows):
    assert list(rows.columns) == ["scene", "seed", "quantity", "value"]
    assert list(rows.scene.drop_duplicates()) == list(SCENES)
    assert not rows.duplicated(["scene", "seed", "quantity"]).any()
    assert np.isfinite(rows.value).all()
    counts = rows.groupby(["scene", "seed"]).size().unstack()
    assert (counts[0] == counts[1]).all()


def test_ratios_are_ratios(rows):
    ratios = rows[rows.quantity.str.contains("dsc|recall|precision|accuracy|share|collapsed")]
    assert ratios.value.between(0, 1).all()


def test_it_repeats_and_a_seed_trains_one_source_learner(rows, monkeypatch):
    asked = []
    original = staged.learner_of

    def counting(row, *arguments, **options):
        asked.append(row)
        return original(row, *arguments, **options)

    monkeypatch.setattr(staged, "learner_of", counting)
    again = scenes.play(SMALL, 0, STEPS, "cpu")
    assert again.equals(rows[rows.seed == 0].reset_index(drop=True))
    assert asked.count("source") == 1


def test_the_source_learner_is_the_tables(stage):
    start = train_start(Job(SMALL, "source", 0, 1.0, STEPS, "cpu"))
    ours, theirs = stage.source.state_dict()["averaged"], from_bytes(start.weights)["averaged"]
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_an_executor_is_given_a_job_a_seed():
    class Noting(Here):
        jobs: ClassVar[list] = []

        def submit(self, function, *arguments):
            self.jobs.append((function, *arguments))
            return super().submit(pd.DataFrame, {"seed": [arguments[3]]})

    given = run_scenes(SMALL, [3, 5], Noting(), False, steps=7)
    wanted = [(jobs.once, None, scenes.play, SMALL, seed, 7, "auto") for seed in (3, 5)]
    assert Noting.jobs == wanted
    assert list(given.seed) == [3, 5]
    assert pickle.loads(pickle.dumps(scenes.play)) is scenes.play


def test_a_seed_that_was_played_is_not_played_again(tmp_path, monkeypatch):
    played = []

    def play(studies, seed, steps, device):
        played.append(seed)
        if seed == 5 and played.count(5) == 1:
            raise KeyboardInterrupt
        return pd.DataFrame({"seed": [seed]})

    monkeypatch.setattr(scenes, "play", play)
    with pytest.raises(KeyboardInterrupt):
        run_scenes(SMALL, [3, 5], progress=False, keep=tmp_path)
    assert list(run_scenes(SMALL, [3, 5], progress=False, keep=tmp_path).seed) == [3, 5]
    assert played == [3, 5, 5]


def test_the_run_that_is_peeked_at_is_the_tables(stage):
    learner = learner_of(
        "adversarial", stage.study, stage.source, seed=0, steps=STEPS, device="cpu"
    )
    jobs.train(learner, STEPS)
    ours, theirs = stage.game.learner.state_dict()["averaged"], learner.state_dict()["averaged"]
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert stage.game.looks["averaged"][-1] == pytest.approx(stage.each_on_target(learner))


@pytest.mark.parametrize("c", [2.0, 6.0])
def test_a_sure_discriminator_leaves_reversal_without_gradient(stage, c):
    """For S, d/dz of -L_adv is sigma(-z), with flipped labels sigma(z): their ratio is e^-z."""
    learner = stage.learner("adversarial", STEPS)
    images = learner.source.draw()[0], learner.target.draw_images()

    def told(c):
        learner.discriminator = Sure(c)
        return pull(learner, *images)

    undecided, sure = told(0.0), told(c)
    reversal, flipped = sure["gradient_reversal"], sure["gradient_flipped"]
    vanishing = 1 / (1 + math.exp(c))
    assert reversal == pytest.approx(2 * vanishing * undecided["gradient_reversal"], rel=1e-3)
    assert flipped == pytest.approx(2 * (1 - vanishing) * undecided["gradient_flipped"], rel=1e-3)
    assert reversal / flipped == pytest.approx(math.exp(-c), rel=1e-3)
    assert sure["accuracy"] == sure["accuracy_inside"] == 1


def test_pulling_moves_nothing(stage):
    learner = stage.learner("adversarial", STEPS)
    before = learner.state_dict()
    pull(learner, learner.source.images[:2], learner.target.images[:2])
    after = learner.state_dict()
    for part in ("segmenter", "averaged", "discriminator"):
        assert all(torch.equal(before[part][name], after[part][name]) for name in before[part])
    assert all(weight.grad is None for weight in learner.segmenter.parameters())


def test_accuracy_inside_looks_where_images_are_not_empty(stage):
    learner = stage.learner("adversarial", STEPS)
    images = learner.source.images[:2].clone()
    images[..., 16:] = 0
    learner.discriminator = Sure(1.0, wrong=8)  # at half the resolution
    told = pull(learner, images, images)
    assert told["accuracy"] == 0.5
    assert told["accuracy_inside"] == 1


def test_training_slices_without_lesions_leave_everything_else(study):
    clean = without_lesions(study)
    assert all(not subject.label.any() for subject in clean.target.labelled_train)
    assert all(subject.label is None for subject in clean.target.train)
    slices = sum((~s.label.any(axis=(1, 2))).sum() for s in study.target.labelled_train)
    assert sum(s.image.shape[1] for s in clean.target.train) == slices
    assert clean.target.test is study.target.test
    assert clean.source is study.source


def test_a_study_full_of_lesions_has_no_such_slices(study):
    ill = [dataclasses.replace(s, label=np.ones_like(s.label)) for s in study.target.labelled_train]
    target = copy.copy(study.target)
    target.splits = study.target.splits | {"train": Split.of(ill)}
    with pytest.raises(Problem, match="every slice of T shows a structure"):
        without_lesions(dataclasses.replace(study, target=target))


def test_a_scene_by_seed(rows):
    table = by_seed(rows, "joint_batch")
    assert set(table) == {"dsc_before", "dsc_joint", "dsc_separate"}
    assert table.dsc_joint[1] == value(rows, "joint_batch", "dsc_joint", seed=1)
    with pytest.raises(Problem, match="no scene 'joint'; use one of strong_discriminator"):
        by_seed(rows, "joint")


def test_what_was_measured_along_a_run(rows):
    at, entropies = over(rows, "tent", "entropy, rate 0.1")
    assert at == [0, 1, 2]
    assert entropies.shape == (2, 3)
    assert entropies[1, 2] == value(rows, "tent", "entropy, rate 0.1 at 2", seed=1)
    assert (np.diff(entropies) < 0).all()
    with pytest.raises(Problem, match="no 'entropy'"):
        over(rows, "tent", "entropy")


def test_at_step_0_the_learning_rate_does_not_matter(rows):
    for name in ("entropy", "dsc", "foreground"):
        begun = {value(rows, "tent", f"{name}, rate {rate:g} at 0") for rate in SETTINGS["tent"]}
        assert len(begun) == 1


def test_the_best_checkpoint_is_no_worse_than_the_last(rows):
    for network in ("averaged", "segmenter"):
        for seed in (0, 1):
            best, last = (value(rows, "peeking", f"{x}, {network}", seed) for x in ("best", "last"))
            assert best >= last
            assert best == over(rows, "peeking", f"dsc, {network}")[1][seed].max()


def test_matched_is_the_run_that_is_peeked_at(rows):
    matched = value(rows, "class_prior", "dsc_matched")
    assert matched == pytest.approx(value(rows, "peeking", "last, averaged"))
