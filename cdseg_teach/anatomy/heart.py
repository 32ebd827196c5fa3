"""Hearts: one real heart, moved and warped into subjects, in a modelled thorax.

From a real CT: chambers, their walls, the beginnings of both great vessels (atlas.py). Modelled:
everything around them (thorax.py), and how the heart differs between people and through the beat
(motion.py). It is one heart: no subject has another branching, a thrombus or a scar; papillary
muscles and valves are not in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from cdseg_teach.anatomy import atlas
from cdseg_teach.anatomy.draw import generators, uniform
from cdseg_teach.anatomy.grid import Grid
from cdseg_teach.anatomy.maps import TissueMaps
from cdseg_teach.anatomy.motion import move
from cdseg_teach.anatomy.thorax import thorax_at
from cdseg_teach.anatomy.warps import random_maps

STRUCTURES = ("LV", "RV", "LA", "RA", "MYO", "AO", "PA")
HEART_TISSUES = (
    *("left_blood", "right_blood", "myocardium", "vessel_wall", "fat", "muscle"),
    *("lung", "cortical_bone", "marrow", "liver"),
)
TISSUE_OF = {
    **dict.fromkeys(("LV", "LA", "AO"), "left_blood"),
    **dict.fromkeys(("RV", "RA", "PA"), "right_blood"),
    **dict.fromkeys(("MYO", "other_wall"), "myocardium"),
    **dict.fromkeys(("AO_wall", "PA_wall"), "vessel_wall"),
}

# A stack of cine slices of 8 mm, 128 mm from the apex (its last millimetres may be cut) to the
# branching of the pulmonary artery; 240 mm in the plane show the whole thorax but its right flank.
HEART_GRID = Grid((16, 96, 96), (8.0, 2.5, 2.5), centre_mm=(12.0, -30.0, 5.0), fine=4)

SUBCUTANEOUS_MM = (6.0, 20.0)  # fat between skin and muscle, chosen
SHELL_MM = 1.5  # cortical bone of ribs, sternum and vertebrae, chosen


@dataclass(frozen=True)
class HeartMaps(TissueMaps):
    """What fills each voxel of N chests, and which structure of the heart it belongs to.

    Parameters
    ----------
    fractions, grid, names
        As in :class:`~cdseg_teach.anatomy.maps.TissueMaps`; the tissues are
        :data:`HEART_TISSUES`.
    structures
        [N, 7, Z, Y, X], the share of each voxel that each of :data:`STRUCTURES` fills.
    """

    names: tuple[str, ...] = HEART_TISSUES
    structures: Tensor = field(kw_only=True)

    def body(self) -> Tensor:
        """Voxels of the working grid that are mostly not air: bool [N, Z, Y, X]."""
        return self.filled()

    def label(self) -> Tensor:
        """The reference segmentation: uint8 [N, Z, Y, X], k is :data:`STRUCTURES`[k − 1].

        A voxel belongs to what fills most of it, the background included.
        """
        shares = torch.stack([self.on_working_grid(s) for s in self.structures.unbind(1)], dim=1)
        background = 1 - shares.sum(1, keepdim=True)
        return torch.cat([background, shares], dim=1).argmax(1).to(torch.uint8)


def heart_subjects(
    seeds: Sequence[int], grid: Grid | None = None, device: torch.device | str = "cpu"
) -> HeartMaps:
    """Tissue maps of one new chest a seed, the same whatever is drawn beside it.

    Parameters
    ----------
    seeds
        One non-negative integer a subject.
    grid
        The lattice, :data:`HEART_GRID` by default; its coordinates are mm from the middle of the
        heart.
    device
        Where the maps live; the random numbers are always drawn on the CPU.
    """
    grid = grid or HEART_GRID
    draws = generators(seeds)
    warped = random_maps(grid, draws, global_mm=5.0, local_mm=1.5, affine=1.0, device=device)
    points = move(_millimetres(warped, grid), draws)
    fat_mm = uniform(*SUBCUTANEOUS_MM, (1, 1, 1), draws).to(points)
    return _fill(points, fat_mm, grid)


def _millimetres(where: Tensor, grid: Grid) -> Tensor:
    """Normalised coordinates of the lattice in mm: [N, Z, Y, X, 3], order (x, y, z)."""
    half = [(n - 1) * s / 2 for n, s in zip(grid.fine_shape, grid.fine_spacing_mm, strict=True)]
    return where * where.new_tensor(half[::-1]) + where.new_tensor(grid.centre_mm[::-1])


def _fill(points: Tensor, fat_mm: Tensor, grid: Grid) -> HeartMaps:
    """Paint from front to back: each layer fills its part of what the ones before it left."""
    shares = dict(zip(atlas.LABELS, atlas.heart_at(points).unbind(1), strict=True))
    tissues = {name: torch.zeros_like(shares["LV"]) for name in HEART_TISSUES}
    for name, share in shares.items():
        tissues[TISSUE_OF[name]] += share
    left = 1 - sum(shares.values())
    edge_mm = grid.spacing_mm[1]
    for name, distance in _layers(thorax_at(points), fat_mm):
        share = (0.5 - distance / edge_mm).clamp(0, 1) * left
        left = left - share
        if name in STRUCTURES:
            shares[name] += share
        if name != "air":
            tissues[TISSUE_OF.get(name, name)] += share
    return HeartMaps(
        torch.stack(list(tissues.values()), dim=1),
        grid,
        structures=torch.stack([shares[name] for name in STRUCTURES], dim=1),
    )


def _layers(organs: dict[str, Tensor], fat_mm: Tensor) -> Iterator[tuple[str, Tensor]]:
    """What is painted, from front to back: a tissue or structure, and the distance to its surface.

    A layer behind reaches under the ones before it, so that no seam of something else is left.
    """
    o = organs
    yield from (("AO", o["ascending"]), ("left_blood", o["aorta"]), ("vessel_wall", o["aorta"] - 2))
    yield from (("PA", o["trunk"]), ("right_blood", o["pulmonary"]))
    yield "vessel_wall", o["pulmonary"] - 1.5
    yield from (("right_blood", o["cavae"]), ("vessel_wall", o["cavae"] - 1))
    yield from (("left_blood", o["pulmonary_veins"]), ("vessel_wall", o["pulmonary_veins"] - 1))
    yield from (("air", o["airway"]), ("muscle", o["airway"] - 1.5), ("muscle", o["oesophagus"]))
    yield from (("muscle", o["canal"]), ("muscle", o["disc"]))
    for bone in ("spine", "sternum", "ribs"):
        yield from (("marrow", o[bone] + SHELL_MM), ("cortical_bone", o[bone]))
    yield from (("muscle", o["spine"] - 6), ("fat", o["heart"] - 3))
    below = torch.maximum(o["abdomen"], o["cavity"])
    yield "liver", torch.maximum(o["liver"], below)
    yield "muscle", torch.maximum(o["spleen"], below)  # spleen and stomach
    yield from (("fat", below + 3), ("muscle", below))  # below the diaphragm; the diaphragm
    yield "lung", torch.maximum(o["cavity"], -o["mediastinum"])
    yield from (("fat", o["cavity"]), ("muscle", o["wall"]), ("fat", o["wall"] - fat_mm))
