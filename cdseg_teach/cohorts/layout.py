"""How a cohort lies on disk: a folder a subject, a file a channel, a card that describes it.

`<cohort>/<subject>/<channel>.nii.gz`, a mask `<cohort>/<subject>/label.nii.gz` (or gt,
consensus_gt, mask), and optionally `<cohort>/cohort.json`. A subject is called as its folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdseg_teach.problems import Problem

CARD_FILE = "cohort.json"
LABEL_NAMES = ("label", "gt", "consensus_gt", "mask")  # the first that is there is the label
SPLIT_NAMES = ("train", "validation", "test")
_ENDINGS = (".nii.gz", ".nii")


@dataclass(frozen=True)
class SubjectFiles:
    """The files of one subject: its channels by name, and its mask if there is one."""

    name: str
    folder: Path
    channels: Mapping[str, Path]
    label: Path | None


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


def place(file: Path) -> str:
    """How messages call a file: with its subject, without the long way there."""
    return f"{file.parent.name}/{file.name}"


def with_prefix(name: str) -> str:
    """The folder that a subject is written to: sub-07 for 07, and for sub-07."""
    return name if name.startswith("sub-") else f"sub-{name}"


def find_subjects(folder: Path) -> tuple[SubjectFiles, ...]:
    """Every subfolder that holds a volume or is named sub-XX, sorted by name.

    Raises
    ------
    Problem
        When there is no such folder, no subject in it, or whole cohorts instead.
    """
    try:
        if folder.is_file():
            raise Problem(f"{folder}: is a file; give a folder of subjects")
        inside = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
        cohorts = [str(path) for path in inside if (path / CARD_FILE).is_file()]
        subjects = [_subject_files(path) for path in inside]
    except OSError as error:
        raise Problem(
            f"{folder}: cannot be read ({error.strerror}); give a folder of subjects"
        ) from error
    found = tuple(s for s in subjects if s.channels or s.label or s.folder.name.startswith("sub-"))
    if not found and cohorts:
        raise Problem(f"{folder}: holds cohorts; check {', '.join(cohorts)}")
    if not found:
        raise Problem(f"{folder}: no subject in it; put volumes into <subject>/<channel>.nii.gz")
    return found


def _subject_files(folder: Path) -> SubjectFiles:
    volumes: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        for ending in _ENDINGS:
            if file.name.endswith(ending) and file.name[0] != ".":
                volumes.setdefault(file.name.removesuffix(ending), file)
    masks = [volumes[name] for name in LABEL_NAMES if name in volumes]
    channels = {name: file for name, file in volumes.items() if name not in LABEL_NAMES}
    return SubjectFiles(folder.name, folder, channels, masks[0] if masks else None)


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
