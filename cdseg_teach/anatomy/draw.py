"""Seeded draws, one generator a subject: no subject depends on what is drawn beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def subject_seed(study_seed: int, *path: str | int) -> int:
    """A 63-bit seed for one subject, from the study's seed and a path, e.g. ("source", "train", 3).

    Examples
    --------
    >>> subject_seed(0, "source", "train", 3) == subject_seed(0, "source", "train", 3)
    True
    """
    words = [study_seed, *(w for part in path for w in (str(part).encode() + b"/"))]
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> 1)


def generators(seeds: Sequence[int]) -> list[torch.Generator]:
    """One generator a subject, on the CPU so that every device sees the same subject."""
    return [torch.Generator().manual_seed(int(seed)) for seed in seeds]


def normal(shape: tuple[int, ...], draws: Sequence[torch.Generator]) -> Tensor:
    """Standard normal numbers [N, *shape], one generator a subject."""
    return torch.stack([torch.randn(shape, generator=g) for g in draws])


def uniform(
    low: float, high: float, shape: tuple[int, ...], draws: Sequence[torch.Generator]
) -> Tensor:
    """Uniform numbers [N, *shape] in [low, high), one generator a subject."""
    return torch.stack([torch.rand(shape, generator=g) for g in draws]) * (high - low) + low


def smooth_field(
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    wavelength_mm: float,
    draws: Sequence[torch.Generator],
    channels: int = 1,
) -> Tensor:
    """Smooth random fields of unit standard deviation: coarse white noise, interpolated.

    Parameters
    ----------
    shape, spacing_mm
        The lattice (Z, Y, X) the field is wanted on, and its voxel size in mm.
    wavelength_mm
        Distance in mm between the control points of the coarse lattice.
    draws
        One generator a subject.
    channels
        Independent fields a subject.

    Returns
    -------
    [N, channels, Z, Y, X]
    """
    coarse = tuple(
        max(2, round(n * s / wavelength_mm)) + 1 for n, s in zip(shape, spacing_mm, strict=True)
    )
    noise = normal((channels, *coarse), draws)
    field = F.interpolate(noise, size=shape, mode="trilinear", align_corners=True)
    return field / field.std(dim=(2, 3, 4), keepdim=True).clamp_min(1e-6)
