"""Perfect alignment with wrong labels, and the bounds that no line can break."""

import numpy as np
import pytest

from cdseg_teach.experiments.alignment import Line, aligned, bounds, lines, threshold


def any_line(seed):
    """Two small domains without any order in them; with ties, since features are whole numbers."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 30))
    source, target = rng.integers(0, rng.integers(2, 40), (2, n)).astype(float)
    source_class, target_class = rng.random((2, n)) < rng.random((2, 1))
    return Line(source, source_class, target, target_class)


def errors_of_all(line):
    """Errors on S and T of every threshold of both directions, the slow way."""
    found = []
    for t in [-np.inf, *line.source, *line.target]:
        for above in (True, False):
            said = [(x > t) == above for x in (line.source, line.target)]
            pairs = zip(said, (line.source_class, line.target_class), strict=True)
            found.append([np.mean(h != y) for h, y in pairs])
    return np.array(found)


def largest_difference_in_an_interval(line):
    ends = [-np.inf, *line.source, *line.target]
    return max(
        abs(
            np.mean((line.source > a) & (line.source <= b))
            - np.mean((line.target > a) & (line.target <= b))
        )
        for a in ends
        for b in ends
    )


@pytest.mark.parametrize("seed", range(100))
def test_the_bounds_hold_on_any_line_and_their_terms_are_what_they_say(seed):
    line = any_line(seed)
    told = bounds(line)
    slow = errors_of_all(line)
    assert told["error_source"] == pytest.approx(slow[:, 0].min())
    assert told["lambda"] == pytest.approx(slow.sum(axis=1).min())
    assert told["divergence"] == pytest.approx(2 * largest_difference_in_an_interval(line))
    assert told["error_target"] <= told["upper_bound"] + 1e-12
    assert told["error_source"] + told["error_target"] >= told["lower_bound"] - 1e-12
    # The bounds are about every threshold, not only the one that is learned.
    assert (slow[:, 1] <= slow[:, 0] + told["divergence"] / 2 + told["lambda"] + 1e-12).all()
    assert (slow.sum(axis=1) >= told["lower_bound"] - 1e-12).all()


def test_domains_that_hold_the_same_points_are_perfectly_aligned():
    for reverse in (False, True):
        line = aligned(lines(1)["not aligned"], reverse)
        assert np.array_equal(np.sort(line.source), np.sort(line.target))
        assert bounds(line)["a_distance"] == bounds(line)["divergence"] == 0


def test_domains_far_apart_have_the_largest_distance():
    line = Line(np.array([0.0, 1]), np.array([False, True]), np.array([5.0, 6]), np.ones(2, bool))
    told = bounds(line)
    assert told["a_distance"] == told["divergence"] == 2
    assert told["error_source"] == told["error_target"] == 0


def test_alignment_keeps_order_or_turns_it_round():
    line = lines(0)["not aligned"]
    order = np.argsort(line.target)
    assert (np.diff(aligned(line).target[order]) >= 0).all()
    assert (np.diff(aligned(line, reverse=True).target[order]) <= 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_alignment_helps_fails_or_pays_for_the_classes_shares(seed):
    told = {name: bounds(line) for name, line in lines(seed).items()}
    assert told["not aligned"]["a_distance"] > 1.5
    assert told["not aligned"]["error_target"] > 0.4
    assert told["aligned"]["error_target"] < 0.05
    swapped = told["aligned, classes swapped"]
    assert swapped["error_target"] > 0.9
    assert swapped["lambda"] > 0.9
    rare = told["aligned, class 1 rare in T"]
    # Half of the points of T land where S has class 1, a tenth belongs there.
    assert rare["error_target"] == pytest.approx(0.4, abs=0.02)
    # ½ JS between (0.5, 0.5) and (0.1, 0.9), in bits.
    assert rare["lower_bound"] == pytest.approx(0.0734, abs=1e-4)
    assert told["aligned"]["lower_bound"] == 0


def test_what_is_learned_may_lie_either_way():
    x, y = np.arange(4.0), np.array([True, True, False, False])
    t, above = threshold(Line(x, y, x, y))
    assert 1 <= t < 2
    assert not above
    t, above = threshold(Line(x, ~y, x, y))
    assert 1 <= t < 2
    assert above
