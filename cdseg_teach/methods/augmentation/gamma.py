"""Gamma: another contrast between the same tissues, in the same order from dark to bright."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cdseg_teach.methods.augmentation.transform import (
    Parameters,
    Transform,
    only_inside,
    unit_range,
    with_moments_of,
)


@dataclass(frozen=True)
class Gamma(Transform):
    """x ← u^γ with u the slice's own scale from 0 to 1, γ = exp(strength · n), n ~ N(0, 1).

    Mean and spread over the foreground stay what they were; each channel has its own γ.

    Parameters
    ----------
    strength
        Standard deviation of ln γ, 0 or more.

    References
    ----------
    Billot et al. 2023, "SynthSeg", for 0.4; Isensee et al. 2021, "nnU-Net", keeps the statistics.
    """

    strength: float = 0.4

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Parameters:
        """`gamma` [N, C]."""
        return {"gamma": torch.exp(self.strength * torch.randn(*shape[:2], generator=generator))}

    def apply(self, images: Tensor, parameters: Parameters, labels: Tensor | None = None) -> Tensor:
        """Slices with another contrast."""
        gamma = parameters["gamma"]
        changed = unit_range(images) ** gamma[..., None, None]
        return only_inside(with_moments_of(images, changed), images, gamma != 1)
