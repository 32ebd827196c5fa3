"""A claim prints a verdict without digits that a machine decides, and never stops anybody."""

import numpy as np
import pytest

from cdseg_teach.experiments.claims import Score, claim
from cdseg_teach.problems import Problem


@pytest.mark.parametrize(
    ("better", "worse", "by", "holds"),
    [
        (70.1, 60.0, 10, True),
        (70.0, 60.0, 10, False),
        (60.0, 60.0, 0, False),
        (float("nan"), 60.0, 0, False),
        (60.0, float("nan"), 0, False),
        (float("inf"), float("inf"), 0, False),
        (np.float32(61), 60, 0, True),
    ],
)
def test_verdict(better, worse, by, holds):
    assert claim("this is better", better, worse, by=by).holds is holds


def test_what_is_printed_has_the_margin_and_no_value(capsys):
    first = claim("adapted is better", 71.234, 50.0, by=10)
    second = claim("adapted is better", 68.0, 41.5, by=10)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == lines[1] == repr(first) == repr(second)
    assert lines[0].startswith("«holds» adapted is better (by more than 10 points; live")


def test_a_recorded_claim_shows_seeds_and_date(capsys):
    better, worse = (Score(value, (0, 1, 2), "2026-01-31", "a laptop") for value in (80.0, 60.0))
    assert claim("adapted is better", better, worse, by=5, kind="recorded").holds
    assert "recorded: seeds 0, 1, 2; 2026-01-31; a laptop" in capsys.readouterr().out


def test_a_recorded_claim_needs_the_packs_numbers():
    with pytest.raises(Problem, match="lecture_pack"):
        claim("adapted is better", 80.0, 60.0, kind="recorded")


def test_an_unknown_kind_is_named():
    with pytest.raises(Problem, match="'guessed'"):
        claim("adapted is better", 1.0, 0.0, kind="guessed")
