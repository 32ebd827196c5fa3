"""A discriminator that hears the segmenter's output."""

import math

import pytest
import torch
from learning import assert_same_state, run

from cdseg_teach.methods import OutputAdversarial, Supervised
from cdseg_teach.methods.output_adversarial import self_information
from cdseg_teach.methods.schedules import none
from cdseg_teach.problems import Problem


def test_self_information_sums_to_the_entropy():
    uniform = self_information(torch.zeros(1, 4, 2, 2))
    torch.testing.assert_close(uniform, torch.full_like(uniform, math.log(4) / 4))
    logits = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    entropy = torch.distributions.Categorical(logits=logits.movedim(1, -1)).entropy()
    torch.testing.assert_close(self_information(logits).sum(dim=1), entropy)


def test_a_certain_answer_has_no_entropy_and_a_finite_gradient():
    logits = torch.tensor([200.0, 0.0]).reshape(1, 2, 1, 1).requires_grad_()
    said = self_information(logits)
    said.sum().backward()
    assert said.abs().max() == 0
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("hears", ["probabilities", "self_information"])
def test_alpha_zero_equals_train_on_s_bit_for_bit(study, hears):
    plain = Supervised(study.source.train, seed=3)
    adapted = OutputAdversarial(study, seed=3, alpha=0, hears=hears)
    for learner in (plain, adapted):
        run(learner, 5)
    assert_same_state(plain, adapted)


@pytest.mark.parametrize("joint_batch", [False, True])
def test_the_output_moves_the_segmenter_when_alpha_is_not_zero(study, joint_batch):
    weights = []
    for alpha in (0.0, 1.0):
        options = {"alpha": alpha, "warm_up": none(), "joint_batch": joint_batch}
        learner = OutputAdversarial(study, **options)
        run(learner, 2)
        weights.append(torch.cat([p.detach().ravel() for p in learner.segmenter.parameters()]))
    assert not torch.allclose(*weights)


def test_features_can_be_heard_as_well(study):
    alone, both = (OutputAdversarial(study, with_features=also) for also in (False, True))
    taps = len(alone.segmenter.taps)
    assert [len(learner.discriminator.listen) for learner in (alone, both)] == [1, taps + 1]
    assert alone.discriminator.listen[0].in_channels == 4 * 2  # 2 classes, 2 x 2 pixels
    assert run(both, 1)[0]["loss_adv"] == pytest.approx(math.log(2), abs=0.2)


def test_it_learns_to_tell_the_outputs_apart(study):
    learner = OutputAdversarial(study, players="discriminator", schedule_steps=None)
    losses = [report["loss_adv"] for report in run(learner, 30)]
    assert losses[-1] < losses[0]


def test_an_unknown_output_is_named(study):
    with pytest.raises(Problem, match="'logits' is not one of 'probabilities'"):
        OutputAdversarial(study, hears="logits")
