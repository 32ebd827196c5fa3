"""Brains of others: a map that says which structure each voxel is becomes healthy tissue maps.

The lesions, the veins and the scanners know where things lie in MNI152, so that a brain is moved to
where the ICBM152 average has its own, by a translation. It is neither turned nor scaled: its shape
is what it is taken for.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from cdseg_teach.anatomy.brain import TEMPLATE_TISSUES, icbm152, with_nuclei
from cdseg_teach.anatomy.grid import Grid
from cdseg_teach.anatomy.lattice import on_lattice
from cdseg_teach.problems import Problem

CEREBRUM_MM = 100.0  # below the top of the brain; what is deeper is cut off at different places
TOP_MM2 = 100.0  # a plane with less tissue is no top: a stray voxel
STRAIGHT = 0.9999  # cosine between an axis of voxels and one of the room: 0.8 degrees
NO_BRAIN = f"shows no brain that is {CEREBRUM_MM / 10:.0f} cm high; see its labels"
CSF = 1 + TEMPLATE_TISSUES.index("csf")


def tissues_of(labels: np.ndarray, meaning: Mapping[str, tuple[int, ...]]) -> np.ndarray:
    """Which tissue each voxel is: uint8 of the same shape, k for the k-th, 0 outside the brain.

    Parameters
    ----------
    labels
        Whole numbers of any type.
    meaning
        The labels of each of :data:`~cdseg_teach.anatomy.brain.TEMPLATE_TISSUES`; all others are
        outside the brain.
    """
    table = np.zeros(max(value for those in meaning.values() for value in those) + 2, np.uint8)
    for number, name in enumerate(TEMPLATE_TISSUES, 1):
        table[list(meaning.get(name, ()))] = number
    which = np.empty_like(labels, np.uint8)
    for plane, those in zip(which, labels, strict=True):  # at once, it would be copied three times
        plane[...] = table[those.clip(0, len(table) - 1).astype(np.intp)]
    return which


def healthy_brain(which: np.ndarray, affine: np.ndarray, grid: Grid | None = None) -> Tensor:
    """Healthy tissue of one brain on the lattice of anatomy, moved to where MNI152 has brains.

    Parameters
    ----------
    which
        As :func:`tissues_of` gives it, [X, Y, Z], axes in the order and direction of RAS+. Where
        no voxel is iron-rich or of the striatum, both are drawn in
        (:func:`~cdseg_teach.anatomy.brain.with_nuclei`).
    affine
        4x4, voxel to mm, without rotation.
    grid
        The lattice, :class:`Grid` by default.

    Returns
    -------
    [5, Z, Y, X], 0..1, together at most 1.

    Raises
    ------
    Problem
        When the axes are askew, or there is no brain of 10 cm.
    """
    grid, which = grid or Grid(), which.T
    if min(which.shape) < 2:
        raise Problem(NO_BRAIN)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if (np.diag(affine)[:3] < STRAIGHT * spacing).any():
        raise Problem("its axes are askew; resample it to axes that are not")
    moved = affine.copy()
    moved[:3, 3] += _middle_of_icbm152() - _middle((which > 0) & (which != CSF), affine)
    fractions = [
        on_lattice(torch.from_numpy(which == number)[None], moved, grid)[0]
        for number in range(1, len(TEMPLATE_TISSUES) + 1)
    ]
    healthy = torch.stack(fractions)
    if not healthy[3:].any():
        healthy = with_nuclei(healthy[:3], grid)
    return _one_piece(healthy)


def _one_piece(tissues: Tensor) -> Tensor:
    """The largest connected part: some maps have fluid at an ear, or where a head ends."""
    pieces, count = ndimage.label((tissues.sum(0) > 0).numpy())
    if not count:
        raise Problem(NO_BRAIN)
    largest = np.bincount(pieces[pieces > 0]).argmax()
    return tissues * torch.from_numpy(pieces == largest)


def _middle(parenchyma: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """(x, y, z) in mm: the middle of a cerebrum seen from above, and the height of its top."""
    x_mm, y_mm, z_mm = np.diag(affine)[:3]
    area = parenchyma.sum(axis=(1, 2)) * x_mm * y_mm
    tops = np.flatnonzero(area >= TOP_MM2)
    if not tops.size or (tops[-1] - tops[0]) * z_mm < CEREBRUM_MM:
        raise Problem(NO_BRAIN)
    top = tops[-1]
    cerebrum = parenchyma[max(0, top - round(CEREBRUM_MM / z_mm)) : top + 1]
    across = [
        np.average(np.arange(cerebrum.shape[axis]), weights=cerebrum.sum(axis=other))
        for axis, other in ((2, (0, 1)), (1, (0, 2)))
    ]
    return affine[:3, :3] @ np.array([*across, top]) + affine[:3, 3]


@functools.lru_cache(maxsize=1)
def _middle_of_icbm152() -> np.ndarray:
    voxels, affine = icbm152()
    return _middle((voxels[0] + voxels[1] > 0.5).numpy(), affine)
