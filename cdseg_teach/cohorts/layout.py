"""How a cohort lies on disk: a folder a subject, a file a channel, a card that describes it.

`<cohort>/<subject>/<channel>.nii.gz`, a mask `<cohort>/<subject>/label.nii.gz` (or gt,
consensus_gt, dseg, mask), and optionally `<cohort>/cohort.json`. A subject is called as its folder.

The names of BIDS are understood as well: `sub-XX_FLAIR.nii.gz` in the cohort's or the subject's
folder, in its `anat/`, `ses-YY/` or `ses-YY/anat/`, is channel FLAIR of sub-XX;
`sub-XX_dseg.nii.gz` or `sub-XX_label-lesion_mask.nii.gz` there or under `derivatives/` is its mask.
Brain masks are left out, and so is what BIDS keeps in `func/`, `dwi/`, `fmap/`, `perf/`, `pet/`,
`sourcedata/` and `code/`. A file with a fourth axis holds a channel a volume: `scan.nii.gz` is
scan-0, scan-1, ...

Of several masks the first in the order of `LABEL_NAMES` counts, where label-lesion_mask is a label:
it says what it shows, while fMRIPrep's dseg beside it has tissues.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cdseg_teach.cohorts.card import CARD_FILE
from cdseg_teach.cohorts.unread import (
    NIFTI,
    holds_dicom,
    is_printable,
    loose_files,
    printable,
    unread_files,
    volume_ending,
)
from cdseg_teach.cohorts.volumes import Scan, count_volumes, reason
from cdseg_teach.problems import Problem, raise_first

LABEL_NAMES = ("label", "gt", "consensus_gt", "dseg", "mask")  # the first that is there counts
SIDES = ("source", "target")  # cohorts side by side, as data make writes them
ENDINGS = NIFTI
_SUBJECT = re.compile(r"(sub-[A-Za-z0-9]+)_(?:(ses-[A-Za-z0-9]+)_)?")
DERIVED = "derivatives"  # where BIDS keeps segmentations
_NOBODY = (DERIVED, "sourcedata", "code")  # folders of BIDS beside its subjects
_FROM_DICOM = "convert its DICOM files, as with dcm2niix -z y -o OUT IN"
_BRAIN_MASK = re.compile(r"brain_?mask", re.IGNORECASE)
_NAMED_MASK = re.compile(r"(^|_)label-[A-Za-z0-9]+_(.*_)?mask$")


@dataclass(frozen=True)
class SubjectFiles:
    """The files of one subject.

    Parameters
    ----------
    name
        Of the subject.
    channels
        By name.
    label
        Its mask, if there is one.
    spare
        What lies there as well and claims to be one of these; it is checked and never used.
    """

    name: str
    channels: Mapping[str, Scan]
    label: Scan | None
    spare: tuple[Scan, ...] = ()


def with_prefix(name: str) -> str:
    """The folder that a subject is written to: sub-07 for 07, and for sub-07."""
    return name if name.startswith("sub-") else f"sub-{name}"


def find_subjects(folder: Path) -> tuple[SubjectFiles, ...]:
    """Every subfolder that holds a volume or is named sub-XX, and what BIDS keeps, by name.

    Raises
    ------
    Problem
        The first of what :func:`survey` finds wrong, and how many follow it.
    """
    subjects, problems = survey(folder)
    raise_first(problems, check_command(folder))
    return subjects


def check_command(folder: Path) -> str:
    """What lists every problem of a folder."""
    return f"cdseg-teach data check {folder}"


def survey(folder: Path) -> tuple[tuple[SubjectFiles, ...], list[Problem]]:
    """The subjects of a folder, and all that is wrong with which files lie where.

    Parameters
    ----------
    folder
        In the layout above.

    Returns
    -------
    Subjects as of :func:`find_subjects`; and problems, which are not raised: no such folder, no
    subject in it, or whole cohorts instead; a subject that cannot be read, has no channel, is there
    with two sessions, holds somebody else's file, or two files that claim to be the same channel;
    names that are no text.
    """
    if not is_printable(str(folder)):
        return (), [_not_text(str(folder))]
    try:
        if folder.is_file():
            return (), [Problem(f"{folder}: is a file; give a folder of subjects")]
        inside = _inside(folder)
        flat = _grouped(_volumes_in(folder), _whose)
        masks = _grouped(_derived_masks(folder), _whose)
    except OSError as error:
        what = f"cannot be read ({reason(error)})"
        return (), [Problem(f"{folder}: {what}; give a folder of subjects")]
    found: list[SubjectFiles] = []
    problems, of_nobody = [], []
    for name in sorted({*flat, *(path.name for path in inside)}):
        if not is_printable(name):
            problems.append(_not_text(name))
            continue
        try:
            files = [*_volumes_of(folder / name), *flat.get(name, ())]
        except OSError as error:
            what = f"cannot be read ({reason(error)})"
            problems.append(Problem(f"{name}: {what}; mend its permissions or copy it again"))
            continue
        subject, wrong = _with_names(name, files, masks.get(name, []), folder)
        if not (subject.channels or wrong or any(unread_files(folder / name, files, folder))):
            wrong = _without_channel(folder / name)
        if subject.channels or subject.label or name.startswith("sub-"):
            found.append(subject)
            problems += wrong
        else:
            of_nobody += wrong
    if not found and not problems:
        return (), [Problem(f"{folder}: {_instead(folder, inside)}")]
    return tuple(found), [*problems, *of_nobody]


def unread(folder: Path) -> Iterator[Problem]:
    """A line for each place of a cohort with volumes that nobody reads; loading leaves them be."""
    try:
        flat = [file for file in _volumes_in(folder) if _whose(file) is not None]
        yield from loose_files(folder, flat)
        for place in _inside(folder):
            yield from unread_files(place, _volumes_of(place), folder)
    except OSError:
        return  # said already: it cannot be read


def _inside(folder: Path) -> list[Path]:
    """The folders of subjects, if that is what they are."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_dir() and path.name[0] != "." and path.name not in _NOBODY
    )


def _with_names(
    name: str, files: list[Path], derived: list[Path], folder: Path
) -> tuple[SubjectFiles, list[Problem]]:
    """As `_sorted_out`, of the files whose names can be said, and a line for each other one."""
    paths = {file: str(file.relative_to(folder)) for file in (*files, *derived)}
    own, masks = ([f for f in some if is_printable(paths[f])] for some in (files, derived))
    subject, problems = _sorted_out(name, own, masks, folder)
    return subject, problems + [
        _not_text(path) for path in paths.values() if not is_printable(path)
    ]


def _not_text(name: str) -> Problem:
    what = "its name is no text in UTF-8 on one line"
    return Problem(f"{printable(name)}: {what}; rename it")


def _without_channel(folder: Path) -> list[Problem]:
    """A line for a subject that has none, or for what may become one."""
    name = folder.name
    if holds_dicom(folder):
        return [Problem(f"{name}: has no channel; {_FROM_DICOM}")]
    if name.startswith("sub-"):
        return [Problem(f"{name}: has no channel; put volumes into {name}/<channel>.nii.gz")]
    return []


def _volumes_in(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if volume_ending(f.name) and f.name[0] != ".")


def _volumes_of(folder: Path) -> list[Path]:
    """The volumes of a subject's folder, and of BIDS's anat/, ses-YY/ and ses-YY/anat/ in it."""
    places = [
        place for one in (folder, *sorted(folder.glob("ses-*"))) for place in (one, one / "anat")
    ]
    return [file for place in places if place.is_dir() for file in _volumes_in(place)]


def _derived_masks(folder: Path) -> list[Path]:
    """Masks under BIDS's derivatives/, where segmentations are kept, by links or not."""
    files = sorted(
        Path(place) / name for place, names in _below(folder / DERIVED) for name in names
    )
    return [file for file in files if volume_ending(file.name) and _mask(file)]


def _below(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Each folder below one, the links in it followed, with its files: once, in no circle."""
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        if (true_place := os.path.realpath(place)) in seen:
            folders.clear()
            continue
        seen.add(true_place)
        folders.sort()
        yield place, names


def _sorted_out(
    name: str, files: list[Path], derived: list[Path], folder: Path
) -> tuple[SubjectFiles, list[Problem]]:
    """What each file of a subject is, and what is wrong with that; of rivals the first counts."""
    strays = [f for f in files if name.startswith("sub-") and _whose(f) not in (None, name)]
    sessions = {_session(f.relative_to(folder)) for f in files if f not in strays} - {""}
    first, *later = sorted(sessions) or [""]
    surplus = [
        f
        for f in (*files, *derived)
        if _session(f.relative_to(folder)) in later and f not in strays
    ]
    own, derived = ([f for f in some if f not in strays + surplus] for some in (files, derived))
    claims = _claims(own, derived)
    problems = []
    if later:
        problems.append(Problem(f"{name}: has sessions {', '.join((first, *later))}; keep one"))
    for file in strays:
        what = f"holds {file.name}, of {_whose(file)}"
        problems.append(Problem(f"{name}: {what}; move it to where it belongs"))
    problems += _rivalries(claims, folder)
    rivals = [file for claimed in claims.values() for file in claimed[1:]]
    return _subject_files(name, claims, strays + surplus + rivals), problems


def _claims(own: list[Path], derived: list[Path]) -> dict[str, list[Path]]:
    """Files by what they claim to be: a channel, or the mask that counts."""
    # What lies beside the images comes first.
    masks = _grouped(own, _mask) or _grouped(derived, _mask)
    counting = [kind for kind in LABEL_NAMES if kind in masks][:1]
    return {**_grouped(own, _channel), **{kind: masks[kind] for kind in counting}}


def _rivalries(claims: Mapping[str, list[Path]], folder: Path) -> Iterator[Problem]:
    """Files that claim what another one is."""
    for what, (first, *rivals) in claims.items():
        for rival in rivals:
            both = f"{first.relative_to(folder)}, {rival.relative_to(folder)}"
            yield Problem(f"{both}: are both {what}; keep one")


def _subject_files(
    name: str, claims: Mapping[str, list[Path]], spare: Sequence[Path]
) -> SubjectFiles:
    """The first that claims each, and what is left over."""
    channels: dict[str, Scan] = {}
    label = None
    for what, (file, *_) in claims.items():
        if what in LABEL_NAMES:
            label = Scan(file)
        else:
            channels |= _scans(file, what)
    left_over = tuple(scan for file in spare for scan in _scans(file).values())
    return SubjectFiles(name, channels, label, left_over)


def _grouped(files: Iterable[Path], key: Callable[[Path], str | None]) -> dict[str, list[Path]]:
    """Files by what `key` says of them, without those of which it says None."""
    groups: dict[str, list[Path]] = {}
    for file in files:
        if (said := key(file)) is not None:
            groups.setdefault(said, []).append(file)
    return groups


def _scans(file: Path, stem: str = "") -> dict[str, Scan]:
    """The volumes of a file by the channels that they are: one, or one for each of a 4-D file."""
    count = count_volumes(file)
    if count is None:
        return {stem: Scan(file)}
    return {f"{stem}-{index}": Scan(file, index) for index in range(count)}


def _whose(file: Path) -> str | None:
    """The subject that a name of BIDS says."""
    subject = _SUBJECT.match(file.name)
    return subject[1] if subject else None


def _session(file: Path) -> str:
    """The session that a file's name says, or its place in the cohort; nothing where none does."""
    named = _SUBJECT.match(file.name)
    if named and named[2]:
        return named[2]
    return next((part for part in file.parts[-3:-1] if part.startswith("ses-")), "")


def is_mask(file: Path) -> bool:
    """Whether a file's name says that it is a mask of structures."""
    return _mask(file) is not None


def _mask(file: Path) -> str | None:
    return kind_of_mask(_stem(file))


def _channel(file: Path) -> str | None:
    """The channel that a file is; None for a mask, of structures or of the brain."""
    stem = _stem(file)
    return None if is_no_channel(stem) else stem


def kind_of_mask(stem: str) -> str | None:
    """Which of `LABEL_NAMES` a file of that name is, without ending; None for a channel's name."""
    if _BRAIN_MASK.search(stem):
        return None
    if _NAMED_MASK.search(stem):
        return "label"
    kind = stem if stem in LABEL_NAMES else stem.rpartition("_")[2]
    return kind if kind in LABEL_NAMES else None


def is_no_channel(name: str) -> bool:
    """Whether a file `<name>.nii.gz` would be taken for a mask, of structures or of the brain."""
    return bool(kind_of_mask(name) or _BRAIN_MASK.search(name))


def _stem(file: Path) -> str:
    """A volume's name without its ending, and without BIDS's subject and session."""
    stem = file.name.removesuffix(volume_ending(file.name))
    subject = _SUBJECT.match(stem)
    return stem[subject.end() :] if subject else stem


def _instead(folder: Path, inside: list[Path]) -> str:
    """What a folder without subjects holds, and what to do: cohorts, or most often DICOM."""
    sides = [folder / side for side in SIDES]
    cohorts = [path for path in inside if path in sides or (path / CARD_FILE).is_file()]
    missing = [side for side in sides if side not in inside]
    if cohorts and len(missing) == 1:
        what = f"holds cohorts, but no {missing[0].name}/"
        return f"{what}; check {', '.join(map(str, cohorts))}, and add {missing[0]}"
    if cohorts:
        return f"holds cohorts; check {', '.join(map(str, cohorts))}"
    if holds_dicom(folder):
        return f"no subject in it; {_FROM_DICOM}"
    return "no subject in it; put volumes into <subject>/<channel>.nii.gz"
