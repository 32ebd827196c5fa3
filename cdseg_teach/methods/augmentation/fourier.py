"""Fourier mixing: the slow part of the amplitude is style, the phase is anatomy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cdseg_teach.methods.augmentation.transform import Parameters, Transform, only_inside
from cdseg_teach.problems import Problem


@dataclass(frozen=True, eq=False)
class Fourier(Transform):
    """Take the amplitudes of the lowest frequencies from another slice, and keep the phases.

    F(x) ← |F(o)| · F(x) / |F(x)| where both frequencies are below `radius`.

    Parameters
    ----------
    others
        [M, C, H, W] on any device, slices whose style is taken, one at random each time. Those of T
        make it domain adaptation, as published; those of S leave T unseen.
    radius
        In bins, that is cycles a slice, whatever its size: 0 swaps nothing, 1 the mean alone, more
        than half the slice's side everything. As a share of the side, as published, it would swap
        only the mean of a small slice.

    References
    ----------
    Yang & Soatto 2020, "FDA": 0.01 of 512 rows are 5 bins.
    """

    others: Tensor
    radius: int = 5

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Parameters:
        """`other`, the index of the slice whose style is taken, [N]."""
        return {"other": torch.randint(len(self.others), shape[:1], generator=generator)}

    def apply(self, images: Tensor, parameters: Parameters, labels: Tensor | None = None) -> Tensor:
        """Slices in the style of others."""
        if self.others.shape[1:] != images.shape[1:]:
            raise Problem(
                f"slices {tuple(images.shape[1:])} cannot take the style of slices"
                f" {tuple(self.others.shape[1:])}; resample to the same channels and size"
            )
        # Only what is taken moves to the images' device; all of it would be hundreds of megabytes.
        style = self.others[parameters["other"].to(self.others.device)].to(images.device)
        changed = with_amplitudes_of(style, images, self.radius)
        return only_inside(changed, images)


def with_amplitudes_of(others: Tensor, images: Tensor, radius: int) -> Tensor:
    """Images [..., H, W] with the amplitudes of others below a radius in bins."""
    spectrum, style = torch.fft.rfft2(images), torch.fft.rfft2(others)
    amplitude = spectrum.abs()
    # An amplitude of 0 has no phase; 0 will do.
    phase = torch.where(amplitude > 0, spectrum / amplitude, 1)
    height, width = images.shape[-2:]
    rows = torch.fft.fftfreq(height, 1 / height, device=images.device).abs()[:, None]
    columns = torch.fft.rfftfreq(width, 1 / width, device=images.device)[None]
    low = (rows < radius) & (columns < radius)
    change = torch.where(low, (style.abs() - amplitude) * phase, 0)
    return images + torch.fft.irfft2(change, s=(height, width))
