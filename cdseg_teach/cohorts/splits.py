"""Who learns and who is tested: subjects dealt out by a seed, never by the order of folders."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

TEST_SHARE = VALIDATION_SHARE = 0.2
#: Of fewer people, no signed-rank test can say p < 0.05: for five, the smallest p is 2 / 2**5.
FEWEST_TESTED = 6


def split_by_subject(
    names: Sequence[str], *, seed: int, first: str, shared: Collection[str] = ()
) -> dict[str, tuple[str, ...]]:
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
    shared
        Those that a second list has too: from two on, they are dealt out by themselves, so that
        both lists have them in the same split.

    Returns
    -------
    Sorted names by split; the three are disjoint and hold everybody.

    Examples
    --------
    >>> split_by_subject(["07"], seed=0, first="train")
    {'train': ('07',), 'validation': (), 'test': ()}
    """
    both, others = _parted(names, shared)
    if len(both) > 1 and others:
        parts = [split_by_subject(part, seed=seed, first=first) for part in (both, others)]
        return _sorted(*([*parts[0][key], *parts[1][key]] for key in parts[0]))
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
    names: Sequence[str], *, fold: int, folds: int, first: str, shared: Collection[str] = ()
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
    shared
        Those that a second list has too: both lists test them in the same fold.

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
    # Who is in both lists stands first in both, and so in the same places.
    both, others = _parted(names, shared)
    drawn = [*_drawn(both, seed=0), *_drawn(others, seed=0)]
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


def _parted(names: Sequence[str], shared: Collection[str]) -> tuple[list[str], list[str]]:
    """Those that are shared, and the others."""
    return [n for n in names if n in shared], [n for n in names if n not in shared]


def _drawn(names: Sequence[str], seed: int) -> list[str]:
    ordered = sorted(names, key=lambda name: name.removeprefix("sub-"))
    return [str(name) for name in np.random.default_rng(seed).permutation(ordered)]


def _sorted(
    train: Sequence[str], validation: Sequence[str], test: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    splits = {"train": train, "validation": validation, "test": test}
    return {key: tuple(sorted(names)) for key, names in splits.items()}
