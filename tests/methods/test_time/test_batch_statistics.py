import numpy as np
import pytest
import torch
from torch import nn

from cdseg_teach.methods import Supervised
from cdseg_teach.methods.normalisation import mixed_statistics
from cdseg_teach.methods.test_time import BatchStatistics, Tent
from cdseg_teach.networks import UNet
from cdseg_teach.problems import Problem


def test_weight_one_is_the_learner_itself(learner, image):
    found = BatchStatistics(learner, source_weight=1).predict_probabilities(image)
    assert np.array_equal(found, learner.predict_probabilities(image))


def test_weight_zero_is_the_volume_s_own_statistics(learner, image, monkeypatch):
    monkeypatch.setattr(learner, "predict_statistics", "volume")
    expected = learner.predict_probabilities(image)
    found = BatchStatistics(learner).predict_probabilities(image)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_means_and_variances_are_mixed(weight):
    x = 3 * torch.randn(4, 2, 5, 6) + 1
    layer = nn.BatchNorm2d(2)
    layer.running_mean, layer.running_var = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 4.0])
    values = x.movedim(1, 0).flatten(1)
    mean = weight * layer.running_mean + (1 - weight) * values.mean(1)
    variance = weight * layer.running_var + (1 - weight) * values.var(1, correction=0)
    expected = (x - mean[:, None, None]) / (variance[:, None, None] + layer.eps).sqrt()
    with mixed_statistics(layer, weight):
        torch.testing.assert_close(layer(x), expected)


def test_each_layer_sees_what_the_mixture_before_it_left():
    first, second = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    net = nn.Sequential(first, second)
    x = 5 * torch.randn(3, 2, 4, 4) + 2
    with mixed_statistics(net, 0.5):
        between = first(x)
        mean = 0.5 * between.mean((0, 2, 3))
        net(x)
        torch.testing.assert_close(second.running_mean, mean)


def test_steps_measure_and_change_nothing(learner, image):
    run = BatchStatistics(learner).begin(image)
    before = run.predict_probabilities()
    assert run.step() == run.step()
    assert run.moving == 0
    assert np.array_equal(run.predict_probabilities(), before)
    p = before.astype(np.float64)
    assert run.step()["entropy"] == pytest.approx(-(p * np.log(p)).sum(0).mean(), rel=1e-3)


def test_tent_without_a_step_is_batch_statistics(learner, image):
    tent = Tent(learner, steps=0).predict_probabilities(image)
    batch = BatchStatistics(learner).predict_probabilities(image)
    np.testing.assert_allclose(tent, batch, atol=1e-5)


def test_what_cannot_be_replaced_is_named(study, learner, image):
    with pytest.raises(Problem, match=r"source_weight 1\.5"):
        BatchStatistics(learner, source_weight=1.5)
    without = Supervised(study.source.train, segmenter=UNet(2, 2, norm="group"))
    with pytest.raises(Problem, match="no batch-norm layer"):
        BatchStatistics(without).predict(image)
