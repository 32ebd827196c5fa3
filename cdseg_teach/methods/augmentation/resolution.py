"""Low resolution: fewer, larger pixels, interpolated back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cdseg_teach.methods.augmentation.transform import Parameters, Transform, only_inside


@dataclass(frozen=True)
class LowResolution(Transform):
    """Average over pixels that are larger by a factor f, then interpolate linearly: it blurs.

    f ~ U(1, 1 + strength) along each axis by itself, the same in all channels.

    Parameters
    ----------
    strength
        1 makes pixels up to twice as large, 0 leaves them.

    References
    ----------
    Isensee et al. 2021, "nnU-Net": zoom between 0.5 and 1.
    """

    strength: float = 1.0

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Parameters:
        """`factor` along H and W, [N, 2]."""
        return {"factor": 1 + self.strength * torch.rand(shape[0], 2, generator=generator)}

    def apply(self, images: Tensor, parameters: Parameters, labels: Tensor | None = None) -> Tensor:
        """Slices with less detail."""
        factor = parameters["factor"]
        rows, columns = (
            coarse_and_back(size, factor[:, axis])[:, None]
            for axis, size in enumerate(images.shape[2:])
        )
        changed = rows @ images @ columns.mT
        return only_inside(changed, images, (factor != 1).any(dim=1, keepdim=True))


def coarse_and_back(size: int, factor: Tensor) -> Tensor:
    """Matrices that average `size` pixels to larger ones and interpolate back.

    Parameters
    ----------
    size
        Pixels along the axis.
    factor
        [N], how much larger pixels get, 1 or more.

    Returns
    -------
    [N, size, size]; each row sums to 1.
    """
    width = factor[:, None, None]
    pixel = torch.arange(size, device=factor.device, dtype=factor.dtype)
    fine, coarse = pixel[None, None, :], pixel[None, :, None]
    overlap = torch.minimum(fine + 1, (coarse + 1) * width) - torch.maximum(fine, coarse * width)
    overlap = overlap.clamp_min(0)
    average = overlap / overlap.sum(dim=2, keepdim=True).clamp_min(1e-6)

    # Where the centre of a fine pixel lies, counted in coarse ones. The outermost may be cut by the
    # border; what is only rounding is none.
    last = torch.ceil(size / width - 1e-3) - 1
    at = ((coarse + 0.5) / width - 0.5).clamp_min(0).minimum(last)
    interpolate = (1 - (at - fine).abs()).clamp_min(0)
    return interpolate @ average
