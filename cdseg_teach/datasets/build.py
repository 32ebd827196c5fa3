"""Scans of any layout become cohorts on the working grid: one subject at a time, all or nothing."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TextIO

from tqdm.auto import tqdm

from cdseg_teach.cohorts.card import Card
from cdseg_teach.cohorts.checks import file_problems, name_problems
from cdseg_teach.cohorts.convert import Conversion, read_subject
from cdseg_teach.cohorts.layout import SubjectFiles, with_prefix
from cdseg_teach.cohorts.nifti import (
    filled,
    give_name,
    is_full,
    mend,
    told,
    unusable_names,
    write_card,
    write_subject,
)
from cdseg_teach.cohorts.study import Subject
from cdseg_teach.cohorts.volumes import reason
from cdseg_teach.datasets.columns import Found
from cdseg_teach.problems import Problem, raise_all

CONVERSION = 1  # raised with a change that moves a voxel of what is converted
LOCK = "lock"  # of a workplace, held by whoever works in it


@dataclass(frozen=True)
class Domain:
    """One of the cohorts that a data set becomes.

    Parameters
    ----------
    channels
        What its image consists of, in order; paired by place with those of the other domain.
    subjects
        Patterns with `*`, `?` and `[...]`: who belongs to it.
    """

    channels: tuple[str, ...]
    subjects: tuple[str, ...] = ("*",)


@dataclass(frozen=True)
class Plan:
    """What is made of the scans that were found.

    Parameters
    ----------
    name
        Of the cohorts.
    structures
        What each stands for in the masks: names of label 1..K with the values that mean it.
    domains
        By folder: "source" and "target"; "" is the folder itself, for a single cohort.
    background
        Values in the masks that stand for background.
    provenance, licence
        For `cohort.json`.
    spacing_mm
        (z, y, x) of the working grid in mm.
    plane
        Rows and columns of a slice.
    """

    name: str
    structures: Mapping[str, tuple[int, ...]]
    domains: Mapping[str, Domain]
    background: tuple[int, ...] = (0,)
    provenance: str = ""
    licence: str = ""
    spacing_mm: tuple[float, float, float] = (4.0, 2.0, 2.0)
    plane: tuple[int, int] = (96, 96)

    def problems(self, files: SubjectFiles, key: str) -> Iterator[Problem]:
        """What is wrong with a subject of a domain, by the headers of its files."""
        channels, structures = self.domains[key].channels, tuple(self.structures)
        yield from file_problems(files, channels, structures, headers_only=True)

    def read(self, files: SubjectFiles, key: str) -> Subject:
        """A subject of a domain, on the working grid."""
        values = dict.fromkeys(self.background, 0)
        for structure, those in enumerate(self.structures.values(), 1):
            values |= dict.fromkeys(those, structure)
        channels, structures = self.domains[key].channels, tuple(self.structures)
        conversion = Conversion(channels, structures, self.spacing_mm, self.plane, values=values)
        return read_subject(files, conversion, name=files.name)


def build_cohorts(found: Found, plan: Plan, part: Path, pool: Path) -> None:
    """Convert every subject of a plan that is not there yet, then deal them out, with the cards.

    A subject appears in the pool once all of it is written, so that a run that was killed is
    gone on with, and ends with the same bytes. Its name there says what it was made of: a file
    that is mended between two runs costs its subject only.

    Parameters
    ----------
    found
        Subjects as :func:`~cdseg_teach.datasets.columns.find` gives them.
    plan
        What becomes of them.
    part
        The folder to fill, which nobody else writes to; of these files and this plan.
    pool
        Where subjects wait, beside it; those that are not wanted any more go.

    Raises
    ------
    Problem
        When nobody is found for a domain, two have one name, a name is no file's, or files are not
        as they should be: of what names and headers show, each on its line.
    """
    dealt = {key: _those_of(key, found, domain) for key, domain in plan.domains.items()}
    raise_all(
        problem for key, subjects in dealt.items() for problem in _problems(subjects, plan, key)
    )
    wanted = {
        part / key / with_prefix(subject.name): (subject, key, pool / _made_of(subject, plan, key))
        for key, subjects in dealt.items()
        for subject in subjects
    }
    pool.mkdir(parents=True, exist_ok=True)
    keep_only(pool, *(made.name for _, _, made in wanted.values()))
    missing = [those for folder, those in wanted.items() if not folder.is_dir()]
    for subject, key, made in tqdm(missing, "converting", unit="subject", leave=False):
        _convert(subject, plan, key, made)
    for folder, (_, _, made) in wanted.items():
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            made.rename(folder)
    for key, domain in plan.domains.items():
        structures = tuple(plan.structures)
        card = Card(plan.name, domain.channels, structures, plan.provenance, plan.licence, True)
        write_card(part / key, card)


def _those_of(key: str, found: Found, domain: Domain) -> tuple[SubjectFiles, ...]:
    """Who belongs to a domain: those whose rows name it, or of no domain; by the patterns."""
    candidates = (*found.get(key, ()), *(found.get("", ()) if key else ()))
    those = tuple(s for s in candidates if any(fnmatch(s.name, p) for p in domain.subjects))
    if not those:
        raise Problem(f"no subject for {key or 'the cohort'}; mend the column map or the folder")
    return those


def _problems(subjects: tuple[SubjectFiles, ...], plan: Plan, key: str) -> Iterator[Problem]:
    """Everything that is wrong with names and headers."""
    yield from name_problems(subjects, None)
    yield from unusable_names([subject.name for subject in subjects], plan.domains[key].channels)
    for subject in subjects:
        yield from plan.problems(subject, key)


def _made_of(files: SubjectFiles, plan: Plan, key: str) -> str:
    """What a subject's voxels depend on, as a few letters: not on what the card says."""
    recipe = replace(plan, name="", provenance="", licence="")
    return key_of(recipe, key, files.name, state_of(files))


def _convert(files: SubjectFiles, plan: Plan, key: str, folder: Path) -> None:
    if folder.is_dir():
        return
    subject = plan.read(files, key)
    with filled(folder) as part:
        write_subject(part, subject, plan.domains[key].channels)


def key_of(*recipe: object) -> str:
    """A few letters that differ when what is to be made differs."""
    return hashlib.sha256(repr((CONVERSION, recipe)).encode()).hexdigest()[:8]


def state_of(files: SubjectFiles) -> list[tuple[str, int, int]]:
    """Which files are read for a subject, by their way from the folder of scans, and how they are.

    The same whoever asks from where: a folder of scans that was moved is the same one.
    """
    scans = (*files.channels.values(), *filter(None, [files.label]))
    states = ((scan, scan.file.stat()) for scan in scans)
    return [(str(scan), state.st_size, state.st_mtime_ns) for scan, state in states]


@contextlib.contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """Where a folder is made: beside it, under a name that the next run finds again.

    What killed processes left half-made in it is cleared away first. It goes at the end unless
    something is done in it.

    Raises
    ------
    Problem
        When another process works there, or it cannot be written.
    """
    work = workplace_of(folder)
    with told(folder):
        lock = _locked(work, folder)
    with lock:
        try:
            for left in [path for path in work.rglob(".*.part") if path.is_dir()]:
                shutil.rmtree(left)
            yield work
        except OSError as error:
            raise Problem(_broken_off(folder, work, error)) from error
        finally:
            if not _is_begun(work):
                shutil.rmtree(work, ignore_errors=True)


def _locked(work: Path, folder: Path) -> TextIO:
    """The lock of a workplace, which is made; a Problem when another process has it."""
    work.mkdir(parents=True, exist_ok=True)
    lock = (work / LOCK).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        if isinstance(error, BlockingIOError):
            what = "is being made by another process; wait for it"
            raise Problem(f"{folder}: {what}") from None
        raise
    return lock


def _broken_off(folder: Path, work: Path, error: OSError) -> str:
    """What to do when the disk says no on the way; of a full one the file does not matter."""
    where = "" if is_full(error) or error.filename is None else f"{error.filename}: "
    how = mend(error)
    if _is_begun(work):
        first = "make room" if is_full(error) else "mend that"
        how = f"{first} and repeat the command, what is done is kept in {work}"
    return f"{folder}: could not be made ({where}{reason(error)}); {how}"


def _is_begun(work: Path) -> bool:
    """Whether a workplace holds a file besides its lock."""
    return any(path.is_file() and path.name != LOCK for path in work.rglob("*"))


def workplace_of(folder: Path) -> Path:
    """The hidden folder in which another one is made."""
    return folder.parent / f".{folder.name}.unfinished"


def keep_only(work: Path, *names: str) -> None:
    """Clear away what earlier runs have made of something else."""
    for path in work.iterdir():
        if path.name not in (LOCK, *names):
            shutil.rmtree(path)


def finish(part: Path, folder: Path, work: Path) -> None:
    """Give the finished folder its name, and clear the workplace away.

    Raises
    ------
    OSError
        When the folder is there and not empty.
    """
    give_name(part, folder)
    shutil.rmtree(work, ignore_errors=True)
