"""Bias field: the coil hears one side better than the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cdseg_teach.methods.augmentation.transform import (
    Parameters,
    Transform,
    only_inside,
    unit_range,
    with_moments_of,
)

_CONTROL_POINTS = 4  # along each side of the slice


@dataclass(frozen=True)
class BiasField(Transform):
    """u ← u · exp(f), f a smooth field, u the slice's own scale from 0 to 1; normalised again.

    f is interpolated from 4x4 control points ~ N(0, σ²), σ ~ U(0, strength); each channel has its
    own.

    Parameters
    ----------
    strength
        Largest σ, 0 or more.

    References
    ----------
    Billot et al. 2023, "SynthSeg": 0.5, and control points at 0.025 of 160 voxels.
    """

    strength: float = 0.5

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Parameters:
        """`control_points` of f, [N, C, 4, 4]."""
        sigma = self.strength * torch.rand(*shape[:2], 1, 1, generator=generator)
        points = torch.randn(*shape[:2], _CONTROL_POINTS, _CONTROL_POINTS, generator=generator)
        return {"control_points": sigma * points}

    def apply(self, images: Tensor, parameters: Parameters, labels: Tensor | None = None) -> Tensor:
        """Slices that are brighter here and darker there."""
        points = parameters["control_points"]
        field = F.interpolate(points, images.shape[2:], mode="bilinear", align_corners=True)
        changed = unit_range(images) * field.exp()
        acts = (points != 0).flatten(2).any(dim=2)
        return only_inside(with_moments_of(images, changed), images, acts)
