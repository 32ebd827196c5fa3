"""The table, the sweep over alpha, the curves over shift: what is asked, checked, run, written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from cdseg_teach.cohorts.nifti import whole_folder
from cdseg_teach.experiments.jobs import Job, Outcome, Studies, direction, run_jobs
from cdseg_teach.experiments.recipes import ALPHA, METHODS, row_of
from cdseg_teach.experiments.worst import WorstCase, worst_of_all
from cdseg_teach.methods.adversarial import checked_alpha
from cdseg_teach.problems import Problem, checked_seed

COLUMNS = (
    "task",
    "direction",
    "method",
    "seed",
    "alpha",
    "domain",
    "subject",
    "structure",
    "dsc",
    "recall",
    "precision",
    "hd95_mm",
    "assd_mm",
    "seconds",
)


@dataclass(frozen=True, eq=False)
class Results:
    """What came out.

    Parameters
    ----------
    rows
        One a subject and structure (results.csv).
    methods
        One a run (methods.csv).
    worst
        One case a method, over all runs.
    """

    rows: pd.DataFrame
    methods: pd.DataFrame
    worst: Sequence[WorstCase] = ()

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Results:
        """Put the outcomes of all runs together, in their order."""
        rows = pd.concat([outcome.rows for outcome in outcomes], ignore_index=True)
        facts = pd.DataFrame([outcome.facts for outcome in outcomes])
        cases = [outcome.worst for outcome in outcomes if outcome.worst is not None]
        return cls(rows[list(COLUMNS)], facts, worst_of_all(cases))

    def write(self, out: Path, methods: Path) -> None:
        """Write both files, or none; both lie in one folder."""
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".part-") as part:
            for rows, file in ((self.rows, out), (self.methods, methods)):
                rows.to_csv(Path(part) / file.name, index=False)
            for file in (out, methods):
                os.replace(Path(part) / file.name, file)


def table_jobs(
    studies: Studies,
    methods: Sequence[str],
    seeds: Sequence[int],
    *,
    alpha: float = ALPHA,
    steps: int | None = None,
    device: str = "auto",
) -> list[Job]:
    """The jobs of a table: each method on the study of each seed.

    Raises
    ------
    Problem
        For an unknown method, an alpha or a number of steps that is none, or a list with nothing
        in it or something twice.
    """
    for method in methods:
        row_of(method)
    _check_list("methods", methods)
    return _jobs(studies, methods, seeds, [alpha], steps, device)


def sweep_jobs(
    studies: Studies,
    alphas: Sequence[float],
    seeds: Sequence[int],
    *,
    steps: int | None = None,
    device: str = "auto",
) -> list[Job]:
    """The jobs of a sweep: adversarial learning at each alpha, on the study of each seed.

    Raises
    ------
    Problem
        As in `table_jobs`.
    """
    _check_list("alphas", alphas)
    return _jobs(studies, ["adversarial"], seeds, alphas, steps, device)


def table(
    studies: Studies,
    methods: Sequence[str] = tuple(METHODS),
    seeds: Sequence[int] = (0,),
    *,
    alpha: float = ALPHA,
    steps: int | None = None,
    device: str = "auto",
    executor: Executor | None = None,
    progress: bool = True,
    keep: Path | None = None,
) -> Results:
    """Train each method on the study of each seed, and evaluate it on the test subjects.

    Parameters
    ----------
    studies
        `brain_study`, or another function that makes a study of `seed=`.
    methods
        Names in `recipes.METHODS`.
    seeds
        Each is one set of subjects, initial weights and batches.
    alpha
        Of the adversarial rows.
    steps
        Of the training or adaptation of each method; None takes the recipes'.
    device
        `"auto"`, `"cpu"`, `"cuda"`.
    executor
        Any `concurrent.futures.Executor`; None runs here, one job after another.
    progress
        Whether to show a bar.
    keep
        A folder for what is finished, as in `run_jobs`.
    """
    jobs = table_jobs(studies, methods, seeds, alpha=alpha, steps=steps, device=device)
    return Results.of(run_jobs(jobs, executor, progress=progress, keep=keep))


def sweep(
    studies: Studies,
    alphas: Sequence[float],
    seeds: Sequence[int] = (0,),
    *,
    steps: int | None = None,
    device: str = "auto",
    executor: Executor | None = None,
    progress: bool = True,
    keep: Path | None = None,
) -> Results:
    """Train adversarially at each alpha; everything else as in `table`."""
    jobs = sweep_jobs(studies, alphas, seeds, steps=steps, device=device)
    return Results.of(run_jobs(jobs, executor, progress=progress, keep=keep))


def shift_curves(
    studies: Studies,
    shifts: Sequence[float],
    methods: Sequence[str] = tuple(METHODS),
    seeds: Sequence[int] = (0,),
    *,
    steps: int | None = None,
    executor: Executor | None = None,
    keep: Path | None = None,
) -> Results:
    """A table at each shift strength, of T alone, with one more column, `shift`.

    S is the same at every strength, so what learns from S alone is trained once a seed. Scores on S
    are left out: for what learns from S alone they stay those of the table at full strength.

    Parameters
    ----------
    studies
        `brain_study`, or another function that makes a study of `seed=` and `shift=`.
    shifts
        Strengths: 0 is no shift, 1 the target's own scanner.
    methods, seeds, steps, executor, keep
        As in `table`.
    """
    jobs = {
        replace(job, domains=("target",)): shift
        for shift in shifts
        for job in table_jobs(partial(studies, shift=shift), methods, seeds, steps=steps)
    }
    outcomes = run_jobs(list(jobs), executor, keep=keep)
    results = [Results.of([outcome]) for outcome in outcomes]
    # That of the study at full strength: on the way there, channels have names of their own.
    whole = direction(studies(seed=seeds[0]))
    tables = (
        pd.concat(
            [part.assign(shift=shift) for part, shift in zip(parts, jobs.values(), strict=True)],
            ignore_index=True,
        ).assign(direction=whole)
        for parts in ([one.rows for one in results], [one.methods for one in results])
    )
    return Results(next(tables), next(tables))


def write_predictions(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """Write `<folder>/<method>/seed-<seed>/<subject>_prediction.nii.gz`: all of them, or none.

    Parameters
    ----------
    folder
        New or empty.
    outcomes
        Of jobs with `predictions`, one a method and seed.

    Raises
    ------
    Problem
        When the folder is not empty or cannot be written, or two outcomes have one place in it.
    """
    with whole_folder(folder) as part:
        for outcome in outcomes:
            run = part / str(outcome.facts["method"]) / f"seed-{outcome.facts['seed']}"
            run.mkdir(parents=True)  # an error where it is there: nothing is written over
            for name, mask in outcome.predictions.items():
                # Not `_label`: below BIDS's derivatives/ that would be read as the truth.
                (run / f"{name}_prediction.nii.gz").write_bytes(mask)


def checked_alphas(values: Sequence[Any]) -> list[float]:
    """Alphas as numbers; one Problem that names all that are not finite or below 0."""
    alphas, bad = [], []
    for value in values:
        try:
            alphas.append(checked_alpha(value))
        except Problem:
            bad.append(repr(value))
    if bad:
        raise Problem(f"alpha {', '.join(bad)}: not a weight; use finite numbers from 0 up")
    return alphas


def check_writable(file: Path) -> None:
    """Find out before hours of training whether a file can be written.

    Raises
    ------
    Problem
        When its folder is missing or cannot be written, or the file is a folder.
    """
    if file.is_dir():
        raise Problem(f"{file}: is a folder; name a file in it")
    try:
        with tempfile.TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        raise Problem(
            f"{file}: cannot be written ({error.strerror}); name a file in a folder that can"
        ) from error


def _jobs(
    studies: Studies,
    methods: Sequence[str],
    seeds: Sequence[int],
    alphas: Sequence[float],
    steps: int | None,
    device: str,
) -> list[Job]:
    _check_list("seeds", seeds)
    for seed in seeds:
        checked_seed(seed)
    checked_alphas(alphas)
    if steps is not None and steps < 1:
        raise Problem(f"{steps} steps train nothing; use 1 or more")
    # Views are made here so that a missing channel is found before any training.
    study = studies(seed=seeds[0])
    if not study.target.splits["test"].names:
        raise Problem(f"study {study.name}: nobody of T has a label to be measured by; draw some")
    for method in methods:
        row_of(method).view(study)
    return [
        Job(studies, method, seed, alpha, steps, device)
        for seed in seeds
        for method in methods
        for alpha in alphas
    ]


def _check_list(what: str, values: Sequence[object]) -> None:
    if not values:
        raise Problem(f"no {what} are given; name at least one")
    twice = [value for i, value in enumerate(values) if value in values[:i]]
    if twice:
        raise Problem(f"{what}: {twice[0]} is given twice; name each once")
