import numpy as np
import pytest
import torch

from cdseg_teach.evaluation import dsc
from cdseg_teach.methods.test_time.denoiser import one_hot, spoil, train_denoiser
from cdseg_teach.problems import Problem


def discs(n, seed, size=32):
    """Two rings, one around the other, anywhere: labels with a shape to learn."""
    rng = np.random.default_rng(seed)
    y, x = np.indices((size, size))
    labels = np.zeros((n, size, size), dtype=np.uint8)
    for label in labels:
        centre = rng.uniform(12, size - 12, 2)
        distance = np.hypot(y - centre[0], x - centre[1])
        label[distance < 9] = 1
        label[distance < 5] = 2
    return labels


def test_damage_copies_boxes_within_a_map():
    whole = discs(50, seed=0)
    before = whole.copy()
    spoilt = spoil(whole, np.random.default_rng(0))
    assert np.array_equal(whole, before)
    assert spoilt.dtype == np.uint8
    assert set(np.unique(spoilt)) == {0, 1, 2}
    changed = (spoilt != whole).mean(axis=(1, 2))
    assert 0 < changed.mean() < 0.05
    # Up to 5 boxes of a side of 2: at 32 pixels a half side of 10 / 256 is one pixel.
    assert changed.max() <= 5 * 4 / whole[0].size


def test_damage_needs_something_to_damage():
    nothing = np.zeros((3, 32, 32), dtype=np.uint8)
    assert not spoil(nothing, np.random.default_rng(0)).any()


def test_it_denoises():
    """Speckles on labels that it has not seen are mended."""
    denoiser = train_denoiser(discs(200, seed=0), 3, steps=120)
    whole = discs(40, seed=1)
    rng = np.random.default_rng(2)
    speckled = np.where(rng.random(whole.shape) < 0.1, rng.integers(3, size=whole.shape), whole)
    mended = denoiser(one_hot(speckled, 3)).argmax(1).numpy()
    for structure in (1, 2):
        noisy = dsc(speckled == structure, whole == structure)
        assert dsc(mended == structure, whole == structure) > noisy + 0.03


def test_the_same_seed_the_same_denoiser_and_frozen():
    labels = discs(8, seed=0)
    random = torch.get_rng_state()
    one, same, other = (train_denoiser(labels, 3, steps=3, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), random)
    pairs = zip(one.state_dict().values(), same.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(one.head.weight, other.head.weight)
    assert not one.training
    assert not any(p.requires_grad for p in one.parameters())


def test_labels_without_a_structure_are_named():
    with pytest.raises(Problem, match="no label shows a structure"):
        train_denoiser(np.zeros((4, 32, 32), dtype=np.uint8), 2)
