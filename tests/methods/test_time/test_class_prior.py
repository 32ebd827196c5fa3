import numpy as np
import pytest
import torch

from cdseg_teach.methods.test_time import ClassPrior, Tent, class_ratio
from cdseg_teach.methods.test_time.class_prior import ratio_divergence
from cdseg_teach.problems import Problem


def test_divergence_against_its_formula():
    logits = torch.randn(4, 3, 5, 6)
    prior = torch.tensor([0.7, 0.2, 0.1])
    ratio = logits.softmax(1).mean(dim=(0, 2, 3))
    expected = torch.distributions.kl_divergence(
        torch.distributions.Categorical(ratio), torch.distributions.Categorical(prior)
    )
    torch.testing.assert_close(ratio_divergence(logits, prior), expected)


def test_divergence_of_the_expected_ratio_is_zero_and_of_everything_background_a_logarithm():
    prior = torch.tensor([0.9, 0.1])
    expected = prior.log()[None, :, None, None].expand(2, 2, 4, 4)
    assert ratio_divergence(expected, prior).item() == pytest.approx(0, abs=1e-6)
    background = torch.tensor([500.0, 0.0])[None, :, None, None].expand(2, 2, 4, 4)
    assert ratio_divergence(background, prior).item() == pytest.approx(-np.log(0.9), rel=1e-5)


def test_a_class_that_s_never_shows_costs_much_but_not_everything():
    undecided = torch.zeros(1, 2, 4, 4)
    assert 10 < ratio_divergence(undecided, torch.tensor([1.0, 0.0])).item() < 12


def test_the_prior_is_that_of_the_source_labels(study, learner):
    share = np.mean([subject.label.mean() for subject in study.source.train])
    np.testing.assert_allclose(ClassPrior(learner).prior, [1 - share, share])
    assert class_ratio(np.array([[0, 0], [2, 0]]), 4).tolist() == [0.75, 0, 0.25, 0]


def test_weight_zero_is_tent(learner, image):
    without = ClassPrior(learner, prior_weight=0, steps=3).predict_probabilities(image)
    assert np.array_equal(without, Tent(learner, steps=3).predict_probabilities(image))


def test_another_prior_pulls_towards_its_amount(learner, image):
    few, many = (
        ClassPrior(learner, prior=[1 - share, share], prior_weight=10, learning_rate=1e-2)
        .predict_probabilities(image)[1]
        .mean()
        for share in (0.01, 0.3)
    )
    assert many > few + 0.02


def test_the_report_adds_up(learner, image):
    report = ClassPrior(learner, prior_weight=2).begin(image).step()
    assert report["loss"] == pytest.approx(report["entropy"] + 2 * report["prior_divergence"])


@pytest.mark.parametrize("prior", [[1.0], [0.5, 0.6], [1.5, -0.5], [0.2, 0.3, 0.5]])
def test_what_is_no_prior_is_named(learner, prior):
    with pytest.raises(Problem, match="no class ratio; give 2 shares"):
        ClassPrior(learner, prior=prior)


def test_what_is_no_weight_is_named(learner):
    with pytest.raises(Problem, match="prior_weight -1"):
        ClassPrior(learner, prior_weight=-1)
