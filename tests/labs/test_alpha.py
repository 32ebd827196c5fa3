"""The α lab without a browser: what its controls do to it, and what it shows."""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from toy import toy_study

from cdseg_teach import slices
from cdseg_teach.cohorts.study import Study
from cdseg_teach.labs import contrast_view, predict, stepped_view
from cdseg_teach.labs.alpha import (
    CHECKPOINT,
    RECORDED,
    SCRATCH,
    AlphaLab,
    _picture,
    describe,
    shown_slice,
)
from cdseg_teach.labs.alpha_view import AlphaView
from cdseg_teach.methods import Adversarial, OutputAdversarial, Supervised
from cdseg_teach.problems import Problem

FAST = {"batch_size": 2, "device": "cpu", "every": 2}


@pytest.fixture(scope="module")
def checkpoint(study: Study) -> Supervised:
    learner = Supervised(study.source.train, seed=0, batch_size=2, device="cpu")
    for _ in range(5):
        learner.step()
    return learner


@pytest.fixture
def lab(study: Study, checkpoint: Supervised) -> AlphaLab:
    return AlphaLab(study, checkpoint, **FAST)


@pytest.fixture
def view(lab: AlphaLab) -> Iterator[AlphaView]:
    view = AlphaView(lab)
    lab._widget = view.widget
    yield view
    view.widget.close()


def tick(view: AlphaView, times: int = 1) -> None:
    """Let the browser's clock tick."""
    for _ in range(times):
        message = {"kind": "tick", "generation": view.clock.generation, "number": view.clock.number}
        view.clock._answer(view.clock, message, [])


def test_headless_and_clock_give_the_same_numbers(
    study: Study, checkpoint: Supervised, view: AlphaView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdseg_teach.labs.stepped_view.TICK_S", 0.0)
    headless = AlphaLab(study, checkpoint, **FAST)
    headless.run(4)
    view.play.click()
    tick(view, 4)
    assert list(headless.player.history) == list(view.lab.player.history)


def test_the_numbers_are_those_of_the_method(
    study: Study, checkpoint: Supervised, lab: AlphaLab
) -> None:
    adapted = Adversarial(
        study, start_from=checkpoint, alpha=1.0, seed=0, batch_size=2, device="cpu"
    )
    lab.run(3)
    expected = [adapted.step() for _ in range(3)]
    seen = [{key: report[key] for key in expected[0]} for report in lab.player.history]
    assert seen == expected


def test_alpha_holds_from_the_next_step_on_and_resets_nothing(lab: AlphaLab) -> None:
    lab.run(2)
    lab.alpha = 5
    lab.alpha = 7.5
    lab.run(1)
    assert [report["alpha_asked"] for report in lab.player.history] == [1.0, 1.0, 7.5]
    assert lab.step_count == 3


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "much", None])
def test_alpha_has_to_be_a_weight(lab: AlphaLab, value: Any) -> None:
    with pytest.raises(Problem, match="alpha"):
        lab.alpha = value
    assert lab.alpha == 1.0


def test_the_slider_reaches_the_next_step(view: AlphaView) -> None:
    view.play.click()
    view.alpha.value = 30.0
    tick(view)
    view.pause.click()
    assert view.lab.player.history[0]["alpha_asked"] == 30.0
    assert "<b>30</b>" in view.numbers.value


def test_alpha_set_from_code_is_said_when_the_slider_lacks_it(view: AlphaView) -> None:
    view.lab.alpha = 2.5
    view.lab.run(1)
    assert view.alpha.value in (1.0, 3.0)
    assert "2.5" in view.alpha.description
    assert view.lab.alpha == 2.5


def test_warm_up_can_be_switched_while_it_runs(view: AlphaView) -> None:
    view.lab.run(1)
    view.warm_up.value = False
    view.lab.run(1)
    assert [report["alpha"] for report in view.lab.player.history] == [0.0, 1.0]


def test_a_ramp_of_ones_own_is_used_until_the_next_reset(view: AlphaView) -> None:
    lab = view.lab
    lab.learner.warm_up = lambda step: 0.25
    lab.run(1)
    view.warm_up.value = False
    lab.run(1)
    view.warm_up.value = True
    lab.run(1)
    assert [report["alpha"] for report in lab.player.history] == [0.25, 1.0, 0.25]
    lab.reset()
    lab.run(1)
    assert lab.player.history[0]["alpha"] == 0.0


def test_one_player_at_a_time(view: AlphaView) -> None:
    lab = view.lab
    weights = lab.learner.state_dict()
    view.discriminator.click()
    after = lab.learner.state_dict()
    assert all(
        (weights["segmenter"][k] == after["segmenter"][k]).all() for k in weights["segmenter"]
    )
    assert any(
        (weights["discriminator"][k] != after["discriminator"][k]).any()
        for k in weights["discriminator"]
    )
    view.segmenter.click()
    last = lab.learner.state_dict()
    assert all(
        (last["discriminator"][k] == after["discriminator"][k]).all()
        for k in after["discriminator"]
    )
    assert lab.step_count == 2


def test_pause_and_reset_stop_the_clock(view: AlphaView) -> None:
    view.play.click()
    tick(view)
    view.pause.click()
    done = view.lab.step_count
    tick(view)
    assert not view.clock.playing
    assert view.lab.step_count == done
    view.reset.click()
    assert view.lab.step_count == 0
    assert view.scrub.value == 0


def test_fifty_restarts_leave_one_loop(view: AlphaView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdseg_teach.labs.stepped_view.TICK_S", 0.0)
    clock, waiting = view.clock, []
    for _ in range(50):
        view.play.click()
        waiting.append({"kind": "tick", "generation": clock.generation, "number": clock.number})
        view.reset.click()
    view.play.click()
    waiting.append({"kind": "tick", "generation": clock.generation, "number": clock.number})
    for message in waiting:
        clock._answer(clock, message, [])
    assert view.lab.step_count == 1


def test_looking_back_shows_the_run_as_it_was(view: AlphaView) -> None:
    lab = view.lab
    lab.run(6)
    view.refresh(now=True)
    assert (view.scrub.min, view.scrub.max, view.scrub.value) == (0, 6, 6)
    view.scrub.value = 3
    assert "step <b>3</b>" in view.numbers.value
    assert view._drawn_map.step == 2
    assert view.figure.layout.shapes[2].visible
    view.play.click()
    tick(view)
    assert lab.step_count >= 7
    assert not view.figure.layout.shapes[2].visible


def test_a_pinned_run_stays_while_the_next_one_is_drawn(view: AlphaView) -> None:
    view.lab.run(4)
    view.pin.click()
    pinned = [list(trace.y) for trace in view.figure.data[:5]]
    view.alpha.value = 10.0
    view.reset.click()
    view.lab.run(2)
    assert [list(trace.y) for trace in view.figure.data[:5]] == pinned
    assert len(view.figure.data[5].y) == 2
    assert view.figure.data[0].line.dash == "dash"
    view.unpin.click()
    assert len(view.figure.data[0].y) == 0


def test_what_the_segmenter_plays_for_can_be_switched_while_it_runs(view: AlphaView) -> None:
    lab = view.lab
    lab.run(1)
    assert lab.learner.objective == "reversal"
    view.flipped.value = True
    lab.run(1)
    assert (lab.learner.objective, lab.step_count) == ("flipped", 2)
    lab.objective = "reversal"
    lab.run(1)
    assert not view.flipped.value


def test_a_lab_of_another_kind_of_game(study: Study) -> None:
    lab = AlphaLab(study, kind=OutputAdversarial, **FAST)
    lab.run(1)
    assert isinstance(lab.learner, OutputAdversarial)


def test_starts_and_the_joint_batch_begin_a_new_run(view: AlphaView) -> None:
    lab = view.lab
    assert lab.starts == [CHECKPOINT, SCRATCH]
    lab.run(1)
    view.start.value = SCRATCH
    assert (lab.start, lab.step_count) == (SCRATCH, 0)
    lab.run(1)
    view.joint.value = True
    assert lab.learner.joint_batch
    assert lab.step_count == 0
    with pytest.raises(Problem, match="start"):
        lab.reset("the moon")


def test_goes_on_from_the_middle_of_a_recorded_run(
    study: Study, checkpoint: Supervised, lab: AlphaLab
) -> None:
    lab.run(3)
    state = lab.learner.state_dict()
    lab.run(2)
    recorded = lab.recording()  # goes on beyond the state: the lab opens in its middle
    again = AlphaLab(study, checkpoint, recorded=recorded, resume=state, **FAST)
    assert again.start == RECORDED
    assert again.step_count == 3
    lab.run(1)
    again.run(3)
    # The recording keeps numbers in single precision.
    for one, other in zip(lab.player.history, again.player.history, strict=True):
        assert one == pytest.approx(other, rel=1e-6)
    assert [frame.step for frame in again.frames] == [frame.step for frame in lab.frames]
    with pytest.raises(Problem, match="belong together"):
        AlphaLab(study, checkpoint, recorded=recorded, **FAST)
    with pytest.raises(Problem, match="the run's own study"):
        AlphaLab(toy_study(size=24), recorded=recorded, resume=state, **FAST)


def test_the_picture_says_what_it_shows(view: AlphaView) -> None:
    view.lab.run(2)
    told = describe(view.lab, view.lab.frames[-1])
    assert view.picture.alt == f"A slice of T with prediction and truth. {told}"


def test_an_error_is_shown_and_pauses(view: AlphaView, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> dict[str, float]:
        raise RuntimeError("no <memory>")

    monkeypatch.setattr(view.lab.learner, "step", fail)
    view.play.click()
    tick(view)
    assert "no &lt;memory&gt;" in view.numbers.value
    assert not view.clock.playing


def test_one_bundle_with_text_picture_and_view(lab: AlphaLab) -> None:
    lab.run(2)
    data, metadata = lab._repr_mimebundle_()
    assert data["text/plain"] == "AlphaLab(toy, seed 0, alpha=1, step 2)"
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == lab.widget.model_id
    assert "Step 2" in metadata["image/png"]["alt"]


def test_controls_have_names_and_labels_are_spoken_of(view: AlphaView) -> None:
    controls = (
        view.alpha,
        view.scrub,
        view.start,
        view.warm_up,
        view.flipped,
        view.joint,
        view.channel,
        view.play,
        view.pin,
    )
    assert all(control.description for control in controls)
    text = view.widget.children[-1].value
    assert "Target labels are used only to look" in text
    assert "principal components" in text


def test_several_structures_have_colours_and_names(
    study: Study, checkpoint: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cohort in (study.source, study.target):
        monkeypatch.setattr(cohort, "structures", ("LV", "RV"))
    lab = AlphaLab(study, checkpoint, **FAST)
    everywhere = dataclasses.replace(lab.frames[0], mask=np.full_like(lab.frames[0].mask, 2))
    red, _, blue = shown_slice(lab, everywhere).mean(axis=(0, 1))
    assert slices.STRUCTURES[1] == slices.BLUE
    assert blue > 2 * red
    view = AlphaView(lab)
    assert "<b>RV</b>" in view.legend.value
    assert "full line" not in view.legend.value
    view.widget.close()
    named = [text.get_text() for text in _picture(lab).legends[0].get_texts()]
    assert named == ["LV", "RV"]


def test_no_style_breaks_a_name_at_the_end_of_a_line() -> None:
    """A line that is broken within `white-space` or `.cdseg-lab` takes its rule away."""
    for style in (stepped_view.STYLE, contrast_view.STYLE, predict.STYLE):
        assert not re.search(r"-\s", style)


def test_without_a_kernel_the_picture_is_what_is_seen(lab: AlphaLab) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbconvert = pytest.importorskip("nbconvert")
    data, metadata = lab._repr_mimebundle_()
    output = nbformat.v4.new_output("execute_result", data, metadata=metadata, execution_count=1)
    cell = nbformat.v4.new_code_cell("lab", outputs=[output], execution_count=1)
    page, _ = nbconvert.HTMLExporter(template_name="classic").from_notebook_node(
        nbformat.v4.new_notebook(cells=[cell])
    )
    assert "<img" in page
    assert metadata["image/png"]["alt"] in page
