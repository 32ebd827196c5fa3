import inspect
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from learning import assert_same_state, run
from torch import nn

from cdseg_teach.methods import Adversarial, Learner, Supervised
from cdseg_teach.methods.adversarial import cross_entropy
from cdseg_teach.methods.schedules import linear, none
from cdseg_teach.methods.supervised import segmentation_loss
from cdseg_teach.problems import Problem


@pytest.fixture(scope="module")
def trained(study):
    learner = Supervised(study.source.train, schedule_steps=40)
    run(learner, 40)
    return learner


def full(study, trained, **options):
    return Adversarial(study, start_from=trained, warm_up=none(), **options)


def snapshot(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def changed(network, before):
    after = network.state_dict()
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("from_scratch", [False, True])
@pytest.mark.parametrize("target_statistics", ["batch", "source"])
def test_alpha_zero_equals_train_on_s_bit_for_bit(study, trained, from_scratch, target_statistics):
    start_from = None if from_scratch else trained
    plain = Supervised(study.source.train, start_from=start_from, seed=7)
    adapted = Adversarial(
        study, start_from=start_from, seed=7, alpha=0, target_statistics=target_statistics
    )
    losses = [[report["loss_seg"] for report in run(learner, 20)] for learner in (plain, adapted)]
    assert losses[0] == losses[1]
    assert_same_state(plain, adapted)


def test_a_joint_batch_is_another_run_even_at_alpha_zero(study, trained):
    plain = Supervised(study.source.train, start_from=trained)
    joint = full(study, trained, alpha=0, joint_batch=True)
    for learner in (plain, joint):
        run(learner, 2)
    one, other = plain.state_dict()["segmenter"], joint.state_dict()["segmenter"]
    name = "encoder1.1.running_mean"
    assert not torch.allclose(one[name], other[name], atol=1e-3)


def test_one_backward_pass_serves_both_players(study, trained):
    """theta_seg gets the gradient of L_seg - alpha L_adv, theta_D that of L_adv."""
    gradients = {}
    for alpha in (0.0, 1.0, 3.0):
        learner = full(study, trained, alpha=alpha, gradient_clip=None)
        learner.step()
        gradients[alpha] = (
            [p.grad.clone() for p in learner.segmenter.parameters()],
            [p.grad.clone() for p in learner.discriminator.parameters()],
        )
    for zero, one, three in zip(*(gradients[a][0] for a in (0.0, 1.0, 3.0)), strict=True):
        torch.testing.assert_close(three - zero, 3 * (one - zero), rtol=1e-3, atol=1e-5)
    assert any(
        (one - zero).abs().max() > 1e-5
        for zero, one in zip(gradients[0.0][0], gradients[1.0][0], strict=True)
    )
    for one, three in zip(gradients[1.0][1], gradients[3.0][1], strict=True):
        assert torch.equal(one, three)


def test_flipped_labels_descend_what_reversal_ascends(study, trained):
    """theta_seg gets the gradient of L_seg + alpha L_adv(labels swapped), theta_D that of L_adv."""
    learner = full(study, trained, gradient_clip=None, alpha=2.0)
    learner.objective = "flipped"
    _same_batch_every_time(learner)
    (images_s, labels_s), images_t = learner.source.draw(), learner.target.draw_images()
    logits, heard_s, heard_t = learner._segment(images_s, images_t)
    say = learner.discriminator
    swapped = cross_entropy(say(heard_s), is_s=0) + cross_entropy(say(heard_t), is_s=1)
    loss = segmentation_loss(logits, labels_s) + 2.0 * swapped / 2
    expected = torch.autograd.grad(loss, list(learner.segmenter.parameters()))
    logits, heard_s, heard_t = learner._segment(images_s, images_t)
    loss_adv = cross_entropy(say(heard_s), is_s=1) + cross_entropy(say(heard_t), is_s=0)
    of_d = torch.autograd.grad(loss_adv / 2, list(say.parameters()))

    learner.step()
    for parameter, gradient in zip(learner.segmenter.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-3, atol=1e-5)
    for parameter, gradient in zip(say.parameters(), of_d, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-3, atol=1e-5)


def test_a_certain_discriminator_leaves_nothing_to_reverse_but_much_to_flip():
    certain = torch.full((1,), 20.0, requires_grad=True)  # right about S, and sure of it
    reversed_, flipped = (
        torch.autograd.grad(cross_entropy(certain, is_s=is_s), certain)[0] for is_s in (1, 0)
    )
    assert reversed_.abs() < 1e-8
    assert flipped == pytest.approx(1)


def _same_batch_every_time(learner):
    source, target = learner.source.draw(), learner.target.draw_images()
    learner.source.draw = lambda: source
    learner.target.draw_images = lambda: target


def test_the_discriminator_alone_lowers_loss_adv_and_the_segmenter_alone_raises_it(study, trained):
    learner = full(study, trained, schedule_steps=None, learning_rate=1e-3)
    _same_batch_every_time(learner)
    learner.players = "discriminator"
    down = [report["loss_adv"] for report in run(learner, 15)]
    assert down[-1] < down[0] - 0.05
    learner.players, learner.alpha = "segmenter", 10.0
    up = [report["loss_adv"] for report in run(learner, 15)]
    assert up[-1] > up[0] + 0.05


def test_players_freeze_the_other(study, trained):
    learner = full(study, trained)
    before = [snapshot(n) for n in (learner.segmenter, learner.averaged, learner.discriminator)]
    learner.players = "discriminator"
    run(learner, 2)
    assert changed(learner.segmenter, before[0]) == changed(learner.averaged, before[1]) == set()
    assert changed(learner.discriminator, before[2])

    before[2] = snapshot(learner.discriminator)
    learner.players = "segmenter"
    run(learner, 2)
    assert changed(learner.segmenter, before[0])
    assert changed(learner.discriminator, before[2]) == set()


def test_only_s_updates_the_buffers(study, trained):
    with_t = full(study, trained, alpha=1.0)
    without_t = Supervised(study.source.train, start_from=trained)
    for learner in (with_t, without_t):
        run(learner, 1)
    for (name, one), other in zip(
        with_t.segmenter.named_buffers(), without_t.segmenter.buffers(), strict=True
    ):
        assert torch.equal(one, other), name


def test_frozen_statistics_never_move(study, trained):
    learner = full(study, trained, source_statistics="running", target_statistics="source")
    before = {name: b.clone() for name, b in learner.segmenter.named_buffers()}
    run(learner, 2)
    assert all(torch.equal(b, before[name]) for name, b in learner.segmenter.named_buffers())


def test_alpha_is_live_and_ramped(study, trained):
    learner = Adversarial(study, start_from=trained, alpha=2, warm_up=linear(start=1, length=2))
    assert [report["alpha"] for report in run(learner, 4)] == [0.0, 0.0, 1.0, 2.0]
    learner.alpha = 0.5
    report = learner.step()
    assert report["alpha"] == 0.5
    assert learner.steps_done == 5
    assert report.keys() == {
        "loss_seg", "loss_adv", "alpha", "discriminator_accuracy", "learning_rate",
    }  # fmt: skip
    assert 0 <= report["discriminator_accuracy"] <= 1


@pytest.mark.parametrize("alpha", [-1, math.nan, math.inf, "much", None])
def test_an_alpha_that_is_no_weight_is_named(study, trained, alpha):
    learner = full(study, trained)
    with pytest.raises(Problem, match=f"alpha.*{alpha}"):
        learner.alpha = alpha
    assert learner.alpha == 1.0


@pytest.mark.parametrize("option", ["players", "target_statistics", "source_statistics"])
def test_unknown_options_are_named(study, trained, option):
    with pytest.raises(Problem, match=f"{option} 'nobody'"):
        full(study, trained, **{option: "nobody"})


def test_target_labels_are_never_touched(study, trained):
    class Sealed:
        def __init__(self, subject):
            self.name, self.image = subject.name, subject.image

        @property
        def label(self):
            raise AssertionError("a target label was read")

    sealed = SimpleNamespace(
        source=study.source,
        target=SimpleNamespace(train=[Sealed(subject) for subject in study.target.train]),
    )
    run(full(sealed, trained), 2)


def test_the_streams_of_s_t_and_the_weights_are_apart(study, trained):
    before = torch.get_rng_state()
    learner = full(study, trained, seed=3)
    drawn = learner.source._choose()
    learner.target._choose()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(drawn, Supervised(study.source.train, seed=3).source._choose())
    wide = full(study, trained, seed=3, discriminator_width=8)
    assert torch.equal(drawn, wide.source._choose())


class Plain(nn.Sequential):
    """Somebody else's network: a chain with norm layers and no taps attribute."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(2, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 2, 1)
        )


@pytest.mark.parametrize("joint_batch", [False, True])
def test_any_segmenter_with_named_taps_works(study, joint_batch):
    net = Plain()
    before = snapshot(net)
    learner = Adversarial(study, segmenter=net, taps=["2", "3"], joint_batch=joint_batch)
    run(learner, 2)
    assert not changed(net, before)
    assert learner.predict(study.target.test[0].image).max() <= 1
    assert learner.features(study.target.test[0].image, ["2"]).shape == (8, 8)


def test_any_segmenter_at_alpha_zero_equals_train_on_s(study):
    net = Plain()
    plain = Supervised(study.source.train, segmenter=net)
    adapted = Adversarial(study, segmenter=net, taps=["2"], alpha=0)
    for learner in (plain, adapted):
        run(learner, 3)
    assert_same_state(plain, adapted)


def test_a_segmenter_without_taps_must_be_told_them(study):
    with pytest.raises(Problem, match="taps"):
        Adversarial(study, segmenter=Plain())
    with pytest.raises(Problem, match="'encoder7'"):
        Adversarial(study, taps=["encoder7"])


def test_source_and_target_slices_may_differ_in_size(trained, study):
    from toy import toy_study

    mixed = SimpleNamespace(source=study.source, target=toy_study(size=24).target)
    assert np.isfinite(list(full(mixed, trained).step().values())).all()
    with pytest.raises(Problem, match=r"32.*24.*joint"):
        full(mixed, trained, joint_batch=True)


def test_both_cohorts_need_the_same_channels(study, trained):
    fewer = study.without_channels([1])
    with pytest.raises(Problem, match=r"1 channels.*2"):
        full(SimpleNamespace(source=study.source, target=fewer.target), trained)


def test_defaults_of_both_methods_agree():
    """Or alpha = 0 would not be «Train on S»: `Adversarial` hands all of them through."""
    shared = inspect.signature(Learner).parameters
    for method in (Adversarial, Supervised):
        assert inspect.signature(method).parameters.keys() & shared.keys() <= {"subjects"}


def test_the_core_stays_short_enough_for_the_wall():
    lines = inspect.getsource(Adversarial.step).splitlines()
    code = [line for line in lines if line.strip() and not line.strip().startswith(("#", '"""'))]
    assert len(code) <= 40
