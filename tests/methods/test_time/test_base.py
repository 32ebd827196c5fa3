"""What all methods have in common."""

import copy

import numpy as np
import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook

import cdseg_teach as ct
from cdseg_teach.methods import learner as learning
from cdseg_teach.methods.test_time import train_denoiser
from cdseg_teach.problems import Problem

NAMES = ["BatchStatistics", "Tent", "ClassPrior", "DenoisingPrior"]


@pytest.fixture(scope="module")
def make(learner):
    denoiser = train_denoiser(learner.source.labels.numpy(), 2, steps=5)

    def method(name, **options):
        if name == "DenoisingPrior":
            options = {"denoiser": denoiser, "steps": 3} | options
        elif name != "BatchStatistics":
            options = {"steps": 3} | options
        return getattr(ct, name)(learner, **options)

    return method


def everything(learner):
    """Whatever could be changed: weights, buffers, optimiser, modes, gradients."""
    networks = (learner.segmenter, learner.averaged)
    modules = [module for network in networks for module in network.modules()]
    parameters = [p for network in networks for p in network.parameters()]
    return copy.deepcopy(
        {
            "state": learner.state_dict(),
            "training": [module.training for module in modules],
            "hooks": [len(module._forward_pre_hooks) for module in modules],
            "requires_grad": [p.requires_grad for p in parameters],
            "grad": [p.grad for p in parameters],
        }
    )


def assert_unchanged(before, after):
    torch.testing.assert_close(after, before, rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_the_learner_it_was_given_is_never_changed(learner, image, make, name):
    before, random = everything(learner), torch.get_rng_state()
    make(name).predict(image)
    run = make(name).begin(image)
    run.step()
    assert_unchanged(before, everything(learner))
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize("name", NAMES)
def test_nor_when_an_exception_interrupts(learner, image, make, name):
    before = everything(learner)
    method = make(name)

    def stop(module, inputs, output):
        if isinstance(module, torch.nn.LeakyReLU):
            raise KeyboardInterrupt

    handle = register_module_forward_hook(stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            method.predict(image)
    finally:
        handle.remove()
    assert_unchanged(before, everything(learner))
    method.predict(image)


@pytest.mark.parametrize("name", NAMES)
def test_predictions_are_those_of_a_learner_in_form(image, make, name):
    probabilities = make(name).predict_probabilities(image)
    assert probabilities.shape == (2, *image.shape[1:])
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    predicted = make(name).predict(image)
    assert predicted.dtype == np.uint8
    assert np.array_equal(predicted, probabilities.argmax(axis=0))


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_evaluated_as_a_learner(study, make, name):
    rows = ct.evaluate(make(name), study.target.test, study.target.structures)
    assert len(rows) == 2
    assert rows["dsc"].between(0, 1).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_twice(image, make, name):
    first, second = (make(name).predict_probabilities(image) for _ in range(2))
    assert np.array_equal(first, second)


def test_a_slow_answer_has_a_bar_unless_it_is_not_wanted(learner, image, monkeypatch):
    asked = []

    def noting(todo, *, disable, unit, delay):
        asked.append((len(todo), disable, delay))
        return todo

    monkeypatch.setattr(learning, "tqdm", noting)
    ct.Tent(learner, steps=2).predict(image)
    ct.Tent(learner, steps=3, progress=False).predict(image)
    assert asked == [(2, False, 2), (3, True, 2)]


@pytest.mark.parametrize("name", NAMES[1:])
def test_step_by_step_is_the_same_as_at_once(image, make, name):
    method = make(name)
    run = method.begin(image)
    reports = list(ct.steps(run, 3, progress=False))
    assert run.steps_done == 3
    assert run.moving > 0
    assert np.array_equal(run.predict_probabilities(), method.predict_probabilities(image))
    assert np.array_equal(run.predict(), method.predict(image))
    for report in reports:
        assert "entropy" in report
        assert all(type(value) is float for value in report.values())


@pytest.mark.parametrize("name", NAMES[1:])
def test_before_lags_one_update_behind_after(image, make, name):
    before = make(name, steps=4, predict_from="before").predict_probabilities(image)
    after = make(name, steps=3).predict_probabilities(image)
    np.testing.assert_allclose(before, after, atol=1e-6)
    assert not np.allclose(before, make(name, steps=4).predict_probabilities(image), atol=1e-6)


@pytest.mark.parametrize("name", NAMES[1:])
def test_before_and_after_are_one_without_a_step(image, make, name):
    before, after = (
        make(name, steps=0, predict_from=choice).predict_probabilities(image)
        for choice in ("before", "after")
    )
    assert np.array_equal(before, after)


@pytest.mark.parametrize("name", NAMES[1:])
def test_episodic_forgets_the_volume_before_and_online_does_not(study, make, name):
    one, other = (subject.image for subject in study.target.test)
    alone = make(name).predict_probabilities(other)
    episodic = make(name)
    episodic.predict(one)
    assert np.array_equal(episodic.predict_probabilities(other), alone)

    online = make(name, episodic=False)
    first = online.predict_probabilities(one)
    assert np.array_equal(first, make(name).predict_probabilities(one))
    assert not np.array_equal(online.predict_probabilities(other), alone)
    online.reset()
    assert np.array_equal(online.predict_probabilities(one), first)


def test_online_goes_on_where_it_was_with_its_optimiser(image, make):
    online = make("Tent", episodic=False, steps=2)
    online.predict(image)
    whole = make("Tent", steps=4).predict_probabilities(image)
    assert np.array_equal(online.predict_probabilities(image), whole)


def test_it_adapts_inside_no_grad_too(image, make):
    with torch.no_grad():
        inside = make("Tent").predict_probabilities(image)
    assert np.array_equal(inside, make("Tent").predict_probabilities(image))


def test_it_copies_the_network_that_predicts_when_a_run_begins(study, image):
    learner = ct.Supervised(study.source.train, averaging=0.9)
    method = ct.Tent(learner, steps=1)
    fresh = method.predict_probabilities(image)
    learner.step()
    averaged = method.predict_probabilities(image)
    learner.predict_with = "segmenter"
    own = method.predict_probabilities(image)
    assert not np.array_equal(fresh, averaged)
    assert not np.array_equal(averaged, own)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": -1}, "-1 steps"),
        ({"steps": 2.5}, r"2\.5 steps"),
        ({"learning_rate": 0}, "learning_rate 0"),
        ({"predict_from": "now"}, "'now'.*'after', 'before'"),
    ],
)
def test_what_is_no_setting_is_named(learner, options, words):
    with pytest.raises(Problem, match=words):
        ct.Tent(learner, **options)


def test_a_volume_that_does_not_fit_is_named(learner):
    with pytest.raises(Problem, match=r"3 channels.*expects 2"):
        ct.Tent(learner).predict(np.zeros((3, 8, 32, 32), np.float32))
