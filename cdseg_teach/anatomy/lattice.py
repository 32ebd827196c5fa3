"""Volumes with millimetres of their own, brought onto the lattice of anatomy."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cdseg_teach.anatomy.grid import Grid


def on_lattice(voxels: Tensor, affine: np.ndarray, grid: Grid) -> Tensor:
    """Maps [C, Z, Y, X] averaged over the lattice's voxels: [C, Z, Y, X], 0 outside.

    The affine has no rotation, so that each axis is sampled about every millimetre by itself, and
    then averaged.
    """
    per_voxel = [max(1, round(step)) for step in grid.fine_spacing_mm]
    for axis in range(3):
        size, step, k = grid.fine_shape[axis], grid.fine_spacing_mm[axis], per_voxel[axis]
        millimetres = grid.centre_mm[axis] + step / k * (np.arange(size * k) - (size * k - 1) / 2)
        index = (millimetres - affine[2 - axis, 3]) / affine[2 - axis, 2 - axis]
        voxels = _interpolate(voxels, torch.from_numpy(index).float(), axis + 1)
        voxels = voxels.unflatten(axis + 1, (size, k)).mean(axis + 2)
    return voxels


def _interpolate(voxels: Tensor, index: Tensor, axis: int) -> Tensor:
    """Linear interpolation of a tensor at fractional positions along one axis, 0 outside."""
    last = voxels.shape[axis] - 1
    low = index.floor().clamp(0, last - 1).long()
    weight_shape = [-1 if a == axis else 1 for a in range(voxels.ndim)]
    weight = (index - low).clamp(0, 1).view(weight_shape)
    inside = ((index >= 0) & (index <= last)).float().view(weight_shape)
    # Of a mask, only what is looked at becomes numbers.
    below, above = (voxels.index_select(axis, i).float() for i in (low, low + 1))
    return torch.lerp(below, above, weight).mul_(inside)
