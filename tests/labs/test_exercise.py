"""What a student is told about an answer."""

from __future__ import annotations

import numpy as np
import pytest

from cdseg_teach.labs.exercise import check

CASES = {"small": (1.0,), "large": (np.array([10.0, 20.0]),)}


def double(x):
    return 2 * x


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda x: x + x, "right in 2 of 2 cases."),
        (lambda x: x + 1.0, "right in 1 of 2 cases; look at: large."),
        (lambda x: "twice as much", "right in 0 of 2 cases; look at: small, large."),
        (lambda x: np.ones(3), "right in 0 of 2 cases; look at: small, large."),
        (lambda x: ..., "gives nothing yet: replace the three dots, and run this cell again."),
        (lambda x: None, "gives nothing yet: replace the three dots, and run this cell again."),
    ],
)
def test_one_line_says_how_far_an_answer_is_right(answer, told, capsys) -> None:
    check(answer, double, CASES)
    printed = capsys.readouterr().out
    assert printed.endswith(f"{told}\n")
    assert printed.count("\n") == 1
