"""NIfTI in and out: volumes are checked before use, cohorts are written whole or not at all."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.openers import ImageOpener

from cdseg_teach.cohorts.layout import CARD_FILE, LABEL_NAMES, place, with_prefix
from cdseg_teach.cohorts.resample import nearest
from cdseg_teach.cohorts.study import Cohort, Subject
from cdseg_teach.problems import Problem

MAX_VOXELS = 512**3  # half a GB as float32, more than any scan this software is meant for
DEFLATE_LIMIT = 1032  # gzip cannot make anything smaller than by this factor
SMALLEST_SPACING_MM = 1e-3
CHUNK = 2**20  # bytes that are read at a time where only the end of a file matters
FLATTEST_VOXEL = 1e-3  # volume of a voxel over the product of its edges: 1 at right angles


def open_volume(file: Path) -> nib.Nifti1Image:
    """A 3-D volume whose header makes sense; its voxels are not read yet.

    Raises
    ------
    Problem
        When the file cannot be opened, is not 3-D, has no usable affine, or claims more voxels than
        it can hold.
    """
    try:
        with _silent_nibabel():
            image = nib.load(file)
        if not isinstance(image, nib.Nifti1Image):
            raise TypeError(f"it is {type(image).__name__}")
        shape, affine, stored_spacing = image.shape, image.affine, _stored_spacing(image)
        stored_bytes = file.stat().st_size
        claimed_bytes = math.prod(shape) * image.get_data_dtype().itemsize
    except Exception as error:  # nibabel lets errors of gzip, zlib, struct and numpy through
        raise Problem(
            f"{place(file)}: cannot be opened as NIfTI ({_reason(error)}); copy it again"
        ) from error
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3:
        raise Problem(f"{place(file)}: has shape {shape}; keep one 3-D volume in a file")
    if affine is None or not np.isfinite(affine).all():
        raise Problem(f"{place(file)}: affine is not finite; export it with its geometry")
    spacing = nib.affines.voxel_sizes(affine)
    if min(*spacing, *np.abs(stored_spacing)) < SMALLEST_SPACING_MM:
        raise Problem(f"{place(file)}: spacing is zero; export it with its geometry")
    if abs(np.linalg.det(affine[:3, :3] / spacing)) < FLATTEST_VOXEL:
        raise Problem(f"{place(file)}: affine is singular; export it with its geometry")
    compression = DEFLATE_LIMIT if file.suffix == ".gz" else 1
    if min(shape) < 1 or claimed_bytes > compression * stored_bytes:
        raise Problem(
            f"{place(file)}: header claims {shape} voxels, too many for {stored_bytes} bytes; "
            "copy it again"
        )
    if math.prod(shape) > MAX_VOXELS:
        raise Problem(
            f"{place(file)}: {shape} is more than {MAX_VOXELS} voxels; crop or downsample it"
        )
    return image


def read_volume(file: Path) -> nib.Nifti1Image:
    """A 3-D volume in memory: finite float32 [X, Y, Z], axes flipped and swapped to RAS+.

    Raises
    ------
    Problem
        As :func:`open_volume`, and when the voxels are truncated, corrupt or not finite.
    """
    image = open_volume(file)
    try:
        data = _voxels(file, type(image))
    except Exception as error:  # as above
        raise Problem(
            f"{place(file)}: is truncated or corrupt ({_reason(error)}); copy it again"
        ) from error
    bad = data.size - int(np.isfinite(data).sum())
    if bad:
        raise Problem(f"{place(file)}: {bad} values are not finite; export it again")
    volume = nib.Nifti1Image(data.reshape(data.shape[:3]), image.affine)
    return nib.as_closest_canonical(volume)


def read_channel(file: Path) -> nib.Nifti1Image:
    """A volume as :func:`read_volume` that shows something.

    Raises
    ------
    Problem
        As :func:`read_volume`, and when all voxels have one value.
    """
    image = read_volume(file)
    data = np.asarray(image.dataobj)
    if data.min() == data.max():
        raise Problem(f"{place(file)}: is {data.min():.4g} everywhere; export it again")
    return image


def read_label(file: Path, structures: Sequence[str] | None) -> nib.Nifti1Image:
    """A mask as :func:`read_volume`, whose values are 0 for background and k for structure k.

    Raises
    ------
    Problem
        As :func:`read_volume`, and for values that are no integers, or name no structure (None: any
        up to 255).
    """
    image = read_volume(file)
    data = np.asarray(image.dataobj)
    fractional = data[data != np.round(data)]
    if fractional.size:
        what = f"label {fractional[0]:.4g} is no integer"
        raise Problem(f"{place(file)}: {what}; resample masks with nearest neighbour")
    last = 255 if structures is None else len(structures)
    for value in (data.min(), data.max()):
        if not 0 <= value <= last:
            known = f"0..{last}" + (f" ({', '.join(structures)})" if structures else "")
            what = f"label {value:.0f} is outside {known}"
            raise Problem(f"{place(file)}: {what}; name its structure or remove it")
    return image


def write_cohort(folder: str | Path, cohort: Cohort, *, provenance: str, licence: str) -> None:
    """Write `<folder>/sub-XX/{channel,label}.nii.gz` and `cohort.json`: everything, or nothing.

    Parameters
    ----------
    folder
        New or empty.
    cohort
        Its training labels are written too; reading it as a target holds them back again.
    provenance
        Where the images come from, for whoever finds the folder.
    licence
        Under which they may be used.

    Raises
    ------
    Problem
        When the folder is not empty or cannot be written, or a name is no file name.
    """
    folder = Path(folder)
    _check_names(cohort)
    with whole_folder(folder) as part:
        for subjects in (cohort.labelled_train, cohort.validation, cohort.test):
            for subject in subjects:
                _write_subject(part / with_prefix(subject.name), subject, cohort.channels)
        text = json.dumps(_card(cohort, provenance, licence), indent=2, ensure_ascii=False)
        (part / CARD_FILE).write_text(text + "\n", encoding="utf-8")


def write_prediction(
    file: str | Path, label: np.ndarray, subject: Subject, *, like: str | Path
) -> None:
    """Write a predicted mask on the grid of the scan that the subject was read from.

    Each voxel of the scan takes the label of the nearest voxel of the working grid; outside that
    grid it is background.

    Parameters
    ----------
    file
        `.nii` or `.nii.gz` to write; replaced when it is there.
    label
        uint8 [Z, Y, X] on the subject's grid.
    subject
        Says where that grid lies.
    like
        The original scan, whose shape and affine are taken.

    Raises
    ------
    Problem
        When `like` is no usable volume, the shapes differ, or the file cannot be written.
    """
    file, scan = Path(file), open_volume(Path(like))
    if label.shape != subject.image.shape[1:]:
        raise Problem(
            f"{subject.name}: prediction {label.shape}, image {subject.image.shape[1:]}; "
            "predict this subject"
        )
    if not file.name.endswith((".nii", ".nii.gz")):
        raise Problem(f"{file}: is no NIfTI name; end it in .nii.gz")
    mask = nib.Nifti1Image(_xyz(label, np.uint8), subject.affine)
    out = nib.Nifti1Image(nearest(mask, (scan.shape[:3], scan.affine)), scan.affine)
    out.header.set_xyzt_units("mm")
    # nibabel tells the format from the ending, so that stays.
    part = file.with_name(f".part-{os.getpid()}-{file.name}")
    try:
        nib.save(out, part)
        os.replace(part, file)
    except OSError as error:
        raise Problem(
            f"{file}: cannot be written ({_reason(error)}); choose another place"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _write_subject(folder: Path, subject: Subject, channels: Sequence[str]) -> None:
    folder.mkdir()
    for channel, image in zip(channels, subject.image, strict=True):
        nib.save(
            nib.Nifti1Image(_xyz(image, np.float32), subject.affine), folder / f"{channel}.nii.gz"
        )
    if subject.label is not None:
        nib.save(
            nib.Nifti1Image(_xyz(subject.label, np.uint8), subject.affine), folder / "label.nii.gz"
        )


def _card(cohort: Cohort, provenance: str, licence: str) -> dict[str, Any]:
    return {
        "name": cohort.name,
        "channels": cohort.channels,
        "structures": cohort.structures,
        "provenance": provenance,
        "licence": licence,
        "prepared": True,  # normalised, on the working grid: to be read as it is
        "splits": {key: [with_prefix(n) for n in s.names] for key, s in cohort.splits.items()},
    }


def _check_names(cohort: Cohort) -> None:
    for name in (*cohort.names, *cohort.channels):
        if not re.fullmatch(r"\w[\w.-]*", name) or name.lower() in LABEL_NAMES:
            raise Problem(
                f"cohort {cohort.name}: {name!r} is no file name; use letters, digits, - and _"
            )


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder beside the final one, which takes its name once everything is in it.

    Raises
    ------
    Problem
        When the final one is not empty or cannot be written.
    """
    folder = folder.resolve()
    part = folder.parent / f".{folder.name}-{os.getpid()}.part"
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise Problem(f"{folder}: is there and not empty; choose a new folder or remove it")
        part.mkdir(parents=True)
        yield part
        if folder.exists():
            folder.rmdir()
        os.replace(part, folder)
    except OSError as error:
        raise Problem(
            f"{folder}: cannot be written ({_reason(error)}); choose another folder"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _silent_nibabel() -> Iterator[None]:
    """Without nibabel's own lines on stderr about a header that it repairs."""
    logger = nib.imageglobals.logger
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _stored_spacing(image: nib.Nifti1Image) -> np.ndarray:
    """The spacing that the file holds: nibabel takes 1 mm where it finds 0."""
    with image.file_map["image"].get_prepare_fileobj("rb") as stream:
        header = image.header_class.from_fileobj(stream, check=False)
    return header["pixdim"][1:4]


def _voxels(file: Path, kind: type[nib.Nifti1Image]) -> np.ndarray:
    """Every voxel, and the file read to its end: gzip's checksum and length lie behind the last."""
    with _silent_nibabel(), ImageOpener(str(file)) as opener:
        stream = opener.fobj
        data = kind.from_stream(stream).get_fdata(dtype=np.float32, caching="unchanged")
        while stream.read(CHUNK):
            pass
    return data


def _xyz(volume: np.ndarray, dtype: type) -> np.ndarray:
    return np.ascontiguousarray(volume.T, dtype=dtype)


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())[:120] or type(error).__name__
