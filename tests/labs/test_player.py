"""The player without a user interface."""

from __future__ import annotations

import threading

import pytest

from cdseg_teach.labs.player import Player


class Counter:
    """Something that can be advanced, and that fails when told to."""

    def __init__(self) -> None:
        self.count = 0
        self.fail_at = -1

    def __call__(self, by: int = 1) -> dict[str, float]:
        if self.count == self.fail_at:
            raise RuntimeError("the step failed")
        self.count += by
        return {"count": float(self.count)}


def test_run_does_the_steps_that_the_clock_would_do() -> None:
    at_once, ticked = Player(Counter()), Player(Counter())
    at_once.run(5)
    generation = ticked.play()
    for _ in range(5):
        assert ticked.tick(generation, budget_s=0) == 1
    assert list(at_once.history) == list(ticked.history)


def test_a_tick_works_until_its_budget_is_used() -> None:
    player = Player(Counter())
    assert player.tick(player.play(), budget_s=0.02) > 1


def test_pause_and_reset_make_the_tick_in_flight_stale() -> None:
    player = Player(Counter())
    first = player.play()
    player.pause()
    assert player.tick(first, 0) == 0
    second = player.play()
    assert player.tick(first, 0) == 0
    assert player.tick(second, 0) == 1
    player.reset()
    assert player.tick(second, 0) == 0
    assert list(player.history) == []
    assert not player.playing


def test_fifty_restarts_leave_one_loop() -> None:
    player = Player(Counter())
    generations = [player.play() for _ in range(50)]
    assert sum(player.tick(generation, 0) for generation in generations) == 1


def test_an_error_pauses_and_is_kept_until_the_next_play() -> None:
    counter = Counter()
    counter.fail_at = 2
    player = Player(counter)
    generation = player.play()
    done = player.tick(generation, budget_s=1)
    assert done == 2
    assert not player.playing
    assert str(player.error) == "the step failed"
    assert player.tick(generation, 0) == 0
    counter.fail_at = -1
    player.play()
    assert player.error is None


def test_code_hears_of_the_error_and_of_an_interrupt() -> None:
    def interrupted() -> dict[str, float]:
        raise KeyboardInterrupt

    counter = Counter()
    counter.fail_at = 0
    failing, stopped = Player(counter), Player(interrupted)
    with pytest.raises(RuntimeError, match="the step failed"):
        failing.run(3)
    with pytest.raises(KeyboardInterrupt):
        stopped.run(3)
    counter.fail_at = -1
    failing.run(1)
    assert counter.count == 1
    assert stopped.error is None


def test_what_step_is_given_reaches_the_work() -> None:
    player = Player(Counter())
    assert player.step(by=3) == {"count": 3.0}


def test_the_history_is_bounded() -> None:
    player = Player(Counter(), keep=10)
    player.run(25)
    assert [report["count"] for report in player.history] == list(range(16, 26))


def test_a_second_thread_finds_the_player_busy() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> dict[str, float]:
        begun.set()
        go_on.wait(5)
        return {}

    player = Player(slow)
    generation = player.play()
    thread = threading.Thread(target=player.tick, args=(generation, 0))
    thread.start()
    begun.wait(5)
    assert player.tick(generation, 0) == 0
    go_on.set()
    thread.join(5)
    assert len(player.history) == 1
