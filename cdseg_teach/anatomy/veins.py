"""Cerebral veins, most of them thinner than a voxel, as the share of each voxel that they fill.

Two populations, drawn as smooth random curves: medullary veins that run through white matter to the
ventricles, and cortical veins that run over the surface in the sulci. A model: their places are
random, only numbers, calibres and courses follow sources.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from cdseg_teach.anatomy.draw import normal, uniform
from cdseg_teach.anatomy.grid import Grid, box_mean

STEP_MM = 1.0
SLAB_MM = 96.0  # the numbers of veins below are for a slab of this height (the default grid)


@dataclass(frozen=True)
class VeinStatistics:
    """How many veins, how long, how wide.

    Attributes
    ----------
    medullary
        Number in a slab 96 mm high; 14 to 36 are seen in a hemisphere at 3 T (Chen et al. 2016,
        Acta Anat Sin 47:796).
    medullary_mm
        Diameters in mm, uniform; 0.2 to 0.3 mm on 3 T SWI (Chen 2016).
    cortical
        Number in that slab; assumed, so that the drawn veins fill 0.5 % of the brain, the part of
        the venous blood volume (2 to 3 %, recalled) that vessels large enough to be drawn carry.
    cortical_mm
        Mean and standard deviation of the diameter in mm; 0.84 and 0.33 over the veins of 20 people
        at 7 T (Huck et al. 2019, the VENAT atlas, Brain Struct Funct 224:2467).
    medullary_length_mm, cortical_length_mm
        Lengths in mm, assumed.
    """

    medullary: int = 50
    medullary_mm: tuple[float, float] = (0.2, 0.3)
    medullary_length_mm: float = 25.0
    cortical: int = 350
    cortical_mm: tuple[float, float] = (0.84, 0.33)
    cortical_length_mm: float = 40.0


def draw_veins(
    maps: dict[str, Tensor],
    grid: Grid,
    draws: Sequence[torch.Generator],
    statistics: VeinStatistics | None = None,
) -> Tensor:
    """Share of each voxel filled by venous blood: [N, Z, Y, X], 0..1.

    Parameters
    ----------
    maps
        Healthy tissue fractions by name, each [N, Z, Y, X].
    grid
        The lattice of anatomy.
    draws
        One generator a subject.
    statistics
        Numbers and calibres.
    """
    s = statistics or VeinStatistics()
    z, y, x = grid.coordinates(maps["grey"].device)
    slab = grid.fine_shape[0] * grid.fine_spacing_mm[0] / SLAB_MM
    # Towards the lateral ventricles (their bodies lie about 12 mm off the midline), in mm.
    inwards = torch.stack([(12.0 - z) * 0.5, -8.0 - y, torch.sign(x) * 12.0 - x])
    central = torch.exp(-((x / 35) ** 2 + ((y + 8) / 50) ** 2))
    white = maps["white"] * central
    surface = box_mean(maps["csf"], 3) * box_mean(maps["grey"], 3) * (1 - central)
    thin = uniform(*s.medullary_mm, (round(s.medullary * slab),), draws)
    wide = (
        s.cortical_mm[0] + s.cortical_mm[1] * normal((round(s.cortical * slab),), draws)
    ).clamp_min(s.medullary_mm[0])
    medullary = _curves(white, inwards[None], s.medullary_length_mm, thin, grid, draws)
    uphill = torch.stack(torch.gradient(surface, dim=(1, 2, 3)), dim=1)
    return (medullary + _curves(surface, uphill, s.cortical_length_mm, wide, grid, draws)).clamp(
        max=0.9
    )


def _curves(
    start: Tensor,
    towards: Tensor,
    length_mm: float,
    diameters_mm: Tensor,
    grid: Grid,
    draws: Sequence[torch.Generator],
) -> Tensor:
    """Smooth random walks as volume shares [N, Z, Y, X].

    They begin in `start` [N, Z, Y, X] and bend along `towards` [1 or N, 3, Z, Y, X], one walk for
    each of the `diameters_mm` [N, K]. Along the gradient of the sulci's map a walk follows the
    sulci.
    """
    number, steps = diameters_mm.shape[1], round(length_mm / STEP_MM)
    device = start.device
    spacing = torch.tensor(grid.fine_spacing_mm, device=device)
    # [N, K, 3] in mm from the first voxel, order (z, y, x).
    positions = _starts(start, number, draws) * spacing
    headings = F.normalize(normal((number, 3), draws).to(device), dim=-1)
    wander = normal((steps, number, 3), draws).to(device)
    share = math.pi / 4 * diameters_mm.to(device) ** 2 * STEP_MM / grid.fine_voxel_mm3
    visited = []
    for step in range(steps):
        visited.append(positions / spacing)
        pull = F.normalize(_look_up(towards, visited[-1]), dim=-1)
        headings = F.normalize(headings + 0.25 * wander[:, step] + 0.25 * pull, dim=-1)
        positions = positions + STEP_MM * headings
    return _deposit(torch.cat(visited, dim=1), share.repeat(1, steps), start.shape[1:])


def _starts(density: Tensor, number: int, draws: Sequence[torch.Generator]) -> Tensor:
    """Voxels [N, K, 3] (z, y, x) drawn with probability proportional to `density` [N, Z, Y, X]."""
    cumulative = density.flatten(1).double().cumsum(1)
    at = torch.stack([torch.rand(number, generator=g, dtype=torch.float64) for g in draws]).to(
        density.device
    )
    flat = torch.searchsorted(cumulative, at * cumulative[:, -1:]).clamp(
        max=cumulative.shape[1] - 1
    )
    return torch.stack(torch.unravel_index(flat, density.shape[1:]), dim=-1).float()


def _look_up(field: Tensor, voxels: Tensor) -> Tensor:
    """The nearest value of a field [1 or N, 3, Z, Y, X] at voxel positions [N, K, 3]: [N, K, 3]."""
    size = torch.tensor(field.shape[2:], device=field.device)
    z, y, x = torch.minimum(voxels.round().long().clamp_min(0), size - 1).unbind(-1)
    rows = torch.arange(voxels.shape[0], device=field.device)[:, None].expand_as(z)
    return field.expand(voxels.shape[0], -1, -1, -1, -1)[rows, :, z, y, x]


def _deposit(voxels: Tensor, share: Tensor, shape: torch.Size) -> Tensor:
    """`share` [N, K] spread trilinearly around positions [N, K, 3]; outside the lattice it is lost.

    Returns [N, *shape].
    """
    corner = voxels.floor()
    rest = voxels - corner
    size = torch.tensor(shape, device=voxels.device)
    canvas = torch.zeros(len(voxels), math.prod(shape), device=voxels.device)
    for shift in itertools.product((0, 1), repeat=3):
        offset = torch.tensor(shift, device=voxels.device)
        at = (corner + offset).long()
        inside = ((at >= 0) & (at < size)).all(-1)
        weight = torch.where(offset.bool(), rest, 1 - rest).prod(-1) * inside
        z, y, x = torch.minimum(at.clamp_min(0), size - 1).unbind(-1)
        canvas.scatter_add_(1, (z * shape[1] + y) * shape[2] + x, weight * share)
    return canvas.view(-1, *shape)
