"""What the tests of learners share."""

import torch

from cdseg_teach.methods import steps


def run(learner, n):
    """The reports of n steps."""
    return list(steps(learner, n, progress=False))


def assert_same_state(a, b):
    """Two learners have the same weights and buffers, bit for bit."""
    for part in ("segmenter", "averaged"):
        one, other = a.state_dict()[part], b.state_dict()[part]
        assert one.keys() == other.keys()
        assert [name for name in one if not torch.equal(one[name], other[name])] == []
