"""What the benchmarks measure with."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable


def seconds(action: Callable[[], object], times: int = 1) -> float:
    """Mean seconds of an action."""
    began = time.perf_counter()
    for _ in range(times):
        action()
    return (time.perf_counter() - began) / times


def peak_gb() -> float:
    """Peak memory of this process in GB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def show(what: str, measured: float, unit: str, budget: str) -> None:
    """Print one line."""
    print(f"{what:44} {measured:8.2f} {unit:8} budget {budget}")
