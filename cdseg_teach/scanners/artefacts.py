"""What a scanner adds to the ideal image: slice profile, bias field, Rician noise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cdseg_teach.anatomy.draw import normal, smooth_field
from cdseg_teach.anatomy.grid import Grid


def slice_profile(fine: Tensor, grid: Grid, thickness_mm: float) -> Tensor:
    """Average anatomy's planes over a rectangular slice: [..., Z·fine, Y, X] to [..., Z, Y, X].

    Parameters
    ----------
    fine
        Any leading dimensions, then the lattice of anatomy.
    grid
        The lattice.
    thickness_mm
        The slice's thickness, above 0. A slice thinner than the working grid's is averaged up to
        it, as resampling a thin-slice scan to that grid does; a thicker one overlaps its
        neighbours. Planes outside the lattice do not count.
    """
    plane_mm = grid.fine_spacing_mm[0]
    half = max(thickness_mm, grid.spacing_mm[0]) / 2
    centres = (torch.arange(grid.shape[0]) + 0.5) * grid.spacing_mm[0]
    planes = (torch.arange(grid.fine_shape[0]) + 0.5) * plane_mm
    lower = torch.maximum(planes[None] - plane_mm / 2, centres[:, None] - half)
    upper = torch.minimum(planes[None] + plane_mm / 2, centres[:, None] + half)
    overlap = (upper - lower).clamp_min(0).to(fine)
    return torch.einsum("sz,...zyx->...syx", overlap / overlap.sum(1, keepdim=True), fine)


def bias_field(grid: Grid, strength: float, draws: Sequence[torch.Generator]) -> Tensor:
    """A multiplicative field exp(strength · g), g smooth with unit variance: [N, 1, Z, Y, X].

    Parameters
    ----------
    grid
        The working grid.
    strength
        Standard deviation of the logarithm, e.g. 0.1 for about ±20 % over the brain.
    draws
        One generator a subject.
    """
    return torch.exp(strength * smooth_field(grid.shape, grid.spacing_mm, 80.0, draws))


def rician_noise(signal: Tensor, sigma: Tensor, draws: Sequence[torch.Generator]) -> Tensor:
    """Magnitude of a signal with complex Gaussian noise: sqrt((S + n1)² + n2²).

    Parameters
    ----------
    signal
        [N, C, Z, Y, X], at least 0.
    sigma
        [N, C], standard deviation of n1 and n2 in the signal's unit; 0 leaves the signal as is.
    draws
        One generator a subject.

    References
    ----------
    Gudbjartsson and Patz 1995, MRM 34:910.
    """
    noise = normal((2, *signal.shape[1:]), draws).to(signal)
    noise = noise * sigma.to(signal)[:, None, :, None, None, None]
    return torch.sqrt((signal + noise[:, 0]) ** 2 + noise[:, 1] ** 2)
