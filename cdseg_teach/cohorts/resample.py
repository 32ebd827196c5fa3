"""From a scan's own grid to the working grid, by area.

nibabel's `resample_from_to` does the geometry and the interpolation: nilearn's `resample_img` needs seconds to import, and
neither averages when it goes to larger voxels. So each working voxel is sampled at several points that are averaged.
"""

from __future__ import annotations

import math

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine, rescale_affine, voxel_sizes
from nibabel.processing import resample_from_to

MOST_SAMPLES = (
    4  # a working voxel and axis: beyond that, linear interpolation between them is smooth enough
)

EDGE = "grid-constant"  # scipy's "constant" would drop the outer half of the outermost voxels

Grid = tuple[tuple[int, int, int], np.ndarray]  # shape (X, Y, Z) and affine


def grid_around(
    foreground: np.ndarray,
    affine: np.ndarray,
    spacing_mm: tuple[float, float, float],
    plane: tuple[int, int],
) -> Grid:
    """A grid along the scanner's axes with its centre in the foreground's, and as many slices as that needs.

    Parameters
    ----------
    foreground : bool [X, Y, Z], not empty.
    affine : 4x4 of the foreground.
    spacing_mm : (z, y, x) of the grid in mm.
    plane : rows and columns of a slice.

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
    """The eight corners of the foreground's box in voxels, half a voxel outside of its outermost centres."""
    ends = []
    for axis in range(3):
        there = np.flatnonzero(foreground.any(axis=tuple(a for a in range(3) if a != axis)))
        ends.append((there[0] - 0.5, there[-1] + 0.5))
    return np.array([[x, y, z] for x in ends[0] for y in ends[1] for z in ends[2]])


def by_area(image: nib.Nifti1Image, grid: Grid, *, outside: float = 0.0) -> np.ndarray:
    """The mean of a scan over each voxel of a grid.

    Parameters
    ----------
    image : float32 [X, Y, Z] with its affine.
    grid : shape (X, Y, Z) and affine.
    outside : value beyond the edge of the scan.

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
    fine_affine = rescale_affine(affine, shape, steps / samples, fine_shape)
    fine = resample_from_to(image, (fine_shape, fine_affine), order=1, mode=EDGE, cval=outside)
    blocks = np.asarray(fine.dataobj, np.float32).reshape(
        shape[0], samples[0], shape[1], samples[1], shape[2], samples[2]
    )
    return blocks.mean(axis=(1, 3, 5))


def _extent_of_a_voxel(of: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Size in mm of the first affine's voxels along the second's axes, each by the axis closest to it."""
    axes = along[:3, :3] / voxel_sizes(along)
    share = np.abs(axes.T @ (of[:3, :3] / voxel_sizes(of)))
    sizes = voxel_sizes(of)
    return np.array([sizes[row.argmax()] for row in share])


def labels_by_area(image: nib.Nifti1Image, n_structures: int, grid: Grid) -> np.ndarray:
    """The class that covers the largest part of each voxel of a grid; with one structure, more than half of it.

    Parameters
    ----------
    image : values 0..K [X, Y, Z].
    n_structures : K.
    grid : shape (X, Y, Z) and affine.

    Returns
    -------
    uint8 [X, Y, Z]
    """
    values = np.asarray(image.dataobj)
    best = np.zeros(grid[0], np.uint8)
    covered = np.zeros(grid[0], np.float32)
    largest = np.zeros(grid[0], np.float32)
    for structure in range(1, n_structures + 1):
        share = by_area(
            nib.Nifti1Image((values == structure).astype(np.float32), image.affine), grid
        )
        covered += share
        better = share > largest
        best[better], largest[better] = structure, share[better]
    best[1 - covered >= largest] = 0
    return best
