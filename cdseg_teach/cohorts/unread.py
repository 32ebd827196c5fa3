"""What lies in a cohort's folder and is not read: said, so that nobody takes it for checked."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from cdseg_teach.problems import Problem

NIFTI = (".nii.gz", ".nii")
_IN_EITHER_CASE = (*NIFTI, *(ending.upper() for ending in NIFTI))  # nibabel opens no .Nii
#: What other tools write volumes to; of a pair .hdr, .img the second stands for both.
_FORMATS = (
    *NIFTI,
    ".nii.bz2",
    ".img",
    ".img.gz",
    ".mgz",
    ".mgh",
    ".nrrd",
    ".mha",
    ".mhd",
    ".mnc",
)
#: Folders of BIDS beside anat/ that may hold volumes; a set that has them as well is a good one.
_OTHER_DATA = ("func", "dwi", "fmap", "perf", "pet")
_DICOM_AT, _DICOM = 128, b"DICM"  # every DICOM file has it there, whatever it is called
_LOOKED_AT = 100  # files of a folder, for the first that is DICOM


def volume_ending(name: str) -> str:
    """The ending that makes a file a volume; nothing where none does."""
    return next((ending for ending in _IN_EITHER_CASE if name.endswith(ending)), "")


def unread_files(folder: Path, read: Collection[Path], cohort: Path) -> Iterator[Problem]:
    """A line for the volumes of each place below a subject's folder that nobody reads.

    Parameters
    ----------
    folder
        Of the subject.
    read
        The files that are read.
    cohort
        The folder that messages begin after.
    """
    cure = "lies where none is read; move it to <subject>/, or out of the cohort"
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f[0] != "." and f not in _OTHER_DATA)
        files = (Path(place) / name for name in sorted(names))
        unread = [file for file in files if _is_volume(file) and file not in read]
        yield from _told(unread, cohort, cure)


def loose_files(folder: Path, read: Collection[Path]) -> Iterator[Problem]:
    """A line for the volumes of a cohort's own folder whose names say no subject."""
    files = [file for file in sorted(folder.iterdir()) if _is_volume(file) and file not in read]
    cure = "is nobody's by its name; move it to <subject>/<channel>.nii.gz"
    yield from _told([file for file in files if not file.is_dir()], folder, cure)


def _told(files: Sequence[Path], cohort: Path, cure: str) -> Iterator[Problem]:
    """One line on those of a format that is read, with this cure, and one on all others."""
    other = "is no NIfTI file that is read; save it as .nii.gz"
    for readable, what in ((True, cure), (False, other)):
        names = [f.relative_to(cohort) for f in files if bool(volume_ending(f.name)) == readable]
        if names:
            more = f" and {len(names) - 1} more" if names[1:] else ""
            yield Problem(f"{printable(str(names[0]))}{more}: {what}")


def _is_volume(file: Path) -> bool:
    return file.name.lower().endswith(_FORMATS) and file.name[0] != "."


def holds_dicom(folder: Path) -> bool:
    """Whether one of the first files below a folder is DICOM, by its ending or by what it holds."""
    looked_at = 0
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(".dcm") or _is_dicom(Path(place) / name):
                return True
            looked_at += 1
            if looked_at == _LOOKED_AT:
                return False
    return False


def _is_dicom(file: Path) -> bool:
    try:
        if not file.is_file():
            return False
        with file.open("rb") as stream:
            return stream.read(_DICOM_AT + len(_DICOM)).endswith(_DICOM)
    except OSError:
        return False


def is_printable(name: str) -> bool:
    """Whether a name is text, on one line: on disk it is bytes, and may be anything."""
    return not any(unicodedata.category(sign) in ("Cc", "Cs") for sign in name)


def printable(name: str) -> str:
    """A name with the signs that cannot be printed as Python writes them."""
    return "".join(sign if is_printable(sign) else repr(sign)[1:-1] for sign in name)
