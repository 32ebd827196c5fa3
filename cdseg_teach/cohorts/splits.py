"""Who learns and who is tested: subjects dealt out by a seed, never by the order of folders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TEST_SHARE = VALIDATION_SHARE = 0.2


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
    drawn = [str(name) for name in np.random.default_rng(seed).permutation(sorted(names))]
    if len(drawn) == 1:
        sizes = {"test": int(first == "test"), "validation": 0}
    else:
        sizes = {
            "test": max(1, round(TEST_SHARE * len(drawn))),
            "validation": max(int(len(drawn) > 2), round(VALIDATION_SHARE * len(drawn))),
        }
    test, validation = sizes["test"], sizes["test"] + sizes["validation"]
    return {
        "train": tuple(sorted(drawn[validation:])),
        "validation": tuple(sorted(drawn[test:validation])),
        "test": tuple(sorted(drawn[:test])),
    }
