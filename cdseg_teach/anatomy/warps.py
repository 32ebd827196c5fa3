"""New subjects from one anatomy: random smooth invertible warps and affine maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from cdseg_teach.anatomy.draw import normal, uniform
from cdseg_teach.anatomy.grid import Grid

SQUARINGS = 6  # exp(v) = (id + v / 2^6) composed with itself 6 times


def _identity(shape: Sequence[int], device: torch.device) -> Tensor:
    """Normalised coordinates [1, Z, Y, X, 3] in grid_sample's order (x, y, z), corners at ±1."""
    theta = torch.eye(3, 4, device=device)[None]
    return F.affine_grid(theta, [1, 1, *shape], align_corners=True)


def _sample(volume: Tensor, where: Tensor, padding: str = "border") -> Tensor:
    return F.grid_sample(volume, where, mode="bilinear", padding_mode=padding, align_corners=True)


def exponential(velocity: Tensor) -> Tensor:
    """Displacement of the flow exp(v) of a stationary velocity field, by scaling and squaring.

    u ← v / 2^k, then k times u(x) ← u(x) + u(x + u(x)). The exact flow is a diffeomorphism; whether
    its discretisation folds is checked with :func:`jacobian_determinant`.

    Parameters
    ----------
    velocity
        [N, 3, Z, Y, X], components (x, y, z) in normalised coordinates (2 = the whole extent).

    Returns
    -------
    Displacement [N, 3, Z, Y, X] in the same units.

    References
    ----------
    Arsigny et al. 2006, A log-Euclidean framework for statistics on diffeomorphisms, MICCAI.
    """
    identity = _identity(velocity.shape[2:], velocity.device)
    displacement = velocity / 2**SQUARINGS
    for _ in range(SQUARINGS):
        there = identity + displacement.permute(0, 2, 3, 4, 1)
        displacement = displacement + _sample(displacement, there)
    return displacement


def jacobian_determinant(where: Tensor) -> Tensor:
    """Determinant of a map's derivative by forward differences: [N, Z-1, Y-1, X-1], identity 1.

    Parameters
    ----------
    where
        [N, Z, Y, X, 3], the map in normalised coordinates (x, y, z). Positive everywhere means that
        nothing folds.
    """
    z, y, x = where.shape[1:4]
    base = where[:, :-1, :-1, :-1]
    a, b, c = (
        ((neighbour - base) * (size - 1) / 2).unbind(-1)
        for neighbour, size in (
            (where[:, :-1, :-1, 1:], x),
            (where[:, :-1, 1:, :-1], y),
            (where[:, 1:, :-1, :-1], z),
        )
    )
    # Written out: five times as fast as torch.linalg.det on many small matrices.
    return (
        a[0] * (b[1] * c[2] - b[2] * c[1])
        + a[1] * (b[2] * c[0] - b[0] * c[2])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
    )


def random_maps(
    grid: Grid,
    draws: Sequence[torch.Generator],
    *,
    global_mm: float = 5.0,
    local_mm: float = 2.0,
    affine: float = 1.0,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Where each voxel of a new subject looks in the template: a smooth warp, then an affine map.

    The warp is the flow of a velocity field with two scales, control points every 32 mm and every
    12 mm. A map that folds (smallest Jacobian determinant at or below 0.1) is drawn with its
    velocity halved until it does not.

    Parameters
    ----------
    grid
        The lattice of anatomy.
    draws
        One generator a subject.
    global_mm, local_mm
        Standard deviation of the two velocity fields in mm; 0 and 0 leave the affine map.
    affine
        Strength of the affine map: 1 draws rotations within ±6°, scales within ±6 %, shifts within
        ±4 mm; 0 is none.
    device
        Where the maps are made.

    Returns
    -------
    [N, Z, Y, X, 3], normalised template coordinates (x, y, z) for grid_sample with
    align_corners=True.
    """
    shape, spacing = grid.fine_shape, grid.fine_spacing_mm
    # (x, y, z) in mm.
    extent = torch.tensor([(n - 1) * s for n, s in zip(shape, spacing, strict=True)]).flip(0)
    velocity = _velocity(grid, draws, 32.0, global_mm) + _velocity(grid, draws, 12.0, local_mm)
    velocity = (velocity / extent.view(1, 3, 1, 1, 1) * 2).to(device)
    matrices = _affine_matrices(draws, affine, extent).to(device)
    scale = torch.ones(len(draws), 1, 1, 1, 1, device=device)
    while True:
        flow = F.interpolate(
            exponential(velocity * scale), size=shape, mode="trilinear", align_corners=True
        )
        where = _identity(shape, velocity.device) + flow.permute(0, 2, 3, 4, 1)
        where = (
            torch.einsum("nij,nzyxj->nzyxi", matrices[:, :, :3], where)
            + matrices[:, None, None, None, :, 3]
        )
        folded = jacobian_determinant(where).flatten(1).amin(1) <= 0.1
        if not folded.any():
            return where
        scale = torch.where(folded.view(-1, 1, 1, 1, 1), scale / 2, scale)


def resample(volume: Tensor, where: Tensor) -> Tensor:
    """A template [1 or N, C, Z, Y, X] seen through maps [N, Z, Y, X, 3], 0 outside."""
    return _sample(volume.expand(where.shape[0], -1, -1, -1, -1), where, padding="zeros")


def _velocity(
    grid: Grid, draws: Sequence[torch.Generator], wavelength_mm: float, std_mm: float
) -> Tensor:
    """Smooth random velocity [N, 3, z, y, x] in mm on a lattice of about 8 mm."""
    extents = [n * s for n, s in zip(grid.fine_shape, grid.fine_spacing_mm, strict=True)]
    lattice = [max(4, round(e / 8)) for e in extents]
    coarse = [max(3, round(e / wavelength_mm) + 1) for e in extents]
    noise = normal((3, *coarse), draws)
    return F.interpolate(noise, size=lattice, mode="trilinear", align_corners=True) * std_mm


def _affine_matrices(
    draws: Sequence[torch.Generator], strength: float, extent_mm: Tensor
) -> Tensor:
    """Random affine maps [N, 3, 4] in normalised coordinates."""
    angles = torch.deg2rad(uniform(-6.0, 6.0, (3,), draws)) * strength
    scales = 1 + uniform(-0.06, 0.06, (3,), draws) * strength
    shifts = uniform(-4.0, 4.0, (3,), draws) * strength / extent_mm * 2
    generator = torch.zeros(len(draws), 3, 3)
    generator[:, 0, 1], generator[:, 0, 2], generator[:, 1, 2] = (
        -angles[:, 2],
        angles[:, 1],
        -angles[:, 0],
    )
    # One by one: in a batch, matrix_exp rounds each matrix according to the others.
    rotation = torch.stack([torch.matrix_exp(g - g.T) for g in generator])
    in_mm = rotation * scales[:, None, :]
    in_units = in_mm * extent_mm[None, None, :] / extent_mm[None, :, None]
    return torch.cat([in_units, shifts[:, :, None]], dim=2)
