"""One subject's files become a Subject: read, averaged onto the working grid, normalised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import nibabel as nib
import numpy as np
from nibabel.affines import apply_affine, voxel_sizes
from scipy.ndimage import binary_fill_holes

from cdseg_teach.cohorts.layout import SubjectFiles
from cdseg_teach.cohorts.normalise import normalise
from cdseg_teach.cohorts.resample import Grid, by_area, grid_around, labels_by_area, nearest
from cdseg_teach.cohorts.study import Subject
from cdseg_teach.cohorts.volumes import read_channel, read_label
from cdseg_teach.problems import Problem

CUT_OUT = 0.99  # of the voxels in the corners, when somebody has cut out the body


@dataclass(frozen=True)
class Conversion:
    """How the subjects of a cohort are read.

    Parameters
    ----------
    channels
        Files to read, in the order of the image's channels.
    structures
        Names of label 1..K.
    spacing_mm
        (z, y, x) of the working grid in mm.
    plane
        Rows and columns of a slice; of the body, what lies beyond is cut off.
    prepared
        The volumes are on the working grid and normalised already; they are taken as they are.
    values
        Which structure each value in a mask stands for, 0 for background; None: k for structure k.
    """

    channels: tuple[str, ...]
    structures: tuple[str, ...]
    spacing_mm: tuple[float, float, float] = (4.0, 2.0, 2.0)
    plane: tuple[int, int] = (96, 96)
    prepared: bool = False
    values: Mapping[int, int] | None = None


def read_subject(files: SubjectFiles, conversion: Conversion, *, name: str) -> Subject:
    """One subject on the working grid.

    Parameters
    ----------
    files
        Its volumes; their headers agree (:func:`~cdseg_teach.cohorts.checks.file_problems`).
    conversion
        What to read and onto which grid.
    name
        Of the subject in the study.

    Raises
    ------
    Problem
        When a volume cannot be read or holds nothing, or a mask reaches beyond the grid.
    """
    subject = _on_working_grid(files, conversion, name)
    # Channels share one grid, so any of them says where a prediction has to lie.
    return replace(subject, scan=files.channels[conversion.channels[0]].file)


def _on_working_grid(files: SubjectFiles, conversion: Conversion, name: str) -> Subject:
    if conversion.prepared:
        return _as_it_is(files, conversion, name)
    image, grid = _image(files, conversion)  # whose scans are gone when the mask is read
    if files.label is None:
        return _subject(name, image, None, grid[1])
    label = read_label(files.label, conversion.structures, conversion.values)
    _check_covered(label, grid, files)
    mask = labels_by_area(label, len(conversion.structures), grid)
    return _subject(name, image, mask, grid[1])


def _as_it_is(files: SubjectFiles, conversion: Conversion, name: str) -> Subject:
    images = [read_channel(files.channels[channel]) for channel in conversion.channels]
    data = np.stack([np.asarray(image.dataobj) for image in images])
    mask = None
    if files.label:
        label = read_label(files.label, conversion.structures, conversion.values)
        mask = np.asarray(label.dataobj).astype(np.uint8)
    return _subject(name, data, mask, images[0].affine)


def _image(files: SubjectFiles, conversion: Conversion) -> tuple[np.ndarray, Grid]:
    """The channels [C, X, Y, Z] averaged and normalised, and the grid that they are on."""
    images = [read_channel(files.channels[channel]) for channel in conversion.channels]
    backgrounds = [_background(image) for image in images]
    foreground = _foreground(images, backgrounds)
    affine = images[0].affine
    grid = grid_around(foreground, affine, conversion.spacing_mm, conversion.plane)
    data = np.stack([by_area(i, grid, outside=b) for i, b in zip(images, backgrounds, strict=True)])
    inside = nearest(nib.Nifti1Image(foreground.astype(np.uint8), affine), grid)
    return normalise(data, binary_fill_holes(inside)), grid


def _check_covered(label: nib.Nifti1Image, grid: Grid, files: SubjectFiles) -> None:
    """A Problem when structures lie beyond the working grid, whose plane may be too small."""
    shape, affine = grid
    to_grid = np.linalg.inv(affine) @ label.affine
    marked = beyond = 0
    for x, plane in enumerate(np.asarray(label.dataobj)):  # all places at once: a gigabyte in a CT
        where = np.insert(np.argwhere(plane > 0), 0, x, axis=1)
        on_grid = apply_affine(to_grid, where)
        marked += len(where)
        beyond += int(((on_grid < -0.5) | (on_grid > np.array(shape) - 0.5)).any(axis=1).sum())
    if beyond:
        what = f"{max(1, round(100 * beyond / marked))} % of what it marks is beyond the grid"
        cure = "give a larger plane (of load_study, or data convert --plane) or spacing"
        raise Problem(f"{files.label}: {what}; {cure}")


def _background(image: nib.Nifti1Image) -> float:
    """The value in the volume's corners, outside the body: 0 in most MR, -1000 or so in CT."""
    return float(np.median(np.asarray(image.dataobj)[np.ix_([0, -1], [0, -1], [0, -1])]))


def _foreground(images: list[nib.Nifti1Image], backgrounds: list[float]) -> np.ndarray:
    """Where any channel shows the body, bool [X, Y, Z].

    Where a volume's corners hold one value, the body was cut out, and is what differs from that.
    Elsewhere there is noise around it, and it is what is brighter than Otsu's threshold between air
    and body.
    """
    shown = []
    for image, background in zip(images, backgrounds, strict=True):
        volume = np.asarray(image.dataobj)
        different = volume != background
        ends = np.ix_(*([*range(n), *range(-n, 0)] for n in (1 + np.array(different.shape) // 16)))
        cut_out = different[ends].mean() < 1 - CUT_OUT
        threshold = None if cut_out else _otsu(volume)
        shown.append(different if threshold is None else volume > threshold)
    return np.logical_or.reduce(shown)


def _otsu(volume: np.ndarray) -> float | None:
    """The threshold with the largest variance between the two sides; None where all is alike.

    Otsu 1979, IEEE Transactions on Systems, Man, and Cybernetics 9:62, on every other voxel along
    each axis, without the brightest: a few vessels would stretch the histogram's bins.
    """
    some = volume[::2, ::2, ::2]
    low, high = some.min(), np.percentile(some, 99.5)
    if not low < high:
        return None
    counts, edges = np.histogram(some, 256, (low, high))
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = below[-1] + counts[-1] - below
    sums = np.cumsum(counts * middles)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (sums[:-1] / below - (sums[-1] - sums[:-1]) / above) ** 2
    return float(edges[1 + np.nanargmax(between)])


def _subject(name: str, image: np.ndarray, label: np.ndarray | None, affine: np.ndarray) -> Subject:
    """From nibabel's [..., X, Y, Z] to ours."""
    x, y, z = (float(size) for size in voxel_sizes(affine))
    return Subject(
        name=name,
        image=np.ascontiguousarray(image.transpose(0, 3, 2, 1), dtype=np.float32),
        label=None if label is None else np.ascontiguousarray(label.T),
        spacing_mm=(z, y, x),
        affine=affine,
    )
