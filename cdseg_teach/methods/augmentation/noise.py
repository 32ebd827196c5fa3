"""Noise: a shorter scan, a weaker field, a lower dose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cdseg_teach.methods.augmentation.transform import Parameters, Transform, only_inside


@dataclass(frozen=True)
class Noise(Transform):
    """x ← x + σ n with white n ~ N(0, 1) and σ ~ U(0, strength), one σ for each channel.

    Parameters
    ----------
    strength
        Largest σ in standard deviations of the foreground, 0 or more. With 0.3 its mean is the
        0.15 of Ouyang et al. 2022's code.
    """

    strength: float = 0.3

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Parameters:
        """`noise` = σ n, [N, C, H, W]."""
        sigma = self.strength * torch.rand(*shape[:2], 1, 1, generator=generator)
        return {"noise": sigma * torch.randn(*shape, generator=generator)}

    def apply(self, images: Tensor, parameters: Parameters, labels: Tensor | None = None) -> Tensor:
        """Slices with more noise."""
        noise = parameters["noise"]
        return only_inside(images + noise, images, (noise != 0).flatten(2).any(dim=2))
