"""`table` and `sweep`: train methods side by side on a simulated study or on own data."""

from __future__ import annotations

import argparse
import functools
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdseg_teach.cli.arguments import Parser, add_task, names, number, task_studies
from cdseg_teach.problems import Problem, checked_seed

if TYPE_CHECKING:
    from cdseg_teach.cohorts import Study
    from cdseg_teach.experiments.jobs import Job, Studies
    from cdseg_teach.experiments.table import Results


def add_table(commands: argparse._SubParsersAction[Parser]) -> None:
    """Declare `table`."""
    parser = commands.add_parser("table", help="train the methods side by side, write results.csv")
    parser.add_argument(
        "--methods",
        metavar="M,...|all",
        help="default: the rows of the lecture's table; an unknown one lists all",
    )
    parser.add_argument("--alpha", default="1", metavar="X", help="of the adversarial rows")
    _add_run_options(parser, out="results.csv")
    parser.add_argument(
        "--predictions",
        metavar="FOLDER",
        help="new or empty: the masks of all who are tested, each on its scan's grid",
    )
    parser.set_defaults(run=_table)


def add_sweep(commands: argparse._SubParsersAction[Parser]) -> None:
    """Declare `sweep`."""
    parser = commands.add_parser(
        "sweep", help="train adversarially at several alphas, write sweep.csv"
    )
    parser.add_argument("--alphas", default="0,0.1,0.3,1,3,10,30,100", metavar="A,...")
    _add_run_options(parser, out="sweep.csv")
    parser.set_defaults(run=_sweep)


def _add_run_options(parser: argparse.ArgumentParser, out: str) -> None:
    add_task(parser)
    parser.add_argument("--source", metavar="FOLDER", help="own data instead of --task")
    parser.add_argument("--target", metavar="FOLDER", help="own data instead of --task")
    parser.add_argument(
        "--data", metavar="FOLDER", help="both of these: source and target in it, or one cohort"
    )
    parser.add_argument(
        "--folds", type=int, metavar="K", help="own data, seed 0..K-1 is the fold (few subjects: 5)"
    )
    for side in ("source", "target"):
        parser.add_argument(
            f"--{side}-channels",
            metavar="A,...",
            help="of own data, paired in order; default: as both cohort.json list them, or by name",
        )
    parser.add_argument("--seeds", metavar="0,1,...", help="default: 0 to 4, or all folds")
    parser.add_argument(
        "--steps", type=int, metavar="N", help="of each method's training or adaptation"
    )
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda")
    parser.add_argument("--executor", default="local", metavar="local|dask://HOST:PORT")
    parser.add_argument("--out", default=out, metavar=out)


def _table(arguments: argparse.Namespace) -> int:
    from cdseg_teach.experiments import summaries, table

    def jobs(studies: Studies, seeds: list[int]) -> list[Job]:
        return table.table_jobs(
            studies,
            rows_asked_for(arguments.methods, studies, seeds[0]),
            seeds,
            alpha=number("alpha", arguments.alpha, float),
            steps=arguments.steps,
            device=arguments.device,
        )

    methods = Path(arguments.out).parent / "methods.csv"
    predictions = None if arguments.predictions is None else Path(arguments.predictions)
    _run(
        arguments,
        jobs,
        methods,
        lambda found: summaries.report(found.rows, found.methods),
        predictions,
    )
    return 0


def _sweep(arguments: argparse.Namespace) -> int:
    from cdseg_teach.experiments import summaries, table

    def jobs(studies: Studies, seeds: list[int]) -> list[Job]:
        alphas = table.checked_alphas(names(arguments.alphas))
        return table.sweep_jobs(
            studies, alphas, seeds, steps=arguments.steps, device=arguments.device
        )

    # A table in the same folder keeps its own methods.csv.
    out = Path(arguments.out)
    methods = out.parent / f"{out.stem}_methods.csv"
    _run(arguments, jobs, methods, lambda found: summaries.sweep_report(found.rows))
    return 0


def rows_asked_for(asked: str | None, studies: Studies, seed: int = 0) -> list[str]:
    """The rows asked for, the lecture's, or all; without those that the study has no data for."""
    from cdseg_teach.experiments.recipes import LECTURE_ROWS, METHODS, impossible

    if asked not in (None, "all"):
        return names(asked)
    rows = LECTURE_ROWS if asked is None else METHODS
    reasons = impossible(studies(seed=seed))
    for reason in sorted({reasons[method] for method in rows if method in reasons}):
        left_out = ", ".join(method for method in rows if reasons.get(method) == reason)
        print(f"left out: {left_out} ({reason.partition(';')[0]})", file=sys.stderr)
    return [method for method in rows if method not in reasons]


def _run(
    arguments: argparse.Namespace,
    make_jobs: Callable[[Studies, list[int]], list[Job]],
    methods: Path,
    report: Callable[[Results], str],
    predictions: Path | None = None,
) -> None:
    """Check everything, run the jobs, write both files and the predictions, print the summary."""
    from cdseg_teach.experiments.executors import executor_from
    from cdseg_teach.experiments.jobs import estimate, run_jobs
    from cdseg_teach.experiments.table import Results, check_writable, write_predictions
    from cdseg_teach.runtime import pick_device

    out, studies = Path(arguments.out), _studies(arguments)
    if out == methods:
        raise Problem(f"{out}: is the name of a second file beside it; give --out another name")
    seeds = _seeds(arguments, studies)
    jobs = [replace(job, predictions=predictions is not None) for job in make_jobs(studies, seeds)]
    pick_device(arguments.device)
    for file in (out, methods):
        check_writable(file)
    if predictions is not None:
        _check_predictions(predictions, (out, methods))
    study = studies(seed=seeds[0])
    if _is_own(arguments):
        study.load()  # a broken volume is told now, not after the hours before its turn
    for note in (*study.notes, *_untested(seeds, studies)):
        print(f"note: {note}", file=sys.stderr)
    with executor_from(arguments.executor, len(jobs)) as executor:
        print(estimate(jobs), file=sys.stderr)
        outcomes = run_jobs(jobs, executor)
    results = Results.of(outcomes)
    results.write(out, methods)  # first: a disk too full for the masks must not cost it
    print(report(results))
    print(f"\nwritten: {out}, {methods}")
    if predictions is not None:
        write_predictions(predictions, outcomes)
        print(f"written: {predictions}")


def _check_predictions(folder: Path, files: Sequence[Path]) -> None:
    """A Problem unless it can be made after those files, which must not lie in it."""
    from cdseg_teach.cohorts.nifti import check_new

    for file in map(Path.resolve, files):
        if folder.resolve() in (file, *file.parents):
            raise Problem(f"{folder}: {file.name} is to lie there; give --predictions a new folder")
    check_new(folder)


def _seeds(arguments: argparse.Namespace, studies: Studies) -> list[int]:
    """Those asked for; of own data every fold, and one where a single person is tested."""
    if arguments.seeds is not None:
        return [checked_seed(number("seed", text, int)) for text in names(arguments.seeds)]
    folds = _folds_of(studies)
    if _is_own(arguments) and not folds and len(studies(seed=0).target.splits["test"].names) == 1:
        print("one person is tested: seed 0 alone; --seeds 0,1,2 trains again", file=sys.stderr)
        return [0]
    return list(range(folds or 5))


def _is_own(arguments: argparse.Namespace) -> bool:
    return bool(arguments.source or arguments.data)


def _folds_of(studies: Studies) -> int | None:
    return studies.keywords.get("folds") if isinstance(studies, functools.partial) else None


def _untested(seeds: list[int], studies: Studies) -> list[str]:
    """One line on the folds of a cross-validation that these seeds leave out, if there are any."""
    folds = _folds_of(studies) or 0
    left_out = set(range(folds)) - {seed % folds for seed in seeds if folds}
    if not left_out:
        return []
    which = ", ".join(map(str, sorted(left_out)))
    who = f"whoever is in fold {which} of 0 to {folds - 1}"
    return [f"not tested: {who}; without --seeds everybody is"]


def _studies(arguments: argparse.Namespace) -> Studies:
    folders = _folders(arguments)
    channels = arguments.source_channels, arguments.target_channels
    if any(given is not None for given in (*folders, *channels, arguments.folds)):
        _own_study.cache_clear()  # an earlier command of this process may have seen other files
        source, target = folders
        if not (source and target):
            raise Problem("own data: give --source FOLDER and --target FOLDER, or --data FOLDER")
        if arguments.task or arguments.direction:
            raise Problem("own data: give no --task and no --direction, which are simulated")
        of_source, of_target = (None if text is None else tuple(names(text)) for text in channels)
        folds = arguments.folds
        if folds is None:
            folds = _folds_for(source, target)
        return functools.partial(
            _own_study,
            source,
            target,
            source_channels=of_source,
            target_channels=of_target,
            folds=folds,
        )
    return task_studies(arguments.task or "brain", arguments.direction)


def _folders(arguments: argparse.Namespace) -> tuple[str | None, str | None]:
    """The two cohorts of own data: as named, side by side in one folder, or one that is halved."""
    if arguments.data is None:
        return arguments.source, arguments.target
    if arguments.source or arguments.target:
        raise Problem("own data: give --data FOLDER, or --source FOLDER and --target FOLDER")
    both = Path(arguments.data) / "source", Path(arguments.data) / "target"
    if all(folder.is_dir() for folder in both):
        return str(both[0]), str(both[1])
    return arguments.data, arguments.data


def _folds_for(source: str, target: str) -> int | None:
    from cdseg_teach.cohorts.load import folds_for

    folds = folds_for(source, target)
    if folds is not None:
        print(
            f"few subjects: cross-validation, seeds 0 to {folds - 1} are its folds; these share "
            "training subjects, so that intervals come out too narrow",
            file=sys.stderr,
        )
    return folds


@functools.lru_cache(maxsize=1)  # jobs of one seed follow each other: its volumes are read once
def _own_study(source: str, target: str, **options: Any) -> Study:
    """`load_study` without its warning, which would come from every process: notes repeat it."""
    from cdseg_teach.cohorts.load import load_study

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="not used: ")
        return load_study(source, target, **options)
