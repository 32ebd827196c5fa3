import math

import pytest

from cdseg_teach.methods.schedules import dann, linear, none, warm_up_and_cosine


def test_no_warm_up_is_always_one():
    assert {none()(step) for step in (0, 1, 10_000)} == {1.0}


def test_linear_starts_rises_and_stays():
    ramp = linear(start=30, length=150)
    assert [ramp(step) for step in (0, 30, 105, 180, 999)] == [0, 0, 0.5, 1, 1]


def test_dann_against_its_formula_and_the_figures_of_the_paper():
    ramp = dann(length=200)
    for step in (0, 7, 50, 200):
        assert ramp(step) == pytest.approx(2 / (1 + math.exp(-10 * step / 200)) - 1)
    assert ramp(10) == pytest.approx(0.245, abs=1e-3)
    assert ramp(40) == pytest.approx(0.762, abs=1e-3)
    assert ramp(10_000) == ramp(200)


def test_learning_rate_rises_falls_and_rests_at_its_floor():
    factors = [warm_up_and_cosine(step, 100) for step in range(150)]
    assert factors[0] == pytest.approx(1 / 12)
    assert factors[11] == factors[12] == 1.0
    assert factors[56] == pytest.approx((1 + 0.03) / 2)
    assert factors[12:] == sorted(factors[12:], reverse=True)
    assert factors[100:] == pytest.approx([0.03] * 50)
