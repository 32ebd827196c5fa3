"""Play, pause, step, reset: the core of every moving picture, without a user interface."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

Report = dict[str, float]


class Player:
    """Advance something step by step, either at once (`run`) or in small portions (`tick`).

    A clock (in the labs the browser's) calls `tick` with the generation that `play` returned. Each
    `play`, `pause` and `reset` starts a new generation, so a tick that was under way before them
    finds itself stale and does nothing: however often the player is restarted, one loop remains.

    Parameters
    ----------
    advance
        Does one step and returns its report, a dict of floats; gets what `step` was given.
    keep
        Longest history that is kept, in steps; beyond it the oldest reports go.
    """

    def __init__(self, advance: Callable[..., Report], keep: int = 20_000) -> None:
        self._advance = advance
        self._lock = threading.RLock()  # kernels with subshells may call from a second thread
        self.history: deque[Report] = deque(maxlen=keep)
        self.generation = 0
        self.playing = False
        self.error: Exception | None = None

    def play(self) -> int:
        """Begin a new loop and return its generation, which its ticks have to name."""
        self.generation += 1
        self.playing, self.error = True, None
        return self.generation

    def pause(self) -> None:
        """Stop after the step that is being done; ticks that are still under way are stale."""
        self.generation += 1
        self.playing = False

    def step(self, **how: Any) -> Report:
        """Do one step and return its report.

        An error pauses the player, is kept in `error`, and is raised.
        """
        with self._lock:
            try:
                report = self._advance(**how)
            # An interrupt, too, must leave the player paused and usable.
            except BaseException as problem:
                self.pause()
                self.error = problem if isinstance(problem, Exception) else None
                raise
            self.history.append(report)
            return report

    def run(self, n: int, after: Callable[[], None] | None = None, **how: Any) -> None:
        """Do n steps at once, calling `after` behind each.

        The same steps and numbers as n steps by the clock.
        """
        self.pause()
        self.error = None
        for _ in range(n):
            self.step(**how)
            if after:
                after()

    def tick(self, generation: int, budget_s: float) -> int:
        """Do steps for `budget_s` seconds (at least one) unless stale; return how many."""
        if not self._lock.acquire(blocking=False):
            return 0  # another thread is stepping
        done, end = 0, time.perf_counter() + budget_s
        try:
            while self.playing and generation == self.generation:
                self.step()
                done += 1
                if time.perf_counter() >= end:
                    break
        except Exception:  # kept in `error` by step(); the lab shows it
            pass
        finally:
            self._lock.release()
        return done

    def reset(self, begin: Callable[[], None] | None = None) -> None:
        """Pause, forget the history and the error, and call `begin` while no step is being done."""
        self.pause()
        with self._lock:
            self.history.clear()
            self.error = None
            if begin:
                begin()
