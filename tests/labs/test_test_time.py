"""The test-time lab without a browser: the methods' own steps, and what its controls do to it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from learning import run

import cdseg_teach as ct
from cdseg_teach.cohorts.study import Study
from cdseg_teach.evaluation import calibration_error, evaluate
from cdseg_teach.labs import test_time as model
from cdseg_teach.labs.test_time_view import TestTimeView
from cdseg_teach.methods import Supervised
from cdseg_teach.methods.test_time import train_denoiser
from cdseg_teach.problems import Problem


@pytest.fixture(scope="module")
def learner(study: Study) -> Supervised:
    learner = Supervised(study.source.train, schedule_steps=40, learning_rate=1e-2, device="cpu")
    run(learner, 40)
    return learner


@pytest.fixture(scope="module")
def denoiser(learner: Supervised) -> torch.nn.Module:
    return train_denoiser(learner.source.labels.numpy(), 2, steps=3)


@pytest.fixture
def lab(study: Study, learner: Supervised, denoiser: torch.nn.Module) -> ct.TestTimeLab:
    return ct.TestTimeLab(learner, study, denoiser=denoiser)


@pytest.fixture
def view(lab: ct.TestTimeLab) -> Iterator[TestTimeView]:
    view = TestTimeView(lab)
    yield view
    view.widget.close()


def tick(view: TestTimeView, times: int = 1) -> None:
    """Let the browser's clock tick."""
    for _ in range(times):
        message = {"kind": "tick", "generation": view.clock.generation, "number": view.clock.number}
        view.clock._answer(view.clock, message, [])


METHODS = {
    "batch statistics": (ct.BatchStatistics, {"source_weight": 0.3}),
    "TENT": (ct.Tent, {"learning_rate": 0.01, "parameters": "all"}),
    "class prior": (ct.ClassPrior, {"learning_rate": 0.01, "predict_from": "before"}),
    "denoising prior": (ct.DenoisingPrior, {"learning_rate": 0.01}),
}


@pytest.mark.parametrize("name", METHODS)
def test_its_steps_are_the_methods_own(
    lab: ct.TestTimeLab, denoiser: torch.nn.Module, study: Study, name: str
) -> None:
    kind, options = METHODS[name]
    extra: dict[str, Any] = {"denoiser": denoiser} if name == "denoising prior" else {}
    subject = study.target.test[1]
    adapting = kind(lab.learner, **options, **extra).begin(subject.image)
    reports = [adapting.step() for _ in range(3)]

    lab.choose(subject=subject.name, method=name, **options)
    lab.run(3)
    assert [{key: r[key] for key in reports[0]} for r in lab.player.history] == reports
    expected = adapting.predict_probabilities()
    assert np.array_equal(lab.frames[-1].mask, expected.argmax(axis=0)[lab.slice])
    assert lab.frames[-1].calibration_error == calibration_error(
        expected, subject.label, near_mm=model.NEAR_MM, spacing_mm=subject.spacing_mm
    )


def test_the_clock_gives_the_same_numbers(
    lab: ct.TestTimeLab, view: TestTimeView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdseg_teach.labs.stepped_view.TICK_S", 0.0)
    headless = ct.TestTimeLab(lab.learner, lab.study)
    headless.run(4)
    view.play.click()
    tick(view, 4)
    assert list(lab.player.history) == list(headless.player.history)


def test_what_is_seen_is_measured_on_the_prediction_that_is_shown(lab: ct.TestTimeLab) -> None:
    lab.choose(predict_from="before", learning_rate=0.01)
    lab.run(3)
    for look, report in zip(lab.frames[1:], lab.player.history, strict=True):
        assert look.entropy == pytest.approx(report["entropy"], rel=1e-4)
    rows = evaluate(lab.learner, [lab.subject], lab.study.target.structures)
    assert lab.before.dsc == rows["dsc"].mean()
    assert model.predicted_from(lab, 3) == "before update 3"
    lab.choose(predict_from="after")
    assert model.predicted_from(lab, 0) == "without an update"
    lab.run(2)
    assert model.predicted_from(lab, 2) == "after update 2"


def test_the_learner_is_unchanged_and_reset_begins_with_it_again(lab: ct.TestTimeLab) -> None:
    weights = lab.learner.state_dict()
    first = lab.frames[0]
    lab.choose(learning_rate=0.1, parameters="all")
    lab.run(3)
    torch.testing.assert_close(lab.learner.state_dict(), weights, rtol=0, atol=0)
    lab.reset()
    assert (lab.step_count, list(lab.player.history), len(lab.frames)) == (0, [], 1)
    assert np.array_equal(lab.frames[0].mask, first.mask)
    assert lab.frames[0].entropy == first.entropy


def test_a_large_learning_rate_collapses_and_the_lab_says_so() -> None:
    one = {"train": 1, "validation": 1, "test": 1}
    study = ct.brain_study(seed=0, sizes=one)
    lab = ct.TestTimeLab(ct.lecture_pack().checkpoint(study), study, learning_rate=0.1)
    view = TestTimeView(lab)
    assert "Collapsed" not in view.told.value
    lab.run(10)
    first, last = lab.frames[0], lab.frames[-1]
    assert last.foreground == 0 < lab.before.foreground
    assert last.entropy < 0.1 * first.entropy
    assert last.dsc == 0 < first.dsc
    assert last.calibration_error > first.calibration_error
    assert "Collapsed: every voxel is background" in view.told.value
    assert "Collapsed" in lab.still()[1]
    view.widget.close()


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"subject": "nobody"}, "subject"),
        ({"method": "prayer"}, "method"),
        ({"parameters": "some"}, "parameters"),
        ({"learning_rate": 0.0}, "learning_rate"),
    ],
)
def test_a_wrong_choice_leaves_the_run_as_it_is(
    lab: ct.TestTimeLab, wrong: dict[str, Any], what: str
) -> None:
    lab.run(2)
    before = repr(lab)
    with pytest.raises(Problem, match=what):
        lab.choose(**wrong)
    assert repr(lab) == before
    assert len(lab.frames) == 3


def test_beyond_its_memory_every_second_look_goes(
    lab: ct.TestTimeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "KEEP", 4)
    lab.choose(method="batch statistics")
    lab.run(6)
    assert [look.step for look in lab.frames] == [0, 4, 6]


def test_structures_that_are_taken_for_one_another_are_seen(lab: ct.TestTimeLab) -> None:
    source, target = copy(lab.study.source), copy(lab.study.target)
    source.structures = target.structures = ("LV", "RV")
    lab.study = replace(lab.study, source=source, target=target)
    mask = np.zeros(lab.frames[0].mask.shape, np.uint8)
    mask[4:12, 4:12], mask[18:26, 18:26] = 1, 2
    look = replace(lab.frames[0], mask=mask)
    swapped = replace(look, mask=np.choose(mask, (0, 2, 1)).astype(np.uint8))
    assert (model.shown_slice(lab, look) != model.shown_slice(lab, swapped)).any()
    (named,) = model._picture(lab).legends
    assert [text.get_text() for text in named.get_texts()] == ["LV", "RV"]
    view = TestTimeView(lab)
    assert "<b>RV</b>" in view.legend.value
    view.widget.close()


def test_the_denoiser_is_trained_once_when_first_needed(
    study: Study, learner: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[int] = []

    def train(learner: Supervised, *, progress: Any) -> torch.nn.Module:
        trained.extend(progress(range(3)))
        return torch.nn.Identity()

    monkeypatch.setattr(model, "denoiser_of", train)
    lab = ct.TestTimeLab(learner, study)
    view = TestTimeView(lab)
    assert trained == []
    view.controls["method"].value = "denoising prior"
    lab.choose(subject=study.target.test[1].name)
    assert trained == [0, 1, 2]
    assert view.bar.value == 3
    assert view.bar.layout.display == "none"
    shared = ct.TestTimeLab(learner, study, denoiser=lab.denoiser, method="denoising prior")
    assert shared.denoiser is lab.denoiser
    view.widget.close()


def test_controls_begin_a_new_run_and_show_what_the_method_has(view: TestTimeView) -> None:
    lab, controls = view.lab, view.controls
    lab.run(2)
    controls["learning_rate"].value = 0.1
    assert (lab.settings.learning_rate, lab.step_count) == (0.1, 0)
    controls["method"].value = "batch statistics"
    assert controls["parameters"].disabled
    assert not controls["source_weight"].disabled
    controls["source_weight"].value = 1.0
    assert lab.frames[0].entropy == lab.before.entropy  # the learner as it is
    lab.choose(method="TENT", learning_rate=0.02)  # from code: no value of the slider
    assert controls["learning_rate"].value == 0.02
    assert not lab.player.playing


def test_play_pauses_after_the_chosen_steps_and_goes_on_when_pressed_again(
    view: TestTimeView,
) -> None:
    lab = view.lab
    view.steps.value = 5
    assert (lab.steps, lab.step_count) == (5, 0)
    for pauses_at in (5, 10):
        view.play.click()
        while lab.player.playing:
            tick(view)
        assert lab.step_count == pauses_at
    lab.steps = 7  # from code: no value of the list
    view.refresh(now=True)
    assert view.steps.value == 7
    with pytest.raises(Problem, match="0 steps"):
        lab.steps = 0


def test_a_block_of_the_network_can_move_alone(view: TestTimeView) -> None:
    lab = view.lab
    view.controls["parameters"].value = "decoder1"
    lab.run(1)
    assert lab.settings.parameters == "decoder1"
    begun, moved = lab.learner.predictor.state_dict(), lab.adapting.network.state_dict()
    changed = {name for name in begun if not torch.equal(begun[name], moved[name])}
    assert changed
    assert all(name.startswith("decoder1") for name in changed)
    lab.choose(parameters="head")  # from code: no block that a discriminator listens to
    assert view.controls["parameters"].value == "head"


def test_looking_back_shows_the_run_as_it_was(view: TestTimeView) -> None:
    lab = view.lab
    lab.choose(learning_rate=0.1)
    lab.run(5)
    last = view.pictures[1].value
    view.scrub.value = 1
    assert "step <b>1</b>" in view.numbers.value
    assert f"→ {lab.frames[1].entropy:.2g}" in view.numbers.value
    assert view.pictures[1].value != last
    dsc = f"DSC {lab.frames[1].dsc:.0%}"
    assert view.pictures[1].alt.startswith("Slice of T-test-0, prediction after update 1: ")
    assert view.pictures[1].alt.endswith(f"{dsc}.")
    assert view.figure.layout.shapes[-1].visible
    view.step.click()
    assert lab.step_count == 6
    assert not view.figure.layout.shapes[-1].visible


def test_an_error_is_shown_and_the_choice_goes_back(view: TestTimeView) -> None:
    view._try(lambda: view.lab.choose(subject="<nobody>"))
    assert "&lt;nobody&gt;" in view.numbers.value
    assert view.controls["subject"].value == view.lab.settings.subject


def test_one_bundle_with_text_picture_and_view(lab: ct.TestTimeLab) -> None:
    lab.run(2)
    data, metadata = lab._repr_mimebundle_()
    assert data["text/plain"] == (
        "TestTimeLab(toy, T-test-0, TENT, learning_rate=0.001, parameters=norm,"
        " predict_from=after, step 2)"
    )
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == lab.widget.model_id
    assert "Step 2 of TENT" in metadata["image/png"]["alt"]
    lab.widget.close()


def test_in_print_a_run_that_has_not_begun_has_an_axis_of_steps(lab: ct.TestTimeLab) -> None:
    picture = model._picture(lab)
    for axes in picture.axes[:2]:
        low, high = axes.get_xlim()
        assert low < 0 < 10 < high
        assert all(float(tick).is_integer() for tick in axes.get_xticks())


def test_it_says_what_target_labels_are_for(view: TestTimeView) -> None:
    assert "Target labels are used only to look" in view.widget.children[-1].value
    assert all(control.description for control in view.controls.values())
