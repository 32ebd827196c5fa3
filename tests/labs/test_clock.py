"""The kernel's side of the browser's clock."""

from __future__ import annotations

import pytest

from cdseg_teach.labs.clock import Clock


def tick(clock: Clock, generation: int, number: int) -> None:
    """Deliver what the browser sends."""
    clock._answer(clock, {"kind": "tick", "generation": generation, "number": number}, [])


def test_every_tick_is_acknowledged_by_counting_on() -> None:
    seen: list[int] = []
    clock = Clock(seen.append)
    clock.start(7)
    for _ in range(3):
        tick(clock, clock.generation, clock.number)
    assert seen == [7, 7, 7]


def test_one_tick_in_flight_whatever_the_browser_sends() -> None:
    seen: list[int] = []
    clock = Clock(seen.append)
    clock.start(1)
    number = clock.number
    tick(clock, 1, number)
    tick(clock, 1, number)  # a second window on the same notebook
    clock._answer(clock, {"kind": "something else"}, [])
    assert seen == [1]


def test_a_failing_tick_is_acknowledged_too() -> None:
    def fail(_: int) -> None:
        raise RuntimeError

    clock = Clock(fail)
    clock.start(1)
    number = clock.number
    with pytest.raises(RuntimeError):
        tick(clock, 1, number)
    assert clock.number == number + 1


def test_the_browser_code_needs_no_network() -> None:
    source = str(Clock(print)._esm)
    assert "http" not in source
    assert "import" not in source
