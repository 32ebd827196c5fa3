"""A simulated study as NIfTI files, for other programs and for practice with own data."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from cdseg_teach.cohorts.nifti import write_cohort
from cdseg_teach.cohorts.study import Study
from cdseg_teach.problems import Problem


def write_study(study: Study, folder: str | Path, *, licence: str = "") -> None:
    """Write `<folder>/source` and `<folder>/target`: both, or nothing.

    Raises
    ------
    Problem
        When the folder is not empty, or cannot be written.
    """
    folder = Path(folder).resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Problem(f"{folder}: is not an empty folder; name a new one")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise Problem(f"{folder}: cannot be written ({error.strerror}); name another") from error
    try:
        part.chmod(0o755)  # a temporary folder is its owner's only
        for role, cohort in (("source", study.source), ("target", study.target)):
            write_cohort(
                part / role,
                cohort,
                provenance=f"simulated by cdseg_teach, task {study.name}, seed {study.seed}",
                licence=licence,
            )
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
