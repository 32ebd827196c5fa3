"""A chest of discs: every tissue that a scanner of hearts sees, and little time to draw it."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cdseg_teach.anatomy import Grid

TISSUES = (
    "left_blood",
    "right_blood",
    "myocardium",
    "vessel_wall",
    "fat",
    "muscle",
    "lung",
    "cortical_bone",
    "marrow",
    "liver",
)
GRID = Grid(shape=(4, 64, 64), spacing_mm=(8.0, 4.0, 4.0), centre_mm=(0.0, 0.0, 0.0), fine=2)

# Painted one over the other: tissue, centre (y, x) and radius in mm; air around the first.
DISCS = (
    ("fat", (0, 0), 118),
    ("muscle", (0, 0), 106),
    ("lung", (0, -60), 34),
    ("lung", (0, 60), 34),
    ("myocardium", (10, 0), 34),
    ("left_blood", (10, 0), 22),
    ("right_blood", (50, 0), 20),
    ("cortical_bone", (-70, 0), 28),
    ("marrow", (-70, 0), 18),
    ("liver", (62, -55), 24),
    ("vessel_wall", (62, 55), 20),
)


@dataclass(frozen=True)
class Chest:
    """What a scanner asks of tissue maps."""

    fractions: Tensor
    grid: Grid = GRID
    names: tuple[str, ...] = TISSUES

    def __getitem__(self, tissue: str) -> Tensor:
        return self.fractions[:, self.names.index(tissue)]

    def on_working_grid(self, fraction: Tensor) -> Tensor:
        return F.avg_pool3d(fraction[:, None], (self.grid.fine, 1, 1))[:, 0]


def chest(subjects: int = 1, grid: Grid = GRID) -> Chest:
    """The same chest, `subjects` times."""
    _, y, x = grid.coordinates()
    fractions = torch.zeros(len(TISSUES), *grid.fine_shape)
    for tissue, (row, column), radius in DISCS:
        away = torch.hypot(y - row, x - column)
        disc = ((radius - away) / grid.spacing_mm[1] + 0.5).clamp(0, 1)
        fractions *= 1 - disc
        fractions[TISSUES.index(tissue)] += disc
    return Chest(fractions.expand(subjects, -1, -1, -1, -1).contiguous(), grid)


def pure(maps: Chest, tissue: str) -> Tensor:
    """Working voxels that hold nothing else: bool [N, Z, Y, X]."""
    return maps.on_working_grid(maps[tissue]) > 0.999
