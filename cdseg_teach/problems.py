"""The one exception for whatever its reader can mend."""

import operator
from collections.abc import Iterable


class Problem(ValueError):
    """A user's mistake or a broken input, told in one line: what, where, and how to mend it.

    The command line prints the message on stderr and exits with 2; in a notebook it is the last
    line of the traceback. Of several problems that are told at once, each has its line
    (:func:`raise_all`).

    Examples
    --------
    >>> raise Problem("sub-03/T2.nii.gz: 4 values are not finite; export the volume again")
    Traceback (most recent call last):
        ...
    cdseg_teach.problems.Problem: sub-03/T2.nii.gz: 4 values are not finite; export the volume again
    """


class RunFailed(RuntimeError):
    """A run broke off for a reason that its user did not cause: one line, and exit 1."""


def raise_first(problems: Iterable[Problem], command: str = "") -> None:
    """Raise the first of several problems, if any, and say how many follow it and what lists them.

    Parameters
    ----------
    problems
        In the order in which they are to be mended.
    command
        What lists all of them, where there is something.

    Raises
    ------
    Problem
        The first.
    """
    found = list(problems)
    if found:
        listed = f": {command}" if command else ""
        more = f" (and {len(found) - 1} more{listed})" if found[1:] else ""
        raise Problem(f"{found[0]}{more}")


def raise_all(problems: Iterable[Problem]) -> None:
    """Raise several problems, if any, as one that tells each in its own line.

    For what no other command lists; what is said twice is told once.

    Parameters
    ----------
    problems
        In the order in which they are to be mended.

    Raises
    ------
    Problem
        All of them.
    """
    lines = dict.fromkeys(map(str, problems))
    if lines:
        raise Problem("\n".join(lines))


def checked_seed(seed: object) -> int:
    """A seed as a number; a Problem unless it is a whole number from 0 up."""
    try:
        number = -1 if isinstance(seed, bool) else operator.index(seed)  # type: ignore[arg-type]
    except TypeError:  # 1.5, "one", None
        number = -1
    if number < 0:
        raise Problem(f"seed {seed!r} is not a whole number from 0 up")
    return number


def check_index(what: str, index: int, count: int) -> None:
    """A Problem unless there is such a slice, channel, ...: 0 to count - 1."""
    if not 0 <= index < count:
        raise Problem(f"no {what} {index}; choose from 0 to {count - 1}")
