"""One person in two folders, by name or by a copy: never trained on here and tested there."""

from __future__ import annotations

import filecmp
from collections.abc import Iterator, Sequence
from pathlib import Path

from cdseg_teach.cohorts.layout import SubjectFiles, with_prefix
from cdseg_teach.cohorts.volumes import Scan
from cdseg_teach.problems import Problem

SAMPLE = 2**16  # bytes from the middle, where two volumes differ even if their headers agree


def namesakes(names: Sequence[str], others: Sequence[str]) -> frozenset[str]:
    """Those of the names that the others have too, with or without sub-.

    Examples
    --------
    >>> sorted(namesakes(["sub-01", "02", "03"], ["01", "02"]))
    ['02', 'sub-01']
    """
    known = {with_prefix(name) for name in others}
    return frozenset(name for name in names if with_prefix(name) in known)


def copies(ours: Sequence[SubjectFiles], theirs: Sequence[SubjectFiles]) -> Iterator[Problem]:
    """Volumes of two folders that are the same, byte for byte, under two people's names."""
    seen: dict[tuple[int, bytes], tuple[str, Path]] = {}
    for name, file in _files(ours):
        seen.setdefault(_glance(file), (name, file))
    for name, file in _files(theirs):
        other = seen.get(_glance(file))
        if other is None or with_prefix(other[0]) == with_prefix(name):
            continue
        if filecmp.cmp(file, other[1], shallow=False):
            what = f"is a copy of {Scan(other[1])} of the source, whose name is another"
            yield Problem(f"{Scan(file)}: {what}; give one person one name")


def _files(subjects: Sequence[SubjectFiles]) -> Iterator[tuple[str, Path]]:
    for subject in subjects:
        for file in dict.fromkeys(scan.file for scan in subject.channels.values()):
            yield subject.name, file


def _glance(file: Path) -> tuple[int, bytes]:
    """What tells most files apart without reading them."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        stream.seek(size // 2)
        return size, stream.read(SAMPLE)
