"""What fills each voxel of the subjects: what brains and hearts have in common."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from cdseg_teach.anatomy.grid import Grid


@dataclass(frozen=True)
class TissueMaps:
    """What fills each voxel of N subjects.

    Parameters
    ----------
    fractions
        [N, T, Z, Y, X] on the grid's lattice of anatomy, 0..1; they sum to at most 1, the rest is
        air.
    grid
        The lattice.
    names
        The T tissues.
    """

    fractions: Tensor
    grid: Grid
    names: tuple[str, ...]

    def __getitem__(self, tissue: str) -> Tensor:
        """Fraction of one tissue: [N, Z, Y, X]."""
        return self.fractions[:, self.names.index(tissue)]

    def filled(self) -> Tensor:
        """Voxels of the working grid that are mostly not air: bool [N, Z, Y, X]."""
        return self.on_working_grid(self.fractions.sum(1)) > 0.5

    def on_working_grid(self, fraction: Tensor) -> Tensor:
        """Mean of a map of anatomy over each working voxel: [N, Z·fine, Y, X] to [N, Z, Y, X]."""
        return F.avg_pool3d(fraction[:, None], (self.grid.fine, 1, 1))[:, 0]
