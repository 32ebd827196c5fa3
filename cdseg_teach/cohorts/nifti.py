"""NIfTI out: cohorts and predictions are written whole or not at all."""

from __future__ import annotations

import errno
import gzip
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import nibabel as nib
import numpy as np

from cdseg_teach.cohorts.card import CARD_FILE, Card
from cdseg_teach.cohorts.layout import is_no_channel, with_prefix
from cdseg_teach.cohorts.resample import nearest
from cdseg_teach.cohorts.study import Cohort, Subject
from cdseg_teach.cohorts.volumes import Scan, count_volumes, open_volume, reason
from cdseg_teach.problems import Problem, raise_first

_FILE_NAME = re.compile(r"\w([\w. -]*[\w.-])?")


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
    raise_first(unusable_names(cohort.names, cohort.channels))
    with whole_folder(folder) as part:
        for subjects in (cohort.labelled_train, cohort.validation, cohort.test):
            for subject in subjects:
                write_subject(part / with_prefix(subject.name), subject, cohort.channels)
        splits = {k: tuple(map(with_prefix, s.names)) for k, s in cohort.splits.items()}
        card = Card(cohort.name, cohort.channels, cohort.structures, provenance, licence)
        # Normalised, on the working grid: to be read as it is.
        write_card(part, replace(card, prepared=True, splits=splits))


def write_prediction(
    file: str | Path, label: np.ndarray, subject: Subject, *, like: str | Path | None = None
) -> None:
    """Write a predicted mask on the grid of the scan that the subject was read from.

    Each voxel of the scan takes the label of the nearest voxel of the working grid; outside that
    grid it is background. A simulated subject has no other grid than its own.

    Parameters
    ----------
    file
        `.nii` or `.nii.gz` to write; replaced when it is there.
    label
        uint8 [Z, Y, X] on the subject's grid.
    subject
        Says where that grid lies.
    like
        The original scan, whose shape and affine are taken; None: the subject's `scan`.

    Raises
    ------
    Problem
        When `like` is no usable volume, the shapes differ, or the file cannot be written.
    """
    file = Path(file)
    if not file.name.endswith((".nii", ".nii.gz")):
        raise Problem(f"{file}: is no NIfTI name; end it in .nii.gz")
    out = _on_scan(label, subject, like)
    # nibabel tells the format from the ending, so that stays.
    part = file.with_name(f".part-{os.getpid()}-{file.name}")
    try:
        nib.save(out, part)
        os.replace(part, file)
    except OSError as error:
        raise Problem(
            f"{file}: cannot be written ({reason(error)}); choose another place"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def packed_prediction(label: np.ndarray, subject: Subject) -> bytes:
    """The content of the `.nii.gz` that `write_prediction` would write, to be written elsewhere.

    Parameters
    ----------
    label, subject
        As in `write_prediction`.

    Raises
    ------
    Problem
        When the subject's scan is no usable volume any more, or the shapes differ.
    """
    # Without a time: the same mask is the same file. Most of it is 0, so little is left of it.
    return gzip.compress(_on_scan(label, subject).to_bytes(), mtime=0)


def _on_scan(
    label: np.ndarray, subject: Subject, like: str | Path | None = None
) -> nib.Nifti1Image:
    """A mask on a scan's grid, with its header."""
    if label.shape != subject.image.shape[1:]:
        raise Problem(
            f"{subject.name}: prediction {label.shape}, image {subject.image.shape[1:]}; "
            "predict this subject"
        )
    mask = nib.Nifti1Image(_xyz(label, np.uint8), subject.affine)
    like = subject.scan if like is None else Path(like)
    if like is None:
        return mask
    scan = open_volume(Scan(like, None if count_volumes(like) is None else 0))
    on_scan = nearest(mask, (scan.shape[:3], scan.affine)).astype(np.uint8)
    out = type(scan)(on_scan, scan.affine, scan.header)  # with its qform, sform and units
    out.set_data_dtype(np.uint8)
    out.header["cal_min"] = out.header["cal_max"] = 0  # how the scan was to be windowed
    return out


def write_subject(folder: Path, subject: Subject, channels: Sequence[str]) -> None:
    """Write a subject's channels and its label, if it has one, into a folder.

    Raises
    ------
    OSError
        When they cannot be written.
    """
    folder.mkdir(exist_ok=True)
    volumes = {
        name: _xyz(image, np.float32) for name, image in zip(channels, subject.image, strict=True)
    }
    if subject.label is not None:
        volumes["label"] = _xyz(subject.label, np.uint8)
    for name, volume in volumes.items():
        nib.save(nib.Nifti1Image(volume, subject.affine), folder / f"{name}.nii.gz")


def write_card(folder: Path, card: Card) -> None:
    """Write `cohort.json` into a cohort's folder.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    text = json.dumps(asdict(card), indent=2, ensure_ascii=False)
    (folder / CARD_FILE).write_text(text + "\n", encoding="utf-8")


def unusable_names(subjects: Iterable[str], channels: Iterable[str]) -> Iterator[Problem]:
    """What is wrong with names that folders and files of a cohort are to have.

    Parameters
    ----------
    subjects, channels
        Letters of any language, digits, and blanks, dots and - within; a channel is no mask.
    """
    channels = tuple(channels)
    for what, names in (("subject", subjects), ("channel", channels)):
        for name in names:
            if not _FILE_NAME.fullmatch(name):
                yield Problem(f"{what} {name!r} is no file name; use letters, digits, - and _")
    for name in channels:
        if is_no_channel(name.lower()):  # disks of macOS and Windows overlook capitals
            yield Problem(f"channel {name!r} would be read as a mask; call it otherwise")


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder beside the final one, which takes its name once everything is in it.

    Raises
    ------
    Problem
        When the final one is not empty, has to stay or cannot be written.
    """
    folder = folder.resolve()
    with told(folder), filled(folder) as part:
        yield part


@contextmanager
def filled(folder: Path) -> Iterator[Path]:
    """As :func:`whole_folder`, for a folder within another one: its maker tells what went wrong.

    Raises
    ------
    Problem
        When the final one is not empty or has to stay.
    OSError
        When it cannot be written.
    """
    folder = folder.resolve()
    with _part_of(folder) as part:
        yield part
        give_name(part, folder)


def give_name(part: Path, folder: Path) -> None:
    """Give a finished folder its name.

    Raises
    ------
    OSError
        When there is a folder of that name that is not empty.
    """
    if folder.exists():
        folder.rmdir()
    os.replace(part, folder)


def check_new(folder: Path) -> None:
    """Find out before hours of training whether `whole_folder` can make a folder.

    Raises
    ------
    Problem
        When it is not empty, has to stay or cannot be written.
    """
    folder = folder.resolve()
    with told(folder), _part_of(folder):
        pass


def check_place(folder: Path) -> None:
    """A Problem unless a folder is new or empty, and another one can take its place.

    Parameters
    ----------
    folder
        Resolved. Where one stands would be gone for the shell; where a disk is mounted cannot be
        replaced, and what is made beside it lies on another disk.
    """
    if folder.is_mount():
        raise Problem(f"{folder}: is where a disk is mounted; name a folder in it")
    if folder == Path.cwd():
        raise Problem(f"{folder}: is where you are; name another folder, which will be made")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Problem(f"{folder}: is there and not empty; choose a new folder or remove it")


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """What the disk says while a folder is made, in one line."""
    try:
        yield
    except OSError as error:
        raise Problem(f"{folder}: cannot be written ({reason(error)}); {mend(error)}") from error


def mend(error: OSError) -> str:
    """What to do where a folder cannot be written."""
    return f"{'make room or ' if is_full(error) else ''}choose another folder"


def is_full(error: OSError) -> bool:
    """Whether no room is left, on the disk or for the user."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def _part_of(folder: Path) -> Iterator[Path]:
    """An empty folder beside a final one that is new or empty; what is left of it goes."""
    part = folder.parent / f".{folder.name}-{os.getpid()}.part"
    try:
        check_place(folder)
        part.mkdir(parents=True)
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _xyz(volume: np.ndarray, dtype: type) -> np.ndarray:
    return np.ascontiguousarray(volume.T, dtype=dtype)
