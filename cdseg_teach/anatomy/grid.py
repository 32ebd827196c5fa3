"""The lattice that anatomy is drawn on and the coarser one that a study works on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cdseg_teach.problems import Problem


@dataclass(frozen=True)
class Grid:
    """A working grid of slices, and the finer lattice across slices on which anatomy is drawn.

    Anatomy is drawn with `fine` planes to a slice, so that a scanner's slice profile has something
    to average.

    Parameters
    ----------
    shape
        (Z, Y, X), number of slices, rows and columns of the working grid; rows and columns are
        multiples of 8.
    spacing_mm
        (z, y, x), size of a working voxel in mm.
    centre_mm
        (z, y, x), where the grid's centre lies in mm: of MNI152 for brains, from the middle of the
        heart for hearts.
    fine
        Planes of anatomy to a working slice, at least 1.

    Examples
    --------
    >>> Grid().fine_shape
    (48, 96, 96)
    """

    shape: tuple[int, int, int] = (24, 96, 96)
    spacing_mm: tuple[float, float, float] = (4.0, 2.0, 2.0)
    centre_mm: tuple[float, float, float] = (16.0, -17.0, 0.0)
    fine: int = 2

    def __post_init__(self) -> None:
        if min(self.shape) < 1 or self.shape[1] % 8 or self.shape[2] % 8 or self.fine < 1:
            raise Problem(
                f"grid {self.shape}, fine {self.fine}: "
                "rows and columns are multiples of 8, slices and fine at least 1"
            )
        if not all(0 < step < math.inf for step in self.spacing_mm):
            raise Problem(f"grid spacing {self.spacing_mm} mm: give three positive lengths")

    @property
    def fine_shape(self) -> tuple[int, int, int]:
        """(Z·fine, Y, X), the shape of anatomy."""
        return (self.shape[0] * self.fine, *self.shape[1:])

    @property
    def fine_spacing_mm(self) -> tuple[float, float, float]:
        """(z, y, x) size of a voxel of anatomy in mm."""
        return (self.spacing_mm[0] / self.fine, *self.spacing_mm[1:])

    @property
    def fine_voxel_mm3(self) -> float:
        """Volume of a voxel of anatomy in mm³."""
        return float(np.prod(self.fine_spacing_mm))

    @property
    def affine(self) -> np.ndarray:
        """4x4 NIfTI affine of the working grid: voxel (x, y, z) to mm, RAS+."""
        matrix = np.eye(4)
        for axis in range(3):
            size, step = self.shape[2 - axis], self.spacing_mm[2 - axis]
            matrix[axis, axis] = step
            matrix[axis, 3] = self.centre_mm[2 - axis] - step * (size - 1) / 2
        return matrix

    def coordinates(self, device: torch.device | str = "cpu") -> Tensor:
        """Place in mm of the voxels of anatomy: [3, Z·fine, Y, X], order (z, y, x)."""
        axes = [
            centre
            + step * (torch.arange(size, device=device, dtype=torch.float32) - (size - 1) / 2)
            for centre, step, size in zip(
                self.centre_mm, self.fine_spacing_mm, self.fine_shape, strict=True
            )
        ]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def box_mean(field: Tensor, size: int) -> Tensor:
    """Mean over a cube of `size` voxels (odd) around each voxel, zeros outside: [N, Z, Y, X]."""
    # Shifted copies, one axis after the other: five times as fast as avg_pool3d.
    for axis in (1, 2, 3):
        padded = F.pad(field, [0, 0] * (3 - axis) + [size // 2, size // 2])
        total = torch.zeros_like(field)
        for shift in range(size):
            total += padded.narrow(axis, shift, field.shape[axis])
        field = total / size
    return field
