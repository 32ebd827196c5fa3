"""A public data set, from its address to cohorts on the working grid."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from cdseg_teach.cohorts.layout import read_card
from cdseg_teach.datasets.build import Domain, Plan, build_cohorts, finish, workplace
from cdseg_teach.datasets.catalogue import PublicSet
from cdseg_teach.datasets.columns import LABEL, Row, decathlon_rows, find, rows_of
from cdseg_teach.datasets.fetch import download
from cdseg_teach.datasets.unpack import unpack
from cdseg_teach.problems import Problem


def get(chosen: PublicSet, folder: Path, *, given: Path | None = None) -> bool:
    """Download, unpack and convert a data set; what an earlier run has done is gone on with.

    Parameters
    ----------
    chosen
        Of the catalogue.
    folder
        New or empty; holds source/ and target/, or one cohort, in the end.
    given
        Where the files of the set lie unpacked, for one that is had by hand.

    Returns
    -------
    False when the folder held this set already.

    Raises
    ------
    Problem
        When the set has to be had by hand, the folder is in use, the disk is too small, or a file
        is not as it should be.
    RunFailed
        When a file cannot be had.
    """
    key = key_of(chosen)
    if not chosen.files and given is None:
        raise Problem(f"{chosen.name}: get it from {chosen.page}, then name its folder with --from")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if not _holds(folder, chosen):
            raise Problem(f"{folder}: is there and not empty; choose a new folder or remove it")
        shutil.rmtree(folder.parent / f".{folder.name}.{key}", ignore_errors=True)
        return False
    with workplace(folder, key) as work:
        _check_room(chosen, work, given)
        scans = given or _scans(chosen, work)
        build_cohorts(find(_rows(chosen, scans), scans), chosen.plan, work / "cohorts")
        finish(work / "cohorts", folder, work)
    return True


def convert(
    rows: Sequence[Row], scans: Path, folder: Path, *, values: Mapping[str, tuple[int, ...]]
) -> None:
    """Convert scans of any layout, as a column map describes it.

    Parameters
    ----------
    rows
        The column map.
    scans
        The folder that its paths begin in.
    folder
        New or empty; holds source/ and target/ where rows name these, else one cohort.
    values
        In the masks: those of label 1..K by structure, and of "background" beside 0.

    Raises
    ------
    Problem
        When rows, files or the folder are not as they should be.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Problem(f"{folder}: is there and not empty; choose a new folder or remove it")
    channels: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.channel != LABEL:
            channels.setdefault(row.domain, {})[row.channel] = None
    if "" in channels and len(channels) > 1:
        raise Problem("some rows name a domain, others do not; fill in all or none")
    structures = {name: those for name, those in values.items() if name != "background"}
    plan = Plan(
        scans.resolve().name,
        structures,
        {key: Domain(tuple(names)) for key, names in channels.items()},
        background=(0, *values.get("background", ())),
    )
    found = find(rows, scans)
    with workplace(folder, key_of((rows, scans.resolve(), plan))) as work:
        build_cohorts(found, plan, work / "cohorts")
        finish(work / "cohorts", folder, work)


def key_of(recipe: object) -> str:
    """A few letters that differ when what is to be made differs."""
    return hashlib.sha256(repr(recipe).encode()).hexdigest()[:8]


def _scans(chosen: PublicSet, work: Path) -> Path:
    """The folder with the set's files, downloaded and unpacked."""
    downloads, unpacked = work / "downloads", work / "unpacked"
    if unpacked.is_dir():
        return unpacked
    download(chosen.files, downloads)
    if not chosen.unpacked_bytes:
        return downloads
    (archive,) = chosen.files
    unpack(downloads / archive.name, unpacked, most_bytes=chosen.unpacked_bytes)
    return unpacked


def _rows(chosen: PublicSet, scans: Path) -> tuple[Row, ...]:
    if chosen.columns:
        return rows_of(chosen.columns, chosen.name)
    (task,) = (file.parent for file in sorted(scans.glob("**/dataset.json"))[:1])
    prefix = task.relative_to(scans)
    return tuple(
        Row(row.subject, row.channel, (prefix / row.path).as_posix(), row.volume)
        for row in decathlon_rows(task)
    )


def _holds(folder: Path, chosen: PublicSet) -> bool:
    """Whether a folder is what this set becomes."""
    cards = [read_card(folder / key) for key in chosen.plan.domains]
    return all(card is not None and card.provenance == chosen.plan.provenance for card in cards)


def _check_room(chosen: PublicSet, work: Path, given: Path | None) -> None:
    """A Problem when the disk cannot hold what is still to come."""
    needed = chosen.converted_bytes
    if given is None:
        needed += chosen.download_bytes + chosen.unpacked_bytes
    done = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
    free = shutil.disk_usage(work).free
    if free < needed - done:
        raise Problem(
            f"{chosen.name} needs {(needed - done) / 1e9:.1f} GB more, {work.parent} has "
            f"{free / 1e9:.1f} GB free; make room or choose another folder"
        )
