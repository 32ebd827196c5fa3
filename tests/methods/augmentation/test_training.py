"""Learners that train through transforms."""

import pytest
import torch
from learning import assert_same_state, run
from toy import toy_study

from cdseg_teach.methods import Adversarial, Supervised
from cdseg_teach.methods.augmentation import (
    GIN,
    ORDINARY,
    SYNTHETIC,
    Gamma,
    MixStyle,
    Noise,
    Stack,
)
from cdseg_teach.methods.schedules import none

HARMLESS = Stack(((Gamma(strength=0.0), 1.0), (GIN(strength=0.0), 1.0), (Noise(strength=0.0), 0.5)))


@pytest.mark.parametrize("channels_less", [(), (1,)])
def test_strength_zero_trains_as_no_augmentation_bit_for_bit(study, channels_less):
    subjects = study.without_channels(channels_less).source.train
    plain, harmless = (
        Supervised(subjects, seed=2, **options)
        for options in ({}, {"augment": HARMLESS, "mix_style": MixStyle(strength=0.0)})
    )
    assert run(plain, 4) == run(harmless, 4)
    assert_same_state(plain, harmless)


def test_the_slices_drawn_are_the_same_with_and_without(study):
    plain, augmented = (
        Supervised(study.source.train, seed=2, augment=augment) for augment in (None, ORDINARY)
    )
    for _ in range(3):
        (images, labels), (changed, same) = plain.source.draw(), augmented.source.draw()
        assert torch.equal(labels, same)
        assert not torch.equal(images, changed)
        assert changed.stride() == images.stride()
    # The subjects' own slices, which learners share, are as they were.
    fresh = Supervised(study.source.train, seed=2).source
    assert fresh.images is augmented.source.images
    assert torch.equal(fresh.images, toy_slices())


def toy_slices():
    subjects = toy_study().source.train
    parts = [torch.from_numpy(subject.image).movedim(1, 0) for subject in subjects]
    return torch.cat(parts)


@pytest.mark.parametrize("kind", ["supervised", "adversarial"])
def test_continuing_from_a_state_equals_never_having_stopped(study, kind):
    def fresh():
        if kind == "supervised":
            return Supervised(study.source.train, augment=SYNTHETIC, mix_style=MixStyle())
        learner = Adversarial(study, warm_up=none())
        learner.augment = SYNTHETIC
        return learner

    whole, stopped, restored = fresh(), fresh(), fresh()
    reports = run(whole, 6)
    run(stopped, 3)
    restored.load_state_dict(stopped.state_dict())
    assert run(restored, 3) == reports[3:]
    assert_same_state(restored, whole)


def test_adversaries_see_the_same_augmented_source(study):
    """At alpha = 0 they are still «Train on S», with the same augmentation."""
    supervised = Supervised(study.source.train, augment=SYNTHETIC)
    adversarial = Adversarial(study, alpha=0.0)
    adversarial.augment = SYNTHETIC
    losses = [[report["loss_seg"] for report in run(x, 3)] for x in (supervised, adversarial)]
    assert losses[0] == losses[1]
    assert_same_state(supervised, adversarial)


def test_the_target_is_neither_augmented_nor_painted_with(study):
    """Whatever T looks like, the source batches painted from labels are the same."""
    learners = [Adversarial(s, seed=1) for s in (study, swapped_target(study))]
    for learner in learners:
        learner.augment = SYNTHETIC
    (one, _), (other, _) = (learner.source.draw() for learner in learners)
    assert torch.equal(one, other)
    plain = Adversarial(study, seed=1)
    assert torch.equal(plain.target.draw_images(), learners[0].target.draw_images())


def swapped_target(study):
    return type(study)(
        name="swapped",
        seed=0,
        source=study.source,
        target=toy_study(seed=9).target,
        shifted_channels=(1,),
    )


def test_it_is_live(study):
    learner, plain = (Supervised(study.source.train) for _ in range(2))
    run(learner, 2)
    run(plain, 2)
    learner.augment = ORDINARY
    assert run(learner, 1) != run(plain, 1)
    learner.augment = None
    drawn, expected = learner.source.draw()[0], plain.source.draw()[0]
    assert torch.equal(drawn, expected)


@pytest.mark.parametrize(
    "options",
    [{"augment": ORDINARY}, {"augment": SYNTHETIC}, {"mix_style": MixStyle()}],
    ids=["ordinary", "synthetic", "mixstyle"],
)
def test_the_loss_falls(study, options):
    learner = Supervised(study.source.train, schedule_steps=60, learning_rate=1e-2, **options)
    losses = [report["loss_seg"] for report in run(learner, 60)]
    assert sum(losses[-10:]) < 0.6 * sum(losses[:10])


def test_mixing_is_for_training_alone(study):
    learner = Supervised(study.source.train, mix_style=MixStyle())
    run(learner, 2)
    image = study.source.test[0].image
    for learner.predict_with in ("segmenter", "averaged"):
        assert (learner.predict_probabilities(image) == learner.predict_probabilities(image)).all()
