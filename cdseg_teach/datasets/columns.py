"""Which file is which: a table of subject, channel and path, whatever the layout of a data set.

    subject,channel,path,volume,domain
    *,FLAIR,Utrecht/*/pre/FLAIR.nii.gz,,source
    *,label,Utrecht/*/wmh.nii.gz,,source

A `*` in `subject` is what the `*` of `path` stands for, so that one row speaks of everybody; beside
it `?` stands for any one character. A channel called label is the mask. `volume` (0, 1, ...) is one
of a file with a fourth axis, `domain` source or target; both may be left out.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from cdseg_teach.cohorts.layout import ENDINGS, SubjectFiles
from cdseg_teach.cohorts.volumes import Scan, reason
from cdseg_teach.problems import Problem

LABEL = "label"
DOMAINS = ("source", "target")
_NEEDED = ("subject", "channel", "path")
_COLUMNS = (*_NEEDED, "volume", "domain")

#: Subjects by the domain that the rows name; "" where they name none.
Found = dict[str, tuple[SubjectFiles, ...]]


@dataclass(frozen=True)
class Row:
    """One row of a column map, as in the description of the module."""

    subject: str
    channel: str
    path: str
    volume: int | None = None
    domain: str = ""


@dataclass(frozen=True)
class FoundScan(Scan):
    """A scan that messages call by its way from a folder of scans.

    Many layouts have the same names for everybody, and the subject further up.

    Parameters
    ----------
    folder
        That of the scans.
    """

    folder: Path = Path()

    def __str__(self) -> str:
        which = "" if self.volume is None else f", volume {self.volume}"
        return f"{self.file.relative_to(self.folder)}{which}"


def read_columns(file: str | Path) -> tuple[Row, ...]:
    """The rows of a column map that lies in a file.

    Raises
    ------
    Problem
        When it cannot be read, or a row is not as it should be.
    """
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Problem(f"{file}: cannot be read ({reason(error)}); name a column map") from error
    except UnicodeDecodeError as error:
        raise Problem(f"{file}: is no text in UTF-8; save it as CSV in UTF-8") from error
    return rows_of(text, Path(file).name)


def rows_of(text: str, name: str) -> tuple[Row, ...]:
    """The rows of a column map's text; `name` is what messages call it.

    Raises
    ------
    Problem
        When a column is missing or unknown, or a row is not as it should be.
    """
    try:
        reader = csv.DictReader(io.StringIO(text), strict=True)
        columns = reader.fieldnames or ()
        for column in (*(c for c in _NEEDED if c not in columns), *(set(columns) - set(_COLUMNS))):
            what = "is missing" if column in _NEEDED else "is unknown"
            raise Problem(f"{name}: column {column!r} {what}; begin with {','.join(_COLUMNS)}")
        return tuple(_row(content, f"{name}, line {reader.line_num}") for content in reader)
    except csv.Error as error:
        raise Problem(f"{name}: is no CSV ({error}); separate by commas") from error


def _row(content: dict[str, Any], place: str) -> Row:
    if None in content or None in content.values():
        raise Problem(f"{place}: has more or fewer fields than the first line; mend it")
    subject, channel, path = (content[column].strip() for column in _NEEDED)
    volume, domain = ((content.get(column) or "").strip() for column in ("volume", "domain"))
    if not (subject and channel and path):
        raise Problem(f"{place}: leaves subject, channel or path empty; fill them in")
    if volume and not volume.isdecimal():
        raise Problem(f"{place}: volume {volume!r} is no number from 0 up; mend it")
    if domain and domain not in DOMAINS:
        raise Problem(f"{place}: domain {domain!r} is neither source nor target; mend it")
    if ("*" in subject) != ("*" in path) or subject.count("*") > 1:
        raise Problem(f"{place}: put one * into subject where path has one, and none elsewhere")
    if "**" in path or ("?" in path and "*" not in path):
        raise Problem(f"{place}: a path has single *, and ? only beside them; mend it")
    if not path.endswith(ENDINGS):
        raise Problem(f"{place}: {path} is no NIfTI file; name .nii or .nii.gz")
    return Row(subject, channel, path, int(volume) if volume else None, domain)


def decathlon_rows(folder: Path) -> tuple[Row, ...]:
    """The rows of a task of the Medical Segmentation Decathlon, from its `dataset.json`.

    Its training images; modality k is volume k where there are several.

    Raises
    ------
    Problem
        When there is no such file, or it does not say modalities and training images.
    """
    file = folder / "dataset.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        channels = [content["modality"][str(index)] for index in range(len(content["modality"]))]
        pairs = [(str(case["image"]), str(case["label"])) for case in content["training"]]
    except (OSError, ValueError, RecursionError) as error:
        raise Problem(f"{file}: cannot be read ({error}); unpack the task again") from error
    except (KeyError, TypeError) as error:
        raise Problem(f"{file}: says no modality or training ({error}); unpack it again") from error
    return tuple(row for image, label in pairs for row in _case(image, label, channels))


def _case(image: str, label: str, channels: list[str]) -> Iterator[Row]:
    subject = re.sub(r"\.nii(\.gz)?$", "", Path(image).name)
    for index, channel in enumerate(channels):
        yield Row(subject, channel, image, index if len(channels) > 1 else None)
    yield Row(subject, LABEL, label)


def find(rows: Iterable[Row], folder: Path) -> Found:
    """The subjects that the rows speak of, from files that lie in a folder.

    Returns
    -------
    By domain, sorted by name.

    Raises
    ------
    Problem
        When a row's path is absolute or its file not there, a subject's file is not a single one,
        or two rows claim a channel of one subject.
    """
    subjects: dict[tuple[str, str], dict[str, Scan]] = {}
    for row in rows:
        files = _files(row, folder)
        if not files:
            raise Problem(f"{row.path}: no such file in {folder}; mend the row or the folder")
        for name, file in files.items():
            scans = subjects.setdefault((row.domain, name), {})
            if row.channel in scans:
                raise Problem(f"{name}: two rows give its {row.channel}; keep one")
            scans[row.channel] = FoundScan(file, row.volume, folder)
    found: dict[str, list[SubjectFiles]] = {}
    for (domain, name), scans in sorted(subjects.items()):
        label = scans.pop(LABEL, None)
        found.setdefault(domain, []).append(SubjectFiles(name, scans, label))
    return {domain: tuple(those) for domain, those in found.items()}


def _files(row: Row, folder: Path) -> Mapping[str, Path]:
    """The files of a row by subject: one, or all that its pattern fits."""
    if PurePosixPath(row.path).is_absolute():
        raise Problem(f"{row.path}: begins with /; name it as it lies in {folder}")
    path = str(PurePosixPath(row.path))  # as files are found: without ./ and //
    if "*" not in path:
        file = folder / path
        return {row.subject: file} if file.is_file() else {}
    first, *others = (re.escape(part).replace(r"\?", ".") for part in path.split("*"))
    pattern = re.compile(first + "([^/]+)" + r"\1".join(others))
    files: dict[str, Path] = {}
    for file in sorted(folder.glob(path.replace("[", "[[]"))):
        fits = pattern.fullmatch(file.relative_to(folder).as_posix())
        if not fits or file.name.startswith("._"):  # as macOS leaves beside files
            continue
        name = row.subject.replace("*", fits[1])
        if name in files:
            both = f"{files[name].name} and {file.name}"
            raise Problem(f"{row.path}: {both} are both {row.channel} of {name}; say which")
        files[name] = file
    return files
