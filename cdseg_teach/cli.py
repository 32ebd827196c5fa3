"""The same from a shell: ``cdseg-teach COMMAND``.

Each command is one function that takes the parsed arguments and returns the exit status, next to
one that declares its options. Commands import what they need when they run: ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import functools
import math
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from cdseg_teach import __version__
from cdseg_teach.problems import Problem, RunFailed, checked_seed

if TYPE_CHECKING:
    from cdseg_teach.cohorts import Study
    from cdseg_teach.experiments.jobs import Job, Studies
    from cdseg_teach.experiments.table import Results

Number = TypeVar("Number", int, float)

CHECKOUT = Path(__file__).resolve().parents[1]
START = Path("notebooks") / "00_start_here.ipynb"
# JupyterLab would open with a question about news and ask its servers for updates: these settings
# keep the question from the room, and the network out of it. A user's own settings still win.
SETTINGS = Path(__file__).resolve().parent / "jupyterlab_settings"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Report a mistake in the arguments as what it is: a `Problem`, in one line."""
        raise Problem(f"{message}; see `{self.prog} --help`")


def _doctor(arguments: argparse.Namespace) -> int:
    from cdseg_teach import doctor

    findings = doctor.examine()
    print(doctor.as_json(findings) if arguments.json else doctor.as_text(findings))
    return 1 if any(finding.mend for finding in findings) else 0


def _add_doctor(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser("doctor", help="say what is installed, and mend what is missing")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=_doctor)


def jupyter_options(root: Path, passed_on: Sequence[str]) -> list[str]:
    """Options for JupyterLab so that it opens the first notebook of the checkout at `root`.

    The root of the file browser is the checkout, so that a method's file opens beside its notebook.

    Raises
    ------
    Problem
        When the notebooks are not there.
    """
    if not (root / START).is_file():
        raise Problem(f"{root / START} is missing; clone the repository and run `make lab` there")
    options = [
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url=/lab/tree/{START.as_posix()}",
        f"--LabApp.app_settings_dir={SETTINGS}",
    ]
    # Jupyter refuses to run as root without this, and in a container everybody is root.
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--allow-root")
    return [*options, *passed_on]


def _lab(arguments: argparse.Namespace) -> int:
    options = jupyter_options(CHECKOUT, arguments.passed_on)
    try:
        from jupyterlab.labapp import LabApp
    except ImportError:
        raise Problem("JupyterLab is missing; pip install 'cdseg_teach[lab]'") from None
    LabApp.launch_instance(options)
    return 0


def _add_lab(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "lab",
        help="open the notebooks in JupyterLab",
        epilog="Jupyter's own options are passed on: cdseg-teach lab --port 9999 --no-browser",
    )
    parser.set_defaults(run=_lab, passes_on=True)


def _table(arguments: argparse.Namespace) -> int:
    from cdseg_teach.experiments import summaries, table

    def jobs(studies: Studies, seeds: list[int]) -> list[Job]:
        return table.table_jobs(
            studies,
            _methods(arguments.methods, studies, seeds[0]),
            seeds,
            alpha=_number("alpha", arguments.alpha, float),
            steps=arguments.steps,
            device=arguments.device,
        )

    methods = Path(arguments.out).parent / "methods.csv"
    _run(arguments, jobs, methods, lambda found: summaries.report(found.rows, found.methods))
    return 0


def _methods(asked: str | None, studies: Studies, seed: int = 0) -> list[str]:
    """The rows asked for, the lecture's, or all; without those that the study has no data for."""
    from cdseg_teach.experiments.recipes import LECTURE_ROWS, METHODS, impossible

    if asked not in (None, "all"):
        return _names(asked)
    rows = LECTURE_ROWS if asked is None else METHODS
    reasons = impossible(studies(seed=seed))
    for reason in sorted({reasons[method] for method in rows if method in reasons}):
        left_out = ", ".join(method for method in rows if reasons.get(method) == reason)
        print(f"left out: {left_out} ({reason.partition(';')[0]})", file=sys.stderr)
    return [method for method in rows if method not in reasons]


def _sweep(arguments: argparse.Namespace) -> int:
    from cdseg_teach.experiments import summaries, table

    def jobs(studies: Studies, seeds: list[int]) -> list[Job]:
        alphas = table.checked_alphas(_names(arguments.alphas))
        return table.sweep_jobs(
            studies, alphas, seeds, steps=arguments.steps, device=arguments.device
        )

    # A table in the same folder keeps its own methods.csv.
    out = Path(arguments.out)
    methods = out.parent / f"{out.stem}_methods.csv"
    _run(arguments, jobs, methods, lambda found: summaries.sweep_report(found.rows))
    return 0


def _run(
    arguments: argparse.Namespace,
    make_jobs: Callable[[Studies, list[int]], list[Job]],
    methods: Path,
    report: Callable[[Results], str],
) -> None:
    """Check everything, run the jobs, write both files, print the summary."""
    from cdseg_teach.experiments.executors import executor_from
    from cdseg_teach.experiments.jobs import estimate, run_jobs
    from cdseg_teach.experiments.table import Results, check_writable
    from cdseg_teach.runtime import pick_device

    out, studies = Path(arguments.out), _studies(arguments)
    if out == methods:
        raise Problem(f"{out}: is the name of a second file beside it; give --out another name")
    seeds = _seeds(arguments, studies)
    jobs = make_jobs(studies, seeds)
    pick_device(arguments.device)
    for file in (out, methods):
        check_writable(file)
    study = studies(seed=seeds[0])
    if arguments.source or arguments.data:
        study.load()  # a broken volume is told now, not after the hours before its turn
    for note in study.notes:
        print(f"note: {note}", file=sys.stderr)
    with executor_from(arguments.executor, len(jobs)) as executor:
        print(estimate(jobs), file=sys.stderr)
        results = Results.of(run_jobs(jobs, executor))
    results.write(out, methods)
    print(report(results))
    print(f"\nwritten: {out}, {methods}")


def _seeds(arguments: argparse.Namespace, studies: Studies) -> list[int]:
    """Those asked for; of own data every fold."""
    if arguments.seeds is not None:
        return [checked_seed(_number("seed", text, int)) for text in _names(arguments.seeds)]
    folds = studies.keywords.get("folds") if isinstance(studies, functools.partial) else None
    return list(range(folds or 5))


def _studies(arguments: argparse.Namespace) -> Studies:
    folders = _folders(arguments)
    channels = arguments.source_channels, arguments.target_channels
    if any(given is not None for given in (*folders, *channels, arguments.folds)):
        _own_study.cache_clear()  # an earlier command of this process may have seen other files
        source, target = folders
        if not (source and target) or arguments.task or arguments.direction:
            raise Problem(
                "own data: give --source FOLDER and --target FOLDER, or --data; and no --task"
            )
        of_source, of_target = (None if text is None else tuple(_names(text)) for text in channels)
        folds = arguments.folds
        if arguments.data and folds is None:
            folds = _folds_for(source, target)
        return functools.partial(
            _own_study,
            source,
            target,
            source_channels=of_source,
            target_channels=of_target,
            folds=folds,
        )
    return _task(arguments.task or "brain", arguments.direction)


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


def _task(name: str, direction: str | None) -> Studies:
    from cdseg_teach.cohorts import brain_study, heart_study
    from cdseg_teach.cohorts.heart import DIRECTIONS

    if name not in ("brain", "heart"):
        raise Problem(f"task {name!r} is unknown; use brain or heart")
    if direction is not None and (name != "heart" or direction not in DIRECTIONS):
        raise Problem(f"direction {direction!r}: use {' or '.join(DIRECTIONS)}, with --task heart")
    if name == "brain":
        return brain_study
    return functools.partial(heart_study, direction=direction or DIRECTIONS[0])


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _number(what: str, text: str, kind: Callable[[str], Number]) -> Number:
    try:
        return kind(text)
    except ValueError:
        raise Problem(f"{what} {text!r} is no {_KINDS[what]}; see --help") from None


#: Of simulated cohorts, by what their anatomy is derived from.
_LICENCES = {
    "brain": "simulated from the ICBM152 2009 templates, whose terms apply",
    "heart": "simulated from the heart of Rodero et al. 2021, CC BY 4.0",
}
_KINDS = {
    "seed": "whole number",
    "alpha": "number",
    "spacing": "number",
    "plane": "whole number",
}


def _add_table(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser("table", help="train the methods side by side, write results.csv")
    parser.add_argument(
        "--methods",
        metavar="M,...|all",
        help="default: the rows of the lecture's table; an unknown one lists all",
    )
    parser.add_argument("--alpha", default="1", metavar="X", help="of the adversarial rows")
    _add_run_options(parser, out="results.csv")
    parser.set_defaults(run=_table)


def _add_sweep(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "sweep", help="train adversarially at several alphas, write sweep.csv"
    )
    parser.add_argument("--alphas", default="0,0.1,0.3,1,3,10,30,100", metavar="A,...")
    _add_run_options(parser, out="sweep.csv")
    parser.set_defaults(run=_sweep)


def _add_run_options(parser: argparse.ArgumentParser, out: str) -> None:
    _add_task(parser)
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
    parser.add_argument("--seeds", metavar="0,1,...", help="default: 0,1,2,3,4, or all folds")
    parser.add_argument(
        "--steps", type=int, metavar="N", help="of each method's training or adaptation"
    )
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda")
    parser.add_argument("--executor", default="local", metavar="local|dask://HOST:PORT")
    parser.add_argument("--out", default=out, metavar=out)


def _add_task(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", metavar="brain|heart", help="the simulated study (brain)")
    parser.add_argument("--direction", metavar="mr_to_ct|ct_to_mr", help="of the heart (mr_to_ct)")


def _data_make(arguments: argparse.Namespace) -> int:
    from cdseg_teach.experiments.export import write_study

    task = arguments.task or "brain"
    study = _task(task, arguments.direction)(seed=_number("seed", arguments.seed, int))
    write_study(study, arguments.out, licence=_LICENCES[task])
    print(f"written: {arguments.out}")
    return 0


def _data_list(arguments: argparse.Namespace) -> int:
    from cdseg_teach.datasets.catalogue import public_sets

    for chosen in public_sets().values():
        had = f"{chosen.download_bytes / 1e9:.1f} GB" if chosen.files else "by hand"
        grid = " × ".join(f"{size:g}" for size in chosen.plan.spacing_mm)
        print(f"{chosen.name}: {chosen.title}")
        print(f"    had     {had}, {chosen.page}")
        print(f"    becomes {chosen.converted_bytes / 1e6:.0f} MB at most, on {grid} mm")
        print(f"    licence {chosen.plan.licence}")
        print(f"    study   {chosen.study}")
    return 0


def _data_get(arguments: argparse.Namespace) -> int:
    from cdseg_teach.datasets.catalogue import public_set
    from cdseg_teach.datasets.get import get

    chosen = public_set(arguments.name)
    if not arguments.accept_licence:
        raise Problem(
            f"{chosen.name}: its licence is {chosen.plan.licence}; read {chosen.page}, "
            "then repeat this with --accept-licence"
        )
    print(f"{chosen.name}: licence {chosen.plan.licence}, {chosen.page}")
    folder, given = Path(arguments.out), arguments.given
    is_new = get(chosen, folder, given=None if given is None else Path(given))
    print(f"{'written' if is_new else 'there already'}: {folder}; {chosen.study}")
    print(f"cite: {chosen.plan.provenance}")
    return 0


def _data_convert(arguments: argparse.Namespace) -> int:
    from cdseg_teach.datasets.columns import read_columns
    from cdseg_teach.datasets.get import convert

    rows = read_columns(arguments.map)
    scans = Path(arguments.given) if arguments.given else Path(arguments.map).parent
    is_new = convert(
        rows,
        scans,
        Path(arguments.out),
        values=_label_values(arguments.labels),
        spacing_mm=_three(arguments.spacing),
        plane=_two(arguments.plane),
    )
    print(f"{'written' if is_new else 'there already'}: {arguments.out}")
    return 0


def _label_values(text: str) -> dict[str, tuple[int, ...]]:
    """Values by structure from `LV=500,RV=600`; a structure may have several."""
    values: dict[str, tuple[int, ...]] = {}
    for name in _names(text):
        structure, _, value = (part.strip() for part in name.partition("="))
        if not structure or not value.isdecimal():
            raise Problem(f"label {name}: give a name and a value from 0 up, as in lesion=1")
        values[structure] = (*values.get(structure, ()), int(value))
    return values


def _three(text: str) -> tuple[float, float, float]:
    z, y, x = _lengths("spacing", text, 3, float)
    return z, y, x


def _two(text: str) -> tuple[int, int]:
    rows, columns = _lengths("plane", text, 2, int)
    return rows, columns


def _lengths(what: str, text: str, count: int, kind: Callable[[str], Number]) -> list[Number]:
    numbers = [_number(what, part, kind) for part in _names(text)]
    if len(numbers) != count or not all(0 < number < math.inf for number in numbers):
        raise Problem(f"{what} {text!r}: give {count} positive numbers with commas between them")
    return numbers


def _data_check(arguments: argparse.Namespace) -> int:
    from cdseg_teach.cohorts.checks import check_cohort

    problems = check_cohort(arguments.folder)
    for problem in problems:
        print(f"cdseg-teach: {problem}", file=sys.stderr)
    if not problems:
        print(f"{arguments.folder}: nothing wrong")
    return 2 if problems else 0


def _add_data(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser("data", help="cohorts: public, simulated, your own")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    make = actions.add_parser("make", help="write source and target of a task as NIfTI")
    _add_task(make)
    make.add_argument("--seed", default="0", metavar="N")
    make.add_argument("--out", required=True, metavar="FOLDER", help="new or empty")
    make.set_defaults(run=_data_make)
    known = actions.add_parser("list", help="name the public data sets, their licences and studies")
    known.set_defaults(run=_data_list)
    get = actions.add_parser("get", help="download a public data set and convert it")
    get.add_argument("name", metavar="NAME", help="as `data list` says")
    get.add_argument("--out", required=True, metavar="FOLDER", help="new or empty")
    get.add_argument("--from", dest="given", metavar="FOLDER", help="its files, had by hand")
    get.add_argument("--accept-licence", action="store_true", help="once you have read it")
    get.set_defaults(run=_data_get)
    convert = actions.add_parser("convert", help="convert scans of any layout by a column map")
    convert.add_argument("map", metavar="MAP.csv", help="subject,channel,path[,volume][,domain]")
    convert.add_argument("--from", dest="given", metavar="FOLDER", help="default: that of the map")
    convert.add_argument("--labels", default="lesion=1", metavar="NAME=VALUE,...")
    convert.add_argument("--spacing", default="4,2,2", metavar="Z,Y,X", help="of the grid, in mm")
    convert.add_argument("--plane", default="96,96", metavar="ROWS,COLUMNS", help="of a slice")
    convert.add_argument("--out", required=True, metavar="FOLDER", help="new or empty")
    convert.set_defaults(run=_data_convert)
    check = actions.add_parser("check", help="say all that is wrong with a cohort")
    check.add_argument("folder", metavar="FOLDER")
    check.set_defaults(run=_data_check)


def _pack_build(arguments: argparse.Namespace) -> int:
    from cdseg_teach.experiments.pack_build import build

    build(arguments.only)
    return 0


def _pack_verify(arguments: argparse.Namespace) -> int:
    from cdseg_teach.experiments.pack_build import verify

    verdicts = []
    for checked, right in verify():
        print(f"{'ok' if right else '!!'}  {checked}")
        verdicts.append(right)
    return 0 if all(verdicts) else 1


def _add_pack(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser("pack", help="checkpoints and results that ship with the package")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    build = actions.add_parser("build", help="build what is missing or stale")
    build.add_argument("--only", metavar="NAME", help="one entry")
    build.set_defaults(run=_pack_build)
    verify = actions.add_parser("verify", help="check hashes, repeat first steps and one row")
    verify.set_defaults(run=_pack_verify)


def build_parser() -> argparse.ArgumentParser:
    """Declare every command and its options."""
    parser = _Parser(
        prog="cdseg-teach",
        description="Cross-domain segmentation, from a shell.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.set_defaults(passes_on=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_doctor(commands)
    _add_table(commands)
    _add_sweep(commands)
    _add_data(commands)
    _add_pack(commands)
    _add_lab(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0 when all went well, 1 when a run failed, 2 when the input was at fault. The last two
        come with one line on stderr. A traceback means a mistake in this package.
    """
    parser = build_parser()
    try:
        arguments, passed_on = parser.parse_known_args(argv)
        if passed_on and not arguments.passes_on:
            parser.error(f"unrecognized arguments: {' '.join(passed_on)}")
        arguments.passed_on = passed_on
        status: int = arguments.run(arguments)
    except Problem as problem:
        print(f"cdseg-teach: {problem}", file=sys.stderr)
        return 2
    except (OSError, RunFailed) as error:
        print(f"cdseg-teach: the run failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cdseg-teach: interrupted", file=sys.stderr)
        return 1
    return status
