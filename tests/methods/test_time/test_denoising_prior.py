import numpy as np
import pytest
import torch
from torch import nn

from cdseg_teach.methods.test_time import DenoisingPrior, train_denoiser
from cdseg_teach.methods.test_time.denoising_prior import Normaliser, RadialBasis


class Always(nn.Module):
    """A denoiser that knows the answer, and counts how often it is asked."""

    def __init__(self, label):
        super().__init__()
        truth = torch.from_numpy(label).long()
        self.logits = 20.0 * nn.functional.one_hot(truth, 2).movedim(-1, 1)
        self.asked = 0

    def forward(self, probabilities):
        self.asked += 1
        assert not torch.is_grad_enabled()
        return self.logits


def test_without_a_step_it_is_the_learner_itself(learner, image):
    method = DenoisingPrior(learner, denoiser=nn.Identity(), steps=0)
    expected = learner.predict_probabilities(image)
    assert np.array_equal(method.predict_probabilities(image), expected)


def test_only_the_normaliser_moves(learner, image):
    run = DenoisingPrior(learner, denoiser=nn.Identity()).begin(image)
    for _ in range(3):
        run.step()
    segmenter, normaliser = run.network.segmenter, run.network.normaliser
    for name, value in learner.averaged.state_dict().items():
        assert torch.equal(value, segmenter.state_dict()[name])
    assert run.moving == sum(p.numel() for p in normaliser.parameters())
    assert not torch.equal(normaliser(run.slices), run.slices)


def test_the_normaliser_is_small_and_begins_as_the_identity():
    normaliser = Normaliser(5)
    x = torch.randn(2, 5, 8, 8)
    assert torch.equal(normaliser(x), x)
    weights = 9 * (5 * 16 + 16 * 16 + 16 * 5) + 16 + 16 + 5 + 2 * 16
    assert sum(p.numel() for p in normaliser.parameters()) == weights


def test_radial_basis_against_its_formula():
    layer = RadialBasis(3)
    x = torch.randn(2, 3, 4, 4) / 10
    torch.testing.assert_close(layer(x), torch.exp(-(x**2) / layer.scale**2))


def test_it_goes_where_the_denoiser_points(study, learner):
    subject = study.target.test[0]
    teacher = Always(subject.label)
    run = DenoisingPrior(learner, denoiser=teacher).begin(subject.image)
    losses = [run.step()["loss"] for _ in range(25)]
    assert losses[-1] < losses[0] - 0.05
    assert teacher.asked == 3  # at steps 0, 10 and 20


def test_the_loss_is_one_minus_the_dice_over_the_volume(study, learner):
    subject = study.target.test[0]
    run = DenoisingPrior(learner, denoiser=Always(subject.label)).begin(subject.image)
    p = run.predict_probabilities()[1]
    dice = (2 * (p * subject.label).sum() + 1) / (p.sum() + subject.label.sum() + 1)
    assert run.step()["loss"] == pytest.approx(1 - dice, abs=1e-4)


def test_the_denoiser_learns_from_the_learner_s_own_labels(learner, monkeypatch):
    seen = {}

    def spy(labels, n_classes, **options):
        seen.update(labels=labels, n_classes=n_classes, **options)
        return train_denoiser(labels, n_classes, steps=1)

    monkeypatch.setattr("cdseg_teach.methods.test_time.denoising_prior.train_denoiser", spy)
    DenoisingPrior(learner, seed=3)
    assert np.array_equal(seen["labels"], learner.source.labels.numpy())
    assert (seen["n_classes"], seen["seed"]) == (2, 3)


def test_another_seed_another_normaliser(learner, image):
    first, second = (
        DenoisingPrior(learner, denoiser=nn.Identity(), seed=seed).begin(image).network.normaliser
        for seed in (0, 1)
    )
    assert not torch.equal(first.change[0].weight, second.change[0].weight)
