"""What describes a cohort on disk: its `cohort.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cdseg_teach.problems import Problem

CARD_FILE = "cohort.json"
STRUCTURES = ("lesion",)  # what a mask shows where no cohort.json says it
SPLIT_NAMES = ("train", "validation", "test")


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


def read_card(folder: Path) -> Card | None:
    """What `cohort.json` says, or None when there is none, as in what is no folder.

    Raises
    ------
    Problem
        When it is no JSON, or an entry is missing or of the wrong kind.
    """
    file = folder / CARD_FILE
    if file.is_fifo():
        raise Problem(f"{CARD_FILE}: is a pipe, which may never end; put a file there")
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
