import math
import signal

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from learning import assert_same_state, run
from torch import nn

from cdseg_teach.methods import Adversarial, Supervised, estimate
from cdseg_teach.methods.supervised import segmentation_loss
from cdseg_teach.problems import Problem


@pytest.fixture(scope="module")
def trained(study):
    learner = Supervised(study.source.train, schedule_steps=60, learning_rate=1e-2)
    run(learner, 60)
    return learner


def test_it_learns_the_source(study, trained):
    subject = study.source.test[0]
    predicted = trained.predict(subject.image)
    overlap = 2 * (predicted & subject.label).sum() / (predicted.sum() + subject.label.sum())
    assert overlap > 0.8


def test_reports_are_floats(study):
    (report,) = run(Supervised(study.source.train), 1)
    assert report.keys() == {"loss_seg", "learning_rate"}
    assert all(math.isfinite(value) for value in report.values())
    assert report["learning_rate"] == pytest.approx(3e-3 / 60)


def test_same_seed_same_run_and_another_seed_another(study):
    a, b, c = (Supervised(study.source.train, seed=seed) for seed in (4, 4, 5))
    before = torch.get_rng_state()
    for learner in (a, b, c):
        run(learner, 3)
    assert torch.equal(torch.get_rng_state(), before)
    assert_same_state(a, b)
    assert not torch.equal(a.segmenter.head.weight, c.segmenter.head.weight)


@pytest.mark.parametrize("kind", ["supervised", "adversarial"])
def test_continuing_from_a_state_equals_never_having_stopped(study, trained, kind):
    def fresh():
        if kind == "supervised":
            return Supervised(study.source.train, seed=3)
        return Adversarial(study, start_from=trained, seed=3)

    whole, stopped, restored = fresh(), fresh(), fresh()
    reports = run(whole, 8)
    run(stopped, 5)
    state = stopped.state_dict()
    run(stopped, 2)
    # Into a new learner, and back in time into one that went on.
    for learner in (restored, stopped):
        learner.load_state_dict(state)
        assert learner.steps_done == 5
        assert run(learner, 3) == reports[5:]
        assert_same_state(learner, whole)


def test_start_from_copies_and_never_changes_the_learner_it_was_given(study, trained):
    before = trained.state_dict()
    other = Supervised(study.source.train, start_from=trained, seed=1)
    assert_same_state(other, trained)
    assert other.steps_done == 0
    run(other, 3)
    after = trained.state_dict()
    for part in ("segmenter", "averaged"):
        assert all(torch.equal(before[part][name], after[part][name]) for name in before[part])
    assert not torch.equal(other.segmenter.head.weight, trained.segmenter.head.weight)


def test_average_follows_its_formula_buffers_included(study):
    learner = Supervised(study.source.train, averaging=0.15)
    for decay in (0.1, 0.15):  # 1 / 10 at step 0, then 2 / 11 > 0.15
        old = {name: value.clone() for name, value in learner.averaged.state_dict().items()}
        run(learner, 1)
        for name, new in learner.segmenter.state_dict().items():
            expected = decay * old[name] + (1 - decay) * new if new.is_floating_point() else new
            torch.testing.assert_close(learner.averaged.state_dict()[name], expected)


def test_predictions_have_the_contract_shapes_and_change_nothing(study, trained):
    image = study.target.test[0].image
    before = trained.state_dict()["segmenter"]
    for trained.predict_with in ("segmenter", "averaged"):
        for trained.predict_statistics in ("volume", "running"):
            probabilities = trained.predict_probabilities(image)
            assert probabilities.shape == (2, *image.shape[1:])
            assert probabilities.dtype == np.float32
            np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
            predicted = trained.predict(image)
            assert predicted.dtype == np.uint8
            assert np.array_equal(predicted, probabilities.argmax(axis=0))
    after = trained.segmenter.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert trained.segmenter.training


def test_statistics_of_the_volume_are_another_prediction(study, trained):
    image = 2 * study.target.test[0].image + 1
    running = trained.predict_probabilities(image)
    trained.predict_statistics = "volume"
    volume = trained.predict_probabilities(image)
    trained.predict_statistics = "running"
    assert np.abs(running - volume).max() > 0.01


def test_volumes_of_any_size_can_be_predicted(trained):
    image = np.zeros((2, 35, 21, 30), dtype=np.float32)
    assert trained.predict(image).shape == (35, 21, 30)


def test_features_are_pooled_per_slice(study, trained):
    features = trained.features(study.source.test[0].image, ("bottleneck", "decoder1"))
    assert features.shape == (8, 64 + 16)
    assert trained.features(study.source.test[0].image).shape == (8, 16 + 32 + 64 + 32 + 16)


@pytest.mark.parametrize(
    ("volume", "words"),
    [
        (np.zeros((3, 8, 32, 32), np.float32), "3 channels.*expects 2"),
        (np.zeros((2, 32, 32), np.float32), r"\(2, 32, 32\).*\[C, Z, Y, X\]"),
        (np.full((2, 8, 32, 32), np.nan, np.float32), "finite"),
        ("brain.nii.gz", r"\[C, Z, Y, X\]"),
    ],
)
def test_a_volume_that_does_not_fit_is_named(trained, volume, words):
    with pytest.raises(Problem, match=words):
        trained.predict(volume)


def test_unknown_choices_are_named(study, trained):
    learner = Supervised(study.source.train, start_from=trained, predict_with="best")
    with pytest.raises(Problem, match=r"'best'.*'averaged'"):
        learner.predict(study.source.test[0].image)


def test_start_from_and_the_subjects_must_have_the_same_channels(study, trained):
    fewer = study.without_channels([1])
    with pytest.raises(Problem, match=r"2 channels.*1"):
        Supervised(fewer.source.train, start_from=trained)
    with pytest.raises(Problem, match="exclude"):
        Supervised(study.source.train, start_from=trained, segmenter=nn.Conv2d(2, 2, 1))


def test_target_subjects_cannot_be_learned_from_without_asking_for_their_labels(study):
    with pytest.raises(Problem, match="has no label"):
        Supervised(study.target.train)
    Supervised(study.target.labelled_train)


def test_loss_against_its_formula():
    logits = torch.randn(2, 3, 4, 4)
    labels = torch.randint(3, (2, 4, 4))
    p = logits.softmax(1)
    dice = []
    for k in (1, 2):
        t = (labels == k).float()
        dice.append((2 * (p[:, k] * t).sum() + 1) / (p[:, k].sum() + t.sum() + 1))
    expected = F.cross_entropy(logits, labels) + 1 - sum(dice) / 2
    torch.testing.assert_close(segmentation_loss(logits, labels), expected)


def test_an_interrupt_waits_for_the_end_of_its_step(study, monkeypatch):
    stopped, whole = (Supervised(study.source.train) for _ in range(2))
    draw = stopped.source.draw

    def stop_button():
        if stopped.steps_done == 2:
            signal.raise_signal(signal.SIGINT)
        return draw()

    monkeypatch.setattr(stopped.source, "draw", stop_button)
    with pytest.raises(KeyboardInterrupt):
        run(stopped, 10)
    assert stopped.steps_done == 3
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    stopped.predict(study.source.test[0].image)
    run(stopped, 1)
    run(whole, 4)
    assert_same_state(stopped, whole)


def test_constant_learning_rate(study):
    learner = Supervised(study.source.train, schedule_steps=None, learning_rate=1e-3)
    assert {report["learning_rate"] for report in run(learner, 3)} == {1e-3}


def test_an_estimate_is_made_of_steps_that_are_undone(study):
    learner, twin = (Supervised(study.source.train, seed=3) for _ in range(2))
    assert estimate(learner, 100) > 0
    assert learner.steps_done == 0
    assert learner.step() == twin.step()
