"""Every problem of a cohort on disk, found in one run."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import nibabel as nib
import numpy as np

from cdseg_teach.cohorts.card import CARD_FILE, STRUCTURES, Card, read_card
from cdseg_teach.cohorts.layout import SubjectFiles, is_mask, survey, unread, with_prefix
from cdseg_teach.cohorts.volumes import Scan, channel_problems, open_volume, read_label
from cdseg_teach.problems import Problem

SAME_PLACE_MM = 0.1
USUAL = 0.5  # of the subjects have a channel that all should have: the shorter list is told

_T = TypeVar("_T")


def check_cohort(folder: str | Path) -> list[Problem]:
    """Everything that is wrong with a cohort on disk, one line each; an empty list for a good one.

    Headers come first and no more than one volume is in memory at a time, so a header that lies
    costs nothing.

    Parameters
    ----------
    folder
        In the layout of :mod:`cdseg_teach.cohorts.layout`; `cohort.json` may be absent.

    Returns
    -------
    Problems that are not raised: `str` of one says which file, what is wrong, and how to mend it.
    """
    folder = Path(folder)
    problems: list[Problem] = []
    card = _attempt(partial(read_card, folder), problems)
    unknown = bool(problems)  # a card that cannot be read says nothing of structures
    structures = card.structures if card else None if unknown else STRUCTURES
    subjects, misplaced = survey(folder)
    problems += [*misplaced, *(unread(folder) if subjects else ())]
    problems += name_problems(subjects, card)
    channels = expected_channels(subjects, card, share=USUAL)
    for subject in subjects:
        extra = {} if card else _extra_channels(subject, channels)
        for file in dict.fromkeys(scan.file for scan in extra.values()):
            what = "is a channel that most others do not have"
            problems.append(Problem(f"{Scan(file)}: {what}; remove it, or add it to all"))
        # Who has none is a line already, not one for each.
        expected = (*channels, *extra) if subject.channels else ()
        problems += file_problems(subject, expected, structures)
    problems += _copies(subjects)
    return problems


def expected_channels(
    subjects: Sequence[SubjectFiles], card: Card | None, *, share: float = 0
) -> tuple[str, ...]:
    """The channels each subject should have: those on the card, or all that this share has."""
    if card and card.channels:
        return card.channels
    counts = Counter(channel for subject in subjects for channel in subject.channels)
    return tuple(sorted(name for name in counts if counts[name] >= share * len(subjects)))


def _extra_channels(subject: SubjectFiles, channels: Sequence[str]) -> dict[str, Scan]:
    """A subject's channels that are none of these, in a file that none of these lies in."""
    return {
        channel: scan
        for channel, scan in subject.channels.items()
        if not {channel, channel.rpartition("-")[0], f"{channel}-0"} & set(channels)
    }


def name_problems(subjects: Sequence[SubjectFiles], card: Card | None) -> Iterator[Problem]:
    """Subjects that are there twice, and splits of subjects that are not there or in two splits."""
    folders = defaultdict(list)
    for subject in subjects:
        folders[with_prefix(subject.name.lower())].append(subject.name)
    for twice in folders.values():
        if len(twice) > 1:
            yield Problem(f"{', '.join(twice)}: are the same subject by name; keep one or rename")
    splits = card.splits if card else {}
    known = {subject.name for subject in subjects}
    seen: set[str] = set()
    for key, names in splits.items():
        for name in names:
            if name not in known:
                yield Problem(
                    f"{CARD_FILE}: {key} has {name!r}, which has no folder; add it or strike it out"
                )
            if name in seen:
                yield Problem(f"{CARD_FILE}: {name!r} is in two splits; put it into one")
            seen.add(name)
    if splits:
        for name in sorted(known - seen):
            yield Problem(f"{CARD_FILE}: {name!r} is in no split; add it to one")


def file_problems(
    subject: SubjectFiles,
    channels: Sequence[str],
    structures: Sequence[str] | None,
    *,
    headers_only: bool = False,
) -> Iterator[Problem]:
    """What is wrong with the files of one subject: missing ones, headers, geometry, then voxels."""
    problems = list(_missing(subject, channels))
    scans = [subject.channels[channel] for channel in channels if channel in subject.channels]
    if subject.label:
        scans.append(subject.label)
    opened = {scan: _attempt(partial(open_volume, scan), problems) for scan in scans}
    images = {scan: image for scan, image in opened.items() if image is not None}
    problems += _geometry_problems(images)
    # Which of two rivals is to be kept may depend on which of them is broken.
    for scans_of_file in () if headers_only else _by_file((*images, *subject.spare)):
        (scan, *_) = scans_of_file
        if scan == subject.label or (scan in subject.spare and is_mask(scan.file)):
            for mask in scans_of_file:
                _attempt(partial(read_label, mask, structures), problems)
        else:
            problems += channel_problems(scans_of_file)
    yield from _together(problems, (*scans, *subject.spare))


def _by_file(scans: Iterable[Scan]) -> Iterable[list[Scan]]:
    files: defaultdict[Path, list[Scan]] = defaultdict(list)
    for scan in scans:
        files[scan.file].append(scan)
    return files.values()


def _together(problems: Sequence[Problem], scans: Sequence[Scan]) -> Iterator[Problem]:
    """Problems in their order; what is said of several volumes of one file in one line."""
    files = {str(scan): str(scan.file) for scan in scans}
    same = defaultdict(list)
    for problem in problems:
        name, _, what = str(problem).partition(": ")
        same[files.get(name, name), what].append(name)
    for (_, what), (first, *more) in same.items():
        yield Problem(f"{first} and {len(more)} more: {what}" if more else f"{first}: {what}")


def _missing(subject: SubjectFiles, channels: Sequence[str]) -> Iterator[Problem]:
    """A line for each file that is not there, or has not the volumes that it should have."""
    files: dict[str, bool] = {}  # whether it should have several
    for channel in channels:
        stem = channel.rpartition("-")[0]
        several = f"{stem}-0" in channels and stem not in channels
        if channel not in subject.channels:
            files[stem if several else channel] = several
    for file, several in files.items():
        what = f"{subject.name}/{file}.nii.gz"
        if several and file in subject.channels:
            # One that cannot be opened does not say how many volumes it has.
            problems: list[Problem] = []
            _attempt(partial(open_volume, subject.channels[file]), problems)
            less = Problem(f"{what}: has one volume, others more; export it whole")
            yield from problems or [less]
        elif several and f"{file}-0" in subject.channels:
            yield Problem(f"{what}: has fewer volumes than others; export it whole")
        elif not several and f"{file}-0" in subject.channels:
            yield Problem(f"{what}: has several volumes; keep one 3-D volume in it")
        else:
            yield Problem(f"{what}: is missing; add it or leave out the subject")


def _geometry_problems(images: dict[Scan, nib.Nifti1Image]) -> Iterator[Problem]:
    """Volumes that do not lie on the grid of most others of the subject, or of the first of two."""
    if not images:
        return
    files = {scan.file: scan for scan in images}.values()  # volumes of one file share its grid
    # Of three, the one that lies elsewhere is at fault, even if it is the first.
    first = min(files, key=lambda one: sum(bool(_apart(images, one, other)) for other in files))
    for scan in images:
        if what := _apart(images, first, scan):
            yield Problem(f"{scan}: {what}")


def _apart(images: dict[Scan, nib.Nifti1Image], first: Scan, scan: Scan) -> str:
    """In what the grid of a volume is not that of another one, and how to mend it; else nothing."""
    shape, affine = images[first].shape[:3], images[first].affine
    if images[scan].shape[:3] != shape:
        what = f"has shape {images[scan].shape[:3]}, {first.file.name} {shape}"
        return f"{what}; resample one onto the other"
    corners = np.array(
        [[x, y, z, 1] for x in (0, shape[0]) for y in (0, shape[1]) for z in (0, shape[2])]
    )
    away_mm = np.abs(corners @ (images[scan].affine - affine).T).max()
    if away_mm > SAME_PLACE_MM:
        what = f"lies up to {away_mm:.1f} mm away from {first.file.name} by its affine"
        return f"{what}; register and resample it"
    return ""


def _copies(subjects: Sequence[SubjectFiles]) -> Iterator[Problem]:
    """Volumes that are another's byte for byte: one person under two names leaks."""
    seen: dict[str, tuple[str, Scan]] = {}
    for subject in subjects:
        for file in dict.fromkeys(scan.file for scan in subject.channels.values()):
            try:
                if not file.is_file():
                    continue  # said already, as below; a pipe would never end
                with file.open("rb") as stream:
                    digest = hashlib.file_digest(stream, "sha256").hexdigest()
            except OSError:
                continue  # said already: it cannot be opened
            name, other = seen.setdefault(digest, (subject.name, Scan(file)))
            if name != subject.name:
                yield Problem(f"{Scan(file)}: is a copy of {other}; keep one of the two subjects")


def _attempt(action: Callable[[], _T], problems: list[Problem]) -> _T | None:
    try:
        return action()
    except Problem as problem:
        problems.append(problem)
        return None
