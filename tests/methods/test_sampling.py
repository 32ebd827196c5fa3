from dataclasses import replace

import numpy as np
import pytest
import torch
from toy import toy_subject

from cdseg_teach.methods.sampling import SliceBatches, seed_for
from cdseg_teach.problems import Problem

CPU = torch.device("cpu")


def test_batches_repeat_with_their_seed_and_leave_the_global_generator_alone(study):
    before = torch.get_rng_state()
    a, b, c = (SliceBatches(study.source.train, 4, seed, CPU) for seed in (1, 1, 2))
    (x, y), (same_x, same_y), (other, _) = a.draw(), b.draw(), c.draw()
    assert torch.equal(x, same_x)
    assert torch.equal(y, same_y)
    assert not torch.equal(x, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_images_and_labels_belong_together():
    subject = toy_subject()
    images, labels = SliceBatches([subject], 16, 0, CPU).draw()
    assert images.shape == (16, 2, 32, 32)
    assert labels.dtype == torch.int64
    for image, label in zip(images.numpy(), labels.numpy(), strict=True):
        (z,) = (z for z in range(8) if np.array_equal(subject.image[:, z], image))
        assert np.array_equal(subject.label[z], label)


def test_every_slice_has_the_same_chance():
    subjects = [toy_subject(grid=(2, 8, 8)), toy_subject(grid=(6, 8, 8), seed=1)]
    batches = SliceBatches(subjects, 8000, 0, CPU)
    counts = torch.bincount(batches._choose(), minlength=8)
    assert counts.min() > 850
    assert counts.max() < 1150


def test_seeds_differ_by_purpose():
    assert len({seed_for(p, s) for p in ("weights", "source batches") for s in (0, 1)}) == 4


@pytest.mark.parametrize("seed", [-1, 1.5, "one", True])
def test_a_seed_that_is_none_is_named(seed):
    with pytest.raises(Problem, match="seed"):
        seed_for("weights", seed)


def test_broken_subjects_are_named():
    good, bad = toy_subject("good"), toy_subject("bad", seed=1)
    holes = bad.image.copy()
    holes[0, 0, 0, 0] = np.nan
    for broken, words in [
        (replace(bad, image=holes), "bad.*finite"),
        (replace(bad, label=None), "bad.*label"),
        (toy_subject("bad", grid=(8, 16, 16)), "bad.*good"),
    ]:
        with pytest.raises(Problem, match=words):
            SliceBatches([good, broken], 4, 0, CPU)


def test_nobody_to_learn_from_is_a_problem():
    with pytest.raises(Problem, match="at least one"):
        SliceBatches([], 4, 0, CPU)


def test_learners_of_the_same_subjects_share_their_slices(study):
    one, other = (SliceBatches(study.target.train, 4, seed, CPU, labelled=False) for seed in (0, 1))
    oracle = SliceBatches(study.target.labelled_train, 4, 0, CPU)
    fewer = SliceBatches(study.target.train[:1], 4, 0, CPU, labelled=False)
    assert one.images is other.images is oracle.images
    assert fewer.images.data_ptr() != one.images.data_ptr()
