"""Training with what is stacked: the learner's own steps, and what its button does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from learning import run

import cdseg_teach as ct
from cdseg_teach.cohorts.study import Study
from cdseg_teach.evaluation import evaluate
from cdseg_teach.experiments.recipes import ADAPTATION
from cdseg_teach.labs.augmentation_view import AugmentationView
from cdseg_teach.labs.trials import PLAIN, Trials
from cdseg_teach.labs.trials_view import TrialsView
from cdseg_teach.methods import Supervised
from cdseg_teach.methods.augmentation import Inversion, Stack

INVERTED = Stack(((Inversion(1.0), 1.0),))


@pytest.fixture(scope="module")
def learner(study: Study) -> Supervised:
    learner = Supervised(study.source.train, schedule_steps=20, device="cpu")
    run(learner, 20)
    return learner


@pytest.fixture
def trials(learner: Supervised, study: Study) -> Trials:
    return Trials(learner, study, steps=5, people=2)


@pytest.fixture
def view(learner: Supervised, study: Study) -> Iterator[TrialsView]:
    lab = AugmentationView(ct.AugmentationLab(study, learner=learner))
    assert lab.trials is not None
    lab.trials.trials.steps = 3
    yield lab.trials
    lab.widget.close()


def finish(trials: Trials, stack: Stack, name: str) -> None:
    trials.ask(stack, name)
    trials.player.run(trials.left)


def tick(view: TrialsView) -> None:
    message = {"kind": "tick", "generation": view.clock.generation, "number": view.clock.number}
    view.clock._answer(view.clock, message, [])


def test_a_trial_is_as_many_steps_of_the_learner_with_the_stack(
    trials: Trials, learner: Supervised, study: Study
) -> None:
    before = learner.state_dict()
    finish(trials, INVERTED, "inverted")
    options = ADAPTATION | {"start_from": learner, "schedule_steps": 5, "device": "cpu"}
    again = Supervised(study.source.train, augment=INVERTED, **options)
    run(again, 5)
    for cohort, told in (
        (study.target, trials.results["inverted"].on_target),
        (study.source, trials.results["inverted"].on_source),
    ):
        assert evaluate(again, cohort.test[:2], ("blob",)).dsc.mean() == told
    torch.testing.assert_close(learner.state_dict(), before, rtol=0, atol=0)


def test_a_stack_that_changes_nothing_ends_where_its_control_does(trials: Trials) -> None:
    finish(trials, Stack(((Inversion(0.0), 1.0),)), "nothing")
    assert list(trials.results) == ["before", PLAIN, "nothing"]
    assert trials.results["nothing"] == trials.results[PLAIN]


def test_the_control_is_trained_once(trials: Trials) -> None:
    trials.ask(INVERTED, "inverted")
    assert trials.left == 10
    trials.player.run(10)
    trials.ask(Stack(()), "none")
    assert trials.left == 5
    trials.player.run(5)
    finish(trials, INVERTED, "inverted")
    assert list(trials.results) == ["before", PLAIN, "none", "inverted"]


def test_what_was_stopped_begins_anew(trials: Trials) -> None:
    finish(trials, INVERTED, "inverted")
    reached = trials.results.pop("inverted")
    trials.ask(INVERTED, "inverted")
    trials.player.run(3)
    assert trials.left == 2
    finish(trials, INVERTED, "inverted")
    assert trials.results["inverted"] == reached


def test_a_press_trains_with_what_is_stacked_and_a_second_one_stops(view: TrialsView) -> None:
    assert view.button.description == "Train with it"
    view.button.click()
    assert (view.button.description, view.bar.max) == ("Stop", 6)
    view.button.click()
    tick(view)  # it was under way
    assert view.trials.left == 6
    assert not view.clock.playing
    view.button.click()
    while view.trials.player.playing:
        tick(view)
    assert list(view.trials.results) == [
        "before",
        PLAIN,
        "Inversion 0.5 → Gamma 0.4, each with probability 1",
    ]
    after = view.trials.results[PLAIN]
    assert f"<td>{PLAIN}</td><td><b>{after.on_target:.0%}</b></td>" in view.told.value
    assert "3 steps more" in view.told.value
    assert view.bar.layout.visibility == "hidden"
    assert view.button.description == "Train with it"


def test_an_error_is_said_where_the_scores_stand(
    view: TrialsView, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ct.Problem("no room; free some memory")

    monkeypatch.setattr(Supervised, "step", broken)
    view.button.click()
    tick(view)
    assert "no room; free some memory" in view.told.value
    assert view.button.description == "Train with it"


def test_without_a_learner_there_is_no_button(study: Study) -> None:
    assert AugmentationView(ct.AugmentationLab(study)).trials is None
