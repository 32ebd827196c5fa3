from __future__ import annotations

import numpy as np

from cdseg_teach.cohorts.normalise import normalise

MASK = np.zeros((4, 16, 16), bool)
MASK[1:3, 2:14, 2:14] = True


def test_scale_and_offset_of_a_scanner_do_not_matter():
    image = np.random.default_rng(0).normal(size=(2, *MASK.shape))
    plain, scaled = normalise(image, MASK), normalise(image * 700 + 90, MASK)
    assert plain.dtype == np.float32
    assert np.allclose(plain, scaled, atol=1e-4)
    assert np.abs(plain[:, MASK].mean(axis=1)).max() < 0.05
    assert np.abs(plain[:, MASK].std(axis=1) - 1).max() < 0.1
    assert not plain[:, ~MASK].any()


def test_a_spike_does_not_decide_the_scale():
    image = np.random.default_rng(0).normal(size=(1, *MASK.shape))
    spiked = image.copy()
    spiked[0, 1, 5, 5] = 1e6
    others = MASK.copy()
    others[1, 5, 5] = False
    assert np.allclose(
        normalise(image, MASK)[0, others], normalise(spiked, MASK)[0, others], atol=0.1
    )


def test_a_constant_channel_and_an_empty_mask_become_zero():
    image = np.full((1, *MASK.shape), 7.3)
    assert not normalise(image, MASK).any()
    assert not normalise(image, np.zeros_like(MASK)).any()
