"""From a scan's own grid to the working grid, by area, and back to the nearest voxel.

scipy interpolates. nibabel's `resample_from_to` and nilearn's `resample_img` do not average when
voxels become larger, and never take scipy's short way for grids with the same axes (half the time).
"""

from __future__ import annotations

import math

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.affines import apply_affine, from_matvec, to_matvec, voxel_sizes
from scipy.ndimage import affine_transform

from cdseg_teach.problems import Problem

MOST_SAMPLES = 4  # along an axis of a working voxel; with more, its mean hardly changes

Grid = tuple[tuple[int, ...], np.ndarray]  # shape (X, Y, Z) and affine


def check_grid(spacing_mm: tuple[float, float, float], plane: tuple[int, int]) -> None:
    """A Problem unless a working grid has lengths, and slices that the U-Net can halve thrice."""
    whole = min(plane) >= 8 and plane[0] % 8 == plane[1] % 8 == 0
    if not (whole and all(0 < step < math.inf for step in spacing_mm)):
        raise Problem(
            f"spacing {spacing_mm} mm, plane {plane}: give positive lengths and multiples of 8"
        )


def grid_around(
    foreground: np.ndarray,
    affine: np.ndarray,
    spacing_mm: tuple[float, float, float],
    plane: tuple[int, int],
) -> Grid:
    """A grid around the foreground, along the axes of space, with as many slices as it needs.

    Parameters
    ----------
    foreground
        bool [X, Y, Z], not empty.
    affine
        4x4 of the foreground.
    spacing_mm
        (z, y, x) of the grid in mm.
    plane
        Rows and columns of a slice.

    Returns
    -------
    Shape (X, Y, Z) and affine of the grid.
    """
    corners = apply_affine(affine, _corners(foreground))
    low, high = corners.min(axis=0), corners.max(axis=0)
    steps = np.array(spacing_mm[::-1])
    shape = (plane[1], plane[0], max(1, math.ceil((high[2] - low[2]) / steps[2])))
    matrix = np.diag([*steps, 1.0])
    matrix[:3, 3] = (low + high) / 2 - steps * (np.array(shape) - 1) / 2
    return shape, matrix


def _corners(foreground: np.ndarray) -> np.ndarray:
    """The corners of the foreground's box in voxels, half a voxel beyond the outermost centres."""
    ends = []
    for axis in range(3):
        there = np.flatnonzero(foreground.any(axis=tuple(a for a in range(3) if a != axis)))
        ends.append((there[0] - 0.5, there[-1] + 0.5))
    return np.array([[x, y, z] for x in ends[0] for y in ends[1] for z in ends[2]])


def by_area(image: nib.Nifti1Image, grid: Grid, *, outside: float = 0.0) -> np.ndarray:
    """The mean of a scan over each voxel of a grid.

    Parameters
    ----------
    image
        Numbers of any type [X, Y, Z] with its affine.
    grid
        Shape (X, Y, Z) and affine.
    outside
        Value beyond the edge of the scan.

    Returns
    -------
    float32 [X, Y, Z]
    """
    shape, affine = grid
    steps = voxel_sizes(affine)
    samples = [
        int(np.clip(np.ceil(step / size - 0.01), 1, MOST_SAMPLES))
        for step, size in zip(steps, _extent_of_a_voxel(image.affine, affine), strict=True)
    ]
    fine_shape = tuple(n * s for n, s in zip(shape, samples, strict=True))
    fine_affine = affine @ _first_samples(np.array(samples))
    fine = _interpolate(image, (fine_shape, fine_affine), np.float32, order=1, outside=outside)
    blocks = fine.reshape(shape[0], samples[0], shape[1], samples[1], shape[2], samples[2])
    return blocks.mean(axis=(1, 3, 5))


def nearest(image: nib.Nifti1Image, grid: Grid) -> np.ndarray:
    """The value of the nearest voxel of an image at each voxel of a grid [X, Y, Z], 0 outside."""
    return _interpolate(image, grid, image.get_data_dtype(), order=0, outside=0.0)


def _interpolate(
    image: nib.Nifti1Image, grid: Grid, dtype: npt.DTypeLike, *, order: int, outside: float
) -> np.ndarray:
    shape, affine = grid
    matrix, shift = to_matvec(np.linalg.inv(image.affine) @ affine)
    scales = np.diag(matrix)
    if np.abs(matrix - np.diag(scales)).max() * max(shape) < 1e-3:  # voxels: the same axes
        matrix = scales  # which scipy takes as leave to go axis by axis
    data = np.asarray(image.dataobj)
    edge = "grid-constant"  # "constant" would drop the outer half of the outermost voxels
    return affine_transform(data, matrix, shift, shape, dtype, order=order, mode=edge, cval=outside)


def _first_samples(samples: np.ndarray) -> np.ndarray:
    """From samples, so many along each axis of a voxel, to voxels: the first is off-centre."""
    return from_matvec(np.diag(1 / samples), (1 / samples - 1) / 2)


def _extent_of_a_voxel(of: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Size in mm of the first affine's voxels along the second's axes, by the closest axis."""
    axes = along[:3, :3] / voxel_sizes(along)
    share = np.abs(axes.T @ (of[:3, :3] / voxel_sizes(of)))
    sizes = voxel_sizes(of)
    return np.array([sizes[row.argmax()] for row in share])


def labels_by_area(image: nib.Nifti1Image, n_structures: int, grid: Grid) -> np.ndarray:
    """The class that covers the largest part of each voxel of a grid.

    With one structure: 1 where it covers more than half of the voxel.

    Parameters
    ----------
    image
        Values 0..K [X, Y, Z].
    n_structures
        K.
    grid
        Shape (X, Y, Z) and affine.

    Returns
    -------
    uint8 [X, Y, Z]
    """
    values = np.asarray(image.dataobj)
    best = np.zeros(grid[0], np.uint8)
    covered = np.zeros(grid[0], np.float32)
    largest = np.zeros(grid[0], np.float32)
    for structure in range(1, n_structures + 1):
        alone = values == structure
        if not alone.any():
            continue
        share = by_area(nib.Nifti1Image(alone.astype(np.uint8), image.affine), grid)
        covered += share
        better = share > largest
        best[better], largest[better] = structure, share[better]
    best[1 - covered >= largest] = 0
    return best
