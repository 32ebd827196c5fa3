"""Tell a student how far an answer is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def check(
    yours: Callable[..., Any], expected: Callable[..., Any], cases: Mapping[str, tuple[Any, ...]]
) -> None:
    """Compare an answer with what is expected, case by case, and print one line.

    Parameters
    ----------
    yours, expected
        Two functions of the same arguments; numbers and arrays are compared up to rounding.
    cases
        Name -> tuple of arguments.

    Examples
    --------
    check(my_recall, evaluation.recall, {"too large": (prediction, truth)})
    """
    name = getattr(yours, "__name__", "your answer")
    answers = {case: yours(*arguments) for case, arguments in cases.items()}
    if any(answer is None or answer is ... for answer in answers.values()):
        print(f"{name} gives nothing yet: replace the three dots, and run this cell again.")
        return
    right = [_same(answers[case], expected(*arguments)) for case, arguments in cases.items()]
    wrong = [case for case, fine in zip(cases, right, strict=True) if not fine]
    line = f"{name} is right in {sum(right)} of {len(right)} cases"
    print(f"{line}; look at: {', '.join(wrong)}." if wrong else f"{line}.")


def _same(answer: Any, truth: Any) -> bool:
    try:
        return np.shape(answer) == np.shape(truth) and bool(np.allclose(answer, truth))
    except TypeError:  # not numbers at all
        return False
