"""Perfect alignment with wrong labels, on a line, where every term of the theory is exact.

What is learned on S is a threshold h: class 1 lies above it, or below. For any h

    error_T(h) <= error_S(h) + divergence / 2 + lambda,   lambda = min over h of error_S + error_T,

where the divergence is that of H-delta-H: twice the largest difference between the shares of S and
of T in a set on which two thresholds disagree, which is an interval. Alignment takes the divergence
away. Whether lambda falls or rises with it, nobody sees without labels of T; and where the classes
have other shares there, whoever has aligned the features errs in one of the domains:

    error_S(h) + error_T(h) >= (d_JS(Y_S, Y_T) - d_JS(Z_S, Z_T))^2 / 2

for features Z and classes Y, with d_JS the root of the Jensen-Shannon divergence in bits.

References
----------
Ben-David et al. 2010, "A theory of learning from different domains", theorem 2; the points here are
the whole domains, so that nothing is estimated. Zhao et al. 2019, "On learning invariant
representations for domain adaptation", the lower bound on the joint error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.distance import jensenshannon

POINTS = 1000  # of each domain


@dataclass(frozen=True, eq=False)
class Line:
    """Features of S and of T, float [n], and which of them are of class 1, bool [n]."""

    source: np.ndarray
    source_class: np.ndarray
    target: np.ndarray
    target_class: np.ndarray


def lines(seed: int = 0) -> dict[str, Line]:
    """One S with different T, by what is shown: how it is measured, then three ways to align.

    Each class is normal with standard deviation 0.4, their means are 2 apart, and T is measured 3
    further up. Half of the points are of class 1; in the last T a tenth.
    """
    rng = np.random.default_rng(seed)
    source, alike, rare = (_draw(rng, share) for share in (0.5, 0.5, 0.1))
    measured = Line(*source, alike[0] + 3, alike[1])
    return {
        "not aligned": measured,
        "aligned": aligned(measured),
        "aligned, classes swapped": aligned(measured, reverse=True),
        "aligned, class 1 rare in T": aligned(Line(*source, rare[0] + 3, rare[1])),
    }


def aligned(line: Line, reverse: bool = False) -> Line:
    """T carried onto S, the k-th smallest point onto the k-th smallest: nobody can tell them apart.

    Parameters
    ----------
    line
        With as many points in T as in S.
    reverse
        Carries the k-th smallest onto the k-th largest, which is as perfect.
    """
    target = np.empty_like(line.target)
    target[np.argsort(line.target)] = np.sort(line.source)[:: -1 if reverse else 1]
    return replace(line, target=target)


def threshold(line: Line) -> tuple[float, bool]:
    """What is learned on S, with the lowest error there: t, and whether class 1 lies above it."""
    at = _thresholds(line)
    errors = _errors(line.source, line.source_class, at)
    above = bool(errors.min() <= 1 - errors.max())
    return float(at[errors.argmin() if above else errors.argmax()]), above


def bounds(line: Line) -> dict[str, float]:
    """Errors of the threshold that is learned on S, and what bounds them.

    Returns
    -------
    error_source, error_target; a_distance, 2 (1 - 2 error) of the threshold that best tells S from
    T; divergence, lambda and the upper_bound on error_target that they make; the lower_bound on
    error_source + error_target. Errors in 0..1, distances in 0..2.
    """
    at, (t, above) = _thresholds(line), threshold(line)
    gap = _below(line.source, at) / len(line.source) - _below(line.target, at) / len(line.target)
    error_source, error_target = (
        float(np.mean(((points > t) == above) != classes))
        for points, classes in (
            (line.source, line.source_class),
            (line.target, line.target_class),
        )
    )
    both = _errors(line.source, line.source_class, at) + _errors(line.target, line.target_class, at)
    divergence, least = 2 * float(gap.max() - gap.min()), float(min(both.min(), 2 - both.max()))
    apart = _d_js(line.source_class, line.target_class) - _d_js(line.source, line.target)
    return {
        "error_source": error_source,
        "error_target": error_target,
        "a_distance": 2 * float(np.abs(gap).max()),
        "divergence": divergence,
        "lambda": least,
        "upper_bound": error_source + divergence / 2 + least,
        "lower_bound": max(0.0, apart) ** 2 / 2,
    }


def bounds_by_line(seed: int) -> dict[str, float]:
    """`bounds` of each of the `lines`, by "<name>, <line>"."""
    return {
        f"{name}, {shown}": value
        for shown, line in lines(seed).items()
        for name, value in bounds(line).items()
    }


def _draw(rng: np.random.Generator, share: float) -> tuple[np.ndarray, np.ndarray]:
    classes = np.arange(POINTS) < share * POINTS
    return rng.normal(np.where(classes, 1.0, -1.0), 0.4), classes


def _thresholds(line: Line) -> np.ndarray:
    """One for each way to part the points of both domains."""
    return np.concatenate([[-np.inf], np.unique(np.concatenate([line.source, line.target]))])


def _below(points: np.ndarray, at: np.ndarray) -> np.ndarray:
    """How many points are at or below each threshold."""
    return np.searchsorted(np.sort(points), at, side="right")


def _errors(points: np.ndarray, classes: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Error of "class 1 above t" for each t; that of "class 1 below t" is what it lacks to 1."""
    missed, alarms = _below(points[classes], at), (~classes).sum() - _below(points[~classes], at)
    errors: np.ndarray = (missed + alarms) / len(points)
    return errors


def _d_js(one: np.ndarray, other: np.ndarray) -> float:
    """Root of the Jensen-Shannon divergence between what two domains hold, 0 to 1."""
    values = np.unique(np.concatenate([one, other]))
    shares = [np.bincount(np.searchsorted(values, x), minlength=len(values)) for x in (one, other)]
    return float(jensenshannon(*shares, base=2))
