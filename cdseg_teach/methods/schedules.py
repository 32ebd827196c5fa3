"""How numbers change during a run: the learning rate, and alpha's warm-up.

A warm-up is a function from the number of steps done to a factor in 0..1; the effective weight of
L_adv is alpha times that factor.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Ramp = Callable[[int], float]


def none() -> Ramp:
    """No warm-up: the full alpha from the first step on."""
    return lambda step: 1.0


def linear(start: int, length: int) -> Ramp:
    """0 up to step `start`, then a straight line that reaches 1 after `length` more steps."""
    return lambda step: min(1.0, max(0.0, (step - start) / length))


def dann(length: int, gamma: float = 10.0) -> Ramp:
    """lambda(p) = 2 / (1 + exp(-gamma p)) - 1 with p = step / length, and p = 1 afterwards.

    References
    ----------
    Ganin et al. 2016, "Domain-adversarial training of neural networks", section 5.2.2.
    """
    return lambda step: 2.0 / (1.0 + math.exp(-gamma * min(1.0, step / length))) - 1.0


def warm_up_and_cosine(step: int, length: int, rise: float = 0.12, floor: float = 0.03) -> float:
    """The learning rate's factor: a straight line up, a half cosine down, and its floor afterwards.

    The line takes the share `rise` of the steps; the cosine reaches `floor` at step `length`.
    """
    up = max(1, round(rise * length))
    if step < up:
        return (step + 1) / up
    p = min(1.0, (step - up) / max(1, length - up))
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * p))
