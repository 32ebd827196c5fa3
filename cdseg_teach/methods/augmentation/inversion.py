"""Inversion: dark becomes bright, as blood may from one sequence to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cdseg_teach.methods.augmentation.transform import Parameters, Transform


@dataclass(frozen=True)
class Inversion(Transform):
    """x ← −x in some channels: twice is never, and zero mean and unit spread remain.

    Parameters
    ----------
    strength
        Probability that a channel is inverted, 0 to 1. 0.5 is chosen: then a network that learns
        "bright" or "dark" is wrong every other time.
    """

    strength: float = 0.5

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Parameters:
        """`inverted`, bool [N, C]."""
        return {"inverted": torch.rand(*shape[:2], generator=generator) < self.strength}

    def apply(self, images: Tensor, parameters: Parameters, labels: Tensor | None = None) -> Tensor:
        """Slices with some channels turned around."""
        return torch.where(parameters["inverted"][..., None, None], -images, images)
