"""Who learns and who is tested: subjects dealt out by a seed, never by the order of folders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TEST_SHARE = VALIDATION_SHARE = 0.2
#: Of fewer people, no signed-rank test can say p < 0.05: for five, the smallest p is 2 / 2**5.
FEWEST_TESTED = 6


def split_by_subject(names: Sequence[str], *, seed: int, first: str) -> dict[str, tuple[str, ...]]:
    """Deal subjects out to train, validation and test: 60, 20 and 20 percent.

    From three subjects on, each of the three has at least one.

    Parameters
    ----------
    names
        The subjects, in any order.
    seed
        Of the draw.
    first
        "train" or "test", where a single subject goes; of two, one is in each of them.

    Returns
    -------
    Sorted names by split; the three are disjoint and hold everybody.

    Examples
    --------
    >>> split_by_subject(["07"], seed=0, first="train")
    {'train': ('07',), 'validation': (), 'test': ()}
    """
    drawn = _drawn(names, seed)
    if len(drawn) == 1:
        sizes = {"test": int(first == "test"), "validation": 0}
    else:
        sizes = {
            "test": max(1, round(TEST_SHARE * len(drawn))),
            "validation": max(int(len(drawn) > 2), round(VALIDATION_SHARE * len(drawn))),
        }
    test, validation = sizes["test"], sizes["test"] + sizes["validation"]
    return _sorted(drawn[validation:], drawn[test:validation], drawn[:test])


def fold_by_subject(
    names: Sequence[str], *, fold: int, folds: int, first: str
) -> dict[str, tuple[str, ...]]:
    """Deal subjects out for cross-validation: over all folds each one is tested once.

    Parameters
    ----------
    names
        The subjects, in any order; they are shuffled, the same way for every fold.
    fold, folds
        Which one, of how many; a cohort of fewer subjects has as many folds as subjects.
    first
        As in `split_by_subject`, of a single subject.

    Returns
    -------
    As from `split_by_subject`; somebody is left for validation when three or more are not tested.

    Examples
    --------
    >>> [fold_by_subject("abc", fold=k, folds=3, first="test")["test"] for k in range(3)]
    [('c',), ('a',), ('b',)]
    """
    if len(names) < 2:
        return split_by_subject(names, seed=0, first=first)
    drawn = _drawn(names, seed=0)
    folds = min(folds, len(drawn))
    test = drawn[fold % folds :: folds]
    rest = [name for name in drawn if name not in test]
    validation = max(int(len(rest) > 2), round(VALIDATION_SHARE * len(rest)))
    return _sorted(rest[validation:], rest[:validation], test)


def halve_by_subject(names: Sequence[str], *, seed: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Two halves of the subjects, for source and target; the first has the odd one."""
    drawn = _drawn(names, seed)
    half = (len(drawn) + 1) // 2
    return tuple(sorted(drawn[:half])), tuple(sorted(drawn[half:]))


def _drawn(names: Sequence[str], seed: int) -> list[str]:
    return [str(name) for name in np.random.default_rng(seed).permutation(sorted(names))]


def _sorted(
    train: Sequence[str], validation: Sequence[str], test: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    splits = {"train": train, "validation": validation, "test": test}
    return {key: tuple(sorted(names)) for key, names in splits.items()}
