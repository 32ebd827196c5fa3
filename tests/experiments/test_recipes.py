"""Each row is trained as it says, and the control is the adversarial row without its game."""

import copy
import dataclasses
import inspect

import pytest
import torch
from toy import toy_study

from cdseg_teach.experiments import recipes
from cdseg_teach.experiments.recipes import METHODS, collapsing, learner_of, predictor_of
from cdseg_teach.experiments.weights import load_weights, weights_of
from cdseg_teach.methods import Adversarial, Learner
from cdseg_teach.problems import Problem


@pytest.fixture(scope="module")
def start(study):
    learner = learner_of("source", study, steps=2)
    learner.step()
    return learner


def test_the_table_has_the_lectures_rows_in_order():
    rows = list(METHODS)
    assert rows[:4] == ["source", "source_without_shifted_channel", "source_longer", "adversarial"]
    assert rows[-1] == "oracle"
    assert all(METHODS[row.start].start is None for row in METHODS.values() if row.start)


def test_with_separate_passes_source_longer_is_alpha_0_bit_for_bit(study, start, monkeypatch):
    monkeypatch.setitem(recipes.ADVERSARIAL, "joint_batch", False)
    control = learner_of("source_longer", study, start, steps=4)
    game = learner_of("adversarial", study, start, alpha=0.0, steps=4)
    for _ in range(4):
        control.step()
        game.step()
    ours, theirs = control.state_dict(), game.state_dict()
    for part in ("segmenter", "averaged"):
        assert all(torch.equal(ours[part][name], theirs[part][name]) for name in ours[part])


def test_only_the_oracle_reads_target_labels(start):
    study = toy_study()
    blind = [name for name in METHODS if name != "oracle"]
    study.target.splits["train"].__dict__["subjects"] = study.target.train
    for method in blind:
        learner = predictor_of(method, study, start, steps=1)
        if isinstance(learner, Learner):
            learner.step()
        else:
            learner.begin(study.target.test[0].image).step()
    with pytest.raises(Problem, match="has no target label"):
        learner_of("oracle", study, steps=1)


def test_only_one_row_drops_the_shifted_channel(study):
    assert METHODS["source_without_shifted_channel"].view(study).source.channels == ("one",)
    assert METHODS["adversarial"].view(study) is study


def test_a_study_without_shifted_channel_cannot_drop_it(study):
    same = study.without_channels(study.shifted_channels)
    with pytest.raises(Problem, match="no shifted channel"):
        METHODS["source_without_shifted_channel"].view(same)


def test_nobody_to_adapt_to_is_told_before_any_training(study):
    nobody = dataclasses.replace(study.target.splits["train"], names=(), read=tuple)
    alone = copy.copy(study.target)
    alone.splits = study.target.splits | {"train": nobody}
    study = dataclasses.replace(study, target=alone)
    with pytest.raises(Problem, match="no target subject"):
        METHODS["adversarial"].view(study)
    assert METHODS["source"].view(study) is study


def test_what_each_row_may_see_is_what_it_is_given(study, start):
    """Without target subjects to learn from, only the rows that say they see them complain."""
    nobody = dataclasses.replace(study.target.splits["train"], names=(), read=tuple)
    alone = copy.copy(study.target)
    alone.splits = study.target.splits | {"train": nobody}
    blind = dataclasses.replace(study, target=alone)
    for method, row in METHODS.items():
        if "target" in row.sees:
            with pytest.raises(Problem, match="no target subject"):
                predictor_of(method, blind, start, steps=1)
        else:
            predictor_of(method, blind, start, steps=1)


def test_a_test_time_row_trains_no_learner(study, start):
    with pytest.raises(Problem, match="tent adapts at test time"):
        learner_of("tent", study, start)


def test_synthesis_longer_is_synthesis_adversarial_without_its_game(study, monkeypatch):
    monkeypatch.setitem(recipes.ADVERSARIAL, "joint_batch", False)
    painted = learner_of("synthesis", study, steps=2)
    control = learner_of("synthesis_longer", study, painted, steps=3)
    game = learner_of("synthesis_adversarial", study, painted, alpha=0.0, steps=3)
    for _ in range(3):
        control.step()
        game.step()
    ours, theirs = control.state_dict()["averaged"], game.state_dict()["averaged"]
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_an_unknown_method_is_named(study):
    with pytest.raises(Problem, match=r"'cure' is unknown; use source, "):
        learner_of("cure", study)


def test_weights_of_other_channels_are_refused(study, start):
    fewer = learner_of("source_without_shifted_channel", study, steps=1)
    with pytest.raises(Problem, match="another network") as caught:
        load_weights(fewer, weights_of(start))
    assert "\n" not in str(caught.value)


def test_steps_set_the_schedule(study, start):
    assert learner_of("source", study).schedule_steps == recipes.SOURCE_STEPS
    assert learner_of("adversarial", study, start).schedule_steps == recipes.ADAPTATION_STEPS
    assert learner_of("adversarial", study, start, steps=7).schedule_steps == 7


def test_the_collapse_scene_takes_every_safety_away(study, start):
    learner = collapsing(study, start)
    assert isinstance(learner, Adversarial)
    assert learner.gradient_clip is None
    assert learner.schedule_steps is None
    assert learner.source_statistics == "running"


@pytest.mark.parametrize("settings", ["SUPERVISED", "ADAPTATION"])
def test_settings_shared_by_rows_are_every_learners(settings):
    assert set(getattr(recipes, settings)) <= set(inspect.signature(Learner).parameters)
