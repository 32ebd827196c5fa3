"""The machine underneath: which device, how many cores, where caches live."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs
import torch

from cdseg_teach.problems import Problem


def pick_device(name: str | torch.device = "auto") -> torch.device:
    """The device to compute on; `"auto"` takes a CUDA GPU where one can be used.

    Raises
    ------
    Problem
        If the device is unknown to torch, or is a GPU that is not there.
    """
    _keep_threads_within_cores()
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise Problem(f"device {name!r} is unknown; use 'auto', 'cpu' or 'cuda'") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise Problem(f"device {str(name)!r} is not available here; use 'auto' or 'cpu'")
    return device


def available_cores() -> int:
    """The number of cores this process may use: its affinity, or its container's quota if lower."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min(cores, _container_quota() or cores))


def cache_dir() -> Path:
    """The folder for what can be computed again; the variable CDSEG_TEACH_CACHE overrides it."""
    chosen = os.environ.get("CDSEG_TEACH_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("cdseg_teach"))


def _container_quota(file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int | None:
    """Whole cores that a Linux container is allowed, if limited; the file holds `quota period`."""
    try:
        quota, period = file.read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else max(1, int(quota) // int(period))


def _keep_threads_within_cores() -> None:
    # More threads than cores spin against each other (tenfold slower beside a second kernel);
    # fewer is the user's own choice (OMP_NUM_THREADS) and stays.
    cores = available_cores()
    if torch.get_num_threads() > cores:
        torch.set_num_threads(cores)
