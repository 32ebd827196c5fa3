"""How a cohort lies on disk: a folder a subject, a file a channel, a card that describes it.

`<cohort>/<subject>/<channel>.nii.gz`, a mask `<cohort>/<subject>/label.nii.gz` (or gt,
consensus_gt, dseg, mask), and optionally `<cohort>/cohort.json`. A subject is called as its folder.

The names of BIDS are understood as well: `sub-XX_FLAIR.nii.gz` in the cohort's or the subject's
folder, in its `anat/` or `ses-YY/anat/`, is channel FLAIR of sub-XX; `sub-XX_dseg.nii.gz` or
`sub-XX_label-lesion_mask.nii.gz` there or under `derivatives/` is its mask. Brain masks are left
out. A file with a fourth axis holds a channel a volume: `scan.nii.gz` is scan-0, scan-1, ...
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdseg_teach.cohorts.volumes import Scan, count_volumes
from cdseg_teach.problems import Problem

CARD_FILE = "cohort.json"
LABEL_NAMES = ("label", "gt", "consensus_gt", "dseg", "mask")  # the first that is there counts
SPLIT_NAMES = ("train", "validation", "test")
ENDINGS = (".nii.gz", ".nii")
_SUBJECT = re.compile(r"(sub-[A-Za-z0-9]+)_(?:ses-[A-Za-z0-9]+_)?")
DERIVED = "derivatives"  # where BIDS keeps segmentations
_BRAIN_MASK = re.compile(r"brain_?mask", re.IGNORECASE)


@dataclass(frozen=True)
class SubjectFiles:
    """The files of one subject: its channels by name, and its mask if there is one."""

    name: str
    channels: Mapping[str, Scan]
    label: Scan | None


@dataclass(frozen=True)
class Card:
    """What `cohort.json` says.

    Parameters
    ----------
    name, channels, structures
        As in Cohort.
    provenance, licence
        Where the images come from, and how they may be used.
    prepared
        True when the images are normalised and on the working grid already.
    splits
        Subjects of train, validation and test; empty when the split is left to the reader.
    """

    name: str
    channels: tuple[str, ...]
    structures: tuple[str, ...]
    provenance: str = ""
    licence: str = ""
    prepared: bool = False
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def with_prefix(name: str) -> str:
    """The folder that a subject is written to: sub-07 for 07, and for sub-07."""
    return name if name.startswith("sub-") else f"sub-{name}"


def find_subjects(folder: Path) -> tuple[SubjectFiles, ...]:
    """Every subfolder that holds a volume or is named sub-XX, and what BIDS keeps, by name.

    Raises
    ------
    Problem
        When there is no such folder, no subject in it, or whole cohorts instead; when two files
        claim to be the same channel.
    """
    try:
        if folder.is_file():
            raise Problem(f"{folder}: is a file; give a folder of subjects")
        inside = sorted(
            path
            for path in folder.iterdir()
            if path.is_dir() and path.name[0] != "." and path.name != DERIVED
        )
        cohorts = [str(path) for path in inside if (path / CARD_FILE).is_file()]
        files = {path.name: _volumes_of(path) for path in inside}
        for file in _volumes_in(folder):
            if subject := _SUBJECT.match(file.name):
                files.setdefault(subject[1], []).append(file)
        masks = _derived_masks(folder)
    except OSError as error:
        raise Problem(
            f"{folder}: cannot be read ({error.strerror}); give a folder of subjects"
        ) from error
    subjects = [_subject_files(name, files[name], masks.get(name, [])) for name in sorted(files)]
    found = tuple(s for s in subjects if s.channels or s.label or s.name.startswith("sub-"))
    if not found and cohorts:
        raise Problem(f"{folder}: holds cohorts; check {', '.join(cohorts)}")
    if not found:
        raise Problem(f"{folder}: no subject in it; {_advice(folder)}")
    return found


def _volumes_in(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.name.endswith(ENDINGS) and f.name[0] != ".")


def _volumes_of(folder: Path) -> list[Path]:
    """The volumes of a subject's folder, and of BIDS's anat/ or ses-YY/anat/ in it."""
    sessions = sorted(path for path in folder.glob("ses-*/anat") if path.is_dir())
    if len(sessions) > 1:
        names = ", ".join(path.parent.name for path in sessions)
        raise Problem(f"{folder.name}: has sessions {names}; keep one of them")
    anatomical = [path for path in (folder / "anat", *sessions) if path.is_dir()]
    return [file for place in (folder, *anatomical) for file in _volumes_in(place)]


def _derived_masks(folder: Path) -> dict[str, list[Path]]:
    """Masks by subject under BIDS's derivatives/, where segmentations are kept."""
    masks: dict[str, list[Path]] = {}
    below = os.walk(folder / DERIVED)
    for file in sorted(Path(place) / name for place, _, names in below for name in names):
        subject = _SUBJECT.match(file.name)
        if subject and file.name.endswith(ENDINGS) and kind_of_mask(_stem(file)):
            masks.setdefault(subject[1], []).append(file)
    return masks


def _subject_files(name: str, files: list[Path], derived: list[Path]) -> SubjectFiles:
    channels: dict[str, Path] = {}
    masks: dict[str, Path] = {}
    for file in files:
        stem, whose = _stem(file), _SUBJECT.match(file.name)
        if whose and name.startswith("sub-") and whose[1] != name:
            raise Problem(f"{name}: holds {file.name}, of {whose[1]}; move it to where it belongs")
        if kind := kind_of_mask(stem):
            _add(masks, kind, file, name)
        elif not _BRAIN_MASK.search(stem):
            _add(channels, stem, file, name)
    if not masks:  # what lies beside the images comes first
        for file in derived:
            _add(masks, str(kind_of_mask(_stem(file))), file, name)
    scans: dict[str, Scan] = {}
    for channel, file in channels.items():
        count = count_volumes(file)
        if count is None:
            scans[channel] = Scan(file)
        else:
            scans |= {f"{channel}-{index}": Scan(file, index) for index in range(count)}
    label = next((Scan(masks[kind]) for kind in LABEL_NAMES if kind in masks), None)
    return SubjectFiles(name, scans, label)


def _add(known: dict[str, Path], key: str, file: Path, name: str) -> None:
    if key in known:
        raise Problem(f"{name}: {known[key].name} and {file.name} are both {key}; keep one")
    known[key] = file


def kind_of_mask(stem: str) -> str | None:
    """Which of `LABEL_NAMES` a file of that name is, without ending; None for a channel's name."""
    kind = stem if stem in LABEL_NAMES else stem.rpartition("_")[2]
    return kind if kind in LABEL_NAMES and not _BRAIN_MASK.search(stem) else None


def is_no_channel(name: str) -> bool:
    """Whether a file `<name>.nii.gz` would be taken for a mask, of structures or of the brain."""
    return bool(kind_of_mask(name) or _BRAIN_MASK.search(name))


def _stem(file: Path) -> str:
    """A volume's name without its ending, and without BIDS's subject and session."""
    ending = next(ending for ending in ENDINGS if file.name.endswith(ending))
    stem = file.name.removesuffix(ending)
    subject = _SUBJECT.match(stem)
    return stem[subject.end() :] if subject else stem


def _advice(folder: Path) -> str:
    """What to do about a folder without volumes: most often it holds DICOM."""
    if any(folder.rglob("*.dcm")):
        return "convert its DICOM files, as with dcm2niix -z y -o OUT IN"
    return "put volumes into <subject>/<channel>.nii.gz"


def read_card(folder: Path) -> Card | None:
    """What `cohort.json` says, or None when there is none, as in what is no folder.

    Raises
    ------
    Problem
        When it is no JSON, or an entry is missing or of the wrong kind.
    """
    file = folder / CARD_FILE
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise Problem(
            f"{CARD_FILE}: cannot be read as JSON ({error}); mend or remove it"
        ) from error
    if not isinstance(content, dict):
        raise Problem(f"{CARD_FILE}: is no JSON object; write {{...}} or remove it")
    splits = content.get("splits", {})
    if not isinstance(splits, dict) or set(splits) - set(SPLIT_NAMES):
        raise Problem(
            f"{CARD_FILE}: splits is no object of {', '.join(SPLIT_NAMES)}; mend or remove it"
        )
    return Card(
        name=_text(content, "name", folder.resolve().name),
        channels=_names(content, "channels"),
        structures=_names(content, "structures"),
        provenance=_text(content, "provenance"),
        licence=_text(content, "licence"),
        prepared=content.get("prepared") is True,
        splits={key: _names(splits, key) for key in splits},
    )


def _names(content: dict[str, Any], key: str) -> tuple[str, ...]:
    value = content.get(key)
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise Problem(f'{CARD_FILE}: {key} is no list of names; write "{key}": ["...", "..."]')
    if len(set(value)) < len(value):
        raise Problem(f"{CARD_FILE}: {key} names something twice; name each once")
    return tuple(value)


def _text(content: dict[str, Any], key: str, default: str = "") -> str:
    value = content.get(key, default)
    if not isinstance(value, str):
        raise Problem(f'{CARD_FILE}: {key} is no text; write "{key}": "..."')
    return value
