"""A simulated study as NIfTI files, for other programs and for practice with own data."""

from __future__ import annotations

from pathlib import Path

from cdseg_teach.cohorts.nifti import whole_folder, write_cohort
from cdseg_teach.cohorts.study import Study


def write_study(study: Study, folder: str | Path, *, licence: str = "") -> None:
    """Write `<folder>/source` and `<folder>/target`: both, or nothing.

    Raises
    ------
    Problem
        When the folder is not empty, or cannot be written.
    """
    with whole_folder(Path(folder)) as part:
        for role, cohort in (("source", study.source), ("target", study.target)):
            write_cohort(
                part / role,
                cohort,
                provenance=f"simulated by cdseg_teach, task {study.name}, seed {study.seed}",
                licence=licence,
            )
