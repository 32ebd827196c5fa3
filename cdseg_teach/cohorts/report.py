"""What was found in a folder: one line a subject."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from cdseg_teach.cohorts.layout import SubjectFiles, find_subjects
from cdseg_teach.cohorts.volumes import Scan, open_volume, read_label


def overview(folder: str | Path) -> pd.DataFrame:
    """A table of a cohort on disk: who is there, with which channels, on which grid.

    Parameters
    ----------
    folder
        In the layout of :mod:`cdseg_teach.cohorts.layout`.

    Returns
    -------
    Indexed by subject: `channels`; of the first one `voxels`, `spacing (mm)` and `axes` (R, A, S
    are towards right, front, head); `label (ml)`, the volume of all structures, or - without one.

    Raises
    ------
    Problem
        When the folder or a volume cannot be read.
    """
    lines = {subject.name: _line(subject) for subject in find_subjects(Path(folder))}
    columns = ["channels", "voxels", "spacing (mm)", "axes", "label (ml)"]
    return pd.DataFrame.from_dict(lines, orient="index", columns=columns).rename_axis("subject")


def _line(subject: SubjectFiles) -> list[str]:
    grid = ["-", "-", "-"]
    if subject.channels:
        image = open_volume(next(iter(subject.channels.values())))
        spacing = nib.affines.voxel_sizes(image.affine)
        grid = [
            " × ".join(str(count) for count in image.shape[:3]),
            " × ".join(f"{size:.3g}" for size in spacing),
            "".join(nib.aff2axcodes(image.affine)),
        ]
    label = "-" if subject.label is None else f"{_volume_of(subject.label):.1f}"
    return [", ".join(subject.channels), *grid, label]


def _volume_of(label: Scan) -> float:
    mask = read_label(label, None)
    return millilitres(np.asarray(mask.dataobj), mask.affine)


def millilitres(mask: np.ndarray, affine: np.ndarray) -> float:
    """The volume of everything in a mask that is not 0: n |det A| / 1000, A in mm.

    Parameters
    ----------
    mask
        [X, Y, Z].
    affine
        4x4, of which A is the first three rows and columns.
    """
    return float(np.count_nonzero(mask) * abs(np.linalg.det(affine[:3, :3])) / 1000)
