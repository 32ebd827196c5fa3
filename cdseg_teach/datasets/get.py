"""A public data set, from its address to cohorts on the working grid."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cdseg_teach.cohorts.card import read_card
from cdseg_teach.cohorts.nifti import check_place
from cdseg_teach.cohorts.resample import check_grid
from cdseg_teach.datasets.build import (
    Domain,
    Plan,
    build_cohorts,
    finish,
    keep_only,
    key_of,
    state_of,
    workplace,
    workplace_of,
)
from cdseg_teach.datasets.catalogue import PublicSet
from cdseg_teach.datasets.columns import LABEL, Found, Row, decathlon_rows, find, rows_of
from cdseg_teach.datasets.fetch import download
from cdseg_teach.datasets.unpack import unpack
from cdseg_teach.problems import Problem

SUBJECTS = "subjects"  # of a workplace: where they wait
BACKGROUND = "background"
HEIGHT_MM = 240  # of a body that is converted, by and large
BYTES_A_VOXEL = 1  # packed, half of the grid being air: four fifths of it in heads


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
    if not chosen.files and given is None:
        raise Problem(f"{chosen.name}: get it from {chosen.page}, then name its folder with --from")
    folder, plan = folder.resolve(), _marked(chosen.plan, key_of(chosen.plan, chosen.columns))
    if _is_there(folder, plan):
        return False
    with workplace(folder) as work:
        if _is_there(folder, plan):  # another process was quicker
            return False
        fetched = f"scans-{key_of(chosen.files)}"
        if given is None:
            cohorts = work / f"cohorts-{key_of(plan, chosen.files)}"
            keep_only(work, fetched, cohorts.name, SUBJECTS)
            needed = chosen.download_bytes + chosen.unpacked_bytes + chosen.converted_bytes
            _check_room(chosen.name, needed, work)
            scans = _scans(chosen, work / fetched)
            build_cohorts(_found(chosen, scans), plan, cohorts, work / SUBJECTS)
        else:
            cohorts = _converted(_found(chosen, given), plan, work, chosen.converted_bytes)
        finish(cohorts, folder, work)
    return True


def convert(
    rows: Sequence[Row],
    scans: Path,
    folder: Path,
    *,
    values: Mapping[str, tuple[int, ...]],
    spacing_mm: tuple[float, float, float] = (4.0, 2.0, 2.0),
    plane: tuple[int, int] = (96, 96),
) -> bool:
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
    spacing_mm, plane
        Of the working grid, as in `load_study`; a plane is multiples of 8.

    Returns
    -------
    False when the folder held the same already.

    Raises
    ------
    Problem
        When the grid, rows, files or the folder are not as they should be, or the disk is too
        small.
    """
    check_grid(spacing_mm, plane)
    _check_values(values)
    folder, found = folder.resolve(), find(rows, scans)
    plan = Plan(
        scans.resolve().name,
        {name: those for name, those in values.items() if name != BACKGROUND},
        {key: Domain(names) for key, names in _channels(rows).items()},
        background=(0, *values.get(BACKGROUND, ())),
        spacing_mm=spacing_mm,
        plane=plane,
    )
    plan = _marked(plan, key_of(plan, rows, _state(found)))
    if _is_there(folder, plan):
        return False
    with workplace(folder) as work:
        if _is_there(folder, plan):  # another process was quicker
            return False
        finish(_converted(found, plan, work, _bytes_of(found, plan)), folder, work)
    return True


def _converted(found: Found, plan: Plan, work: Path, needed: int) -> Path:
    """Cohorts of files that lie here, once there is room for so many bytes."""
    cohorts = work / f"cohorts-{key_of(plan, _state(found))}"
    keep_only(work, cohorts.name, SUBJECTS)
    _check_room(plan.name, needed, work)
    build_cohorts(found, plan, cohorts, work / SUBJECTS)
    return cohorts


def _state(found: Found) -> list[list[tuple[str, int, int]]]:
    """Which files are read, and as they are now."""
    return [state_of(subject) for subjects in found.values() for subject in subjects]


def _channels(rows: Sequence[Row]) -> dict[str, tuple[str, ...]]:
    """The channels of each domain, in the order of the rows."""
    channels: dict[str, dict[str, None]] = {}
    for row in rows:
        names = channels.setdefault(row.domain, {})
        if row.channel != LABEL:
            names[row.channel] = None
    if "" in channels and len(channels) > 1:
        raise Problem("some rows name a domain, others do not; fill in all or none")
    if not channels or not all(channels.values()):
        raise Problem("the column map names no image; add a row for each channel")
    return {key: tuple(names) for key, names in channels.items()}


def _check_values(values: Mapping[str, tuple[int, ...]]) -> None:
    seen = {0: BACKGROUND}
    for name, those in values.items():
        for value in those:
            other = seen.setdefault(value, name)
            if other != name:
                raise Problem(f"label {value} is {other} and {name}; give each value one meaning")
    if set(values) <= {BACKGROUND}:
        raise Problem("no structure is named; say which labels are what, as in lesion=1")


def _marked(plan: Plan, key: str) -> Plan:
    """The plan with its recipe in what the cards tell: a folder says itself what it is."""
    return replace(plan, provenance=f"{plan.provenance or plan.name} [recipe {key}]")


def _is_there(folder: Path, plan: Plan) -> bool:
    """Whether a folder is what the plan becomes; a Problem when it can become nothing."""
    cards = [read_card(folder / key) for key in plan.domains]
    if any(card is None or card.provenance != plan.provenance for card in cards):
        check_place(folder)
        return False
    shutil.rmtree(workplace_of(folder), ignore_errors=True)  # of a run that was killed at its end
    return True


def _scans(chosen: PublicSet, place: Path) -> Path:
    """The folder with the set's files, downloaded and unpacked."""
    downloads, unpacked = place / "downloads", place / "unpacked"
    if unpacked.is_dir():
        return unpacked
    for left in downloads.rglob("tmp*"):  # where pooch was killed while it moved a file
        left.unlink()
    download(chosen.files, downloads)
    if not chosen.unpacked_bytes:
        return downloads
    (archive,) = chosen.files
    unpack(downloads / archive.name, unpacked, most_bytes=chosen.unpacked_bytes)
    return unpacked


def _found(chosen: PublicSet, scans: Path) -> Found:
    """The set's subjects, where its column map or its own description says."""
    if not scans.is_dir():
        raise Problem(f"{scans}: no such folder; name the one that {chosen.name} lies in")
    if chosen.columns:
        rows = rows_of(chosen.columns, chosen.name)
        first = rows[0].path
    else:
        described = sorted(scans.glob("**/dataset.json"))
        if len(described) != 1:
            raise Problem(
                f"{scans}: holds {len(described)} files dataset.json, not the one of a task"
            )
        task, first = described[0].parent, "dataset.json"
        prefix = task.relative_to(scans)
        rows = tuple(
            replace(row, path=(prefix / row.path).as_posix()) for row in decathlon_rows(task)
        )
    try:
        return find(rows, scans)
    except Problem as problem:
        where = f"name the folder that {first} of {chosen.name} begins in"
        raise Problem(f"{str(problem).partition('; mend the row')[0]}; {where}") from None


def _check_room(name: str, needed: int, work: Path) -> None:
    """A Problem when the disk cannot hold what is still to come of so many bytes."""
    more = needed - sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
    free = shutil.disk_usage(work).free
    if free < more:
        raise Problem(
            f"{name} needs {_size(more)} more, {work.parent} has {_size(free)} free; make room or "
            "choose another folder"
        )


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _bytes_of(found: Found, plan: Plan) -> int:
    """What cohorts take on the disk, by and large: nobody knows yet how tall everybody is."""
    images = sum(len(found[key]) * len(domain.channels) for key, domain in plan.domains.items())
    rows, columns = plan.plane
    return round(images * rows * columns * HEIGHT_MM / plan.spacing_mm[0] * BYTES_A_VOXEL)
