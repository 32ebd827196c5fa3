"""`data`: cohorts that are fetched, converted, simulated or checked."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path

from cdseg_teach.cli.arguments import Number, Parser, add_task, names, number, task_studies
from cdseg_teach.problems import Problem

WIDEST = 32  # characters of a column: a file with a fourth axis may have many channels

#: Of simulated cohorts, by what their anatomy is derived from.
_LICENCES = {
    "brain": "simulated from the ICBM152 2009 templates, whose terms apply",
    "heart": "simulated from the heart of Rodero et al. 2021, CC BY 4.0",
}


def add_data(commands: argparse._SubParsersAction[Parser]) -> None:
    """Declare `data` and its actions."""
    parser = commands.add_parser("data", help="cohorts: public, simulated, your own")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    make = actions.add_parser("make", help="write source and target of a task as NIfTI")
    add_task(make)
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
    convert.add_argument(
        "--plane", default="96,96", metavar="ROWS,COLUMNS", help="of a slice, multiples of 8"
    )
    convert.add_argument("--out", required=True, metavar="FOLDER", help="new or empty")
    convert.set_defaults(run=_data_convert)
    check = actions.add_parser("check", help="say all that is wrong with a cohort, or who is in it")
    check.add_argument("folder", metavar="FOLDER")
    check.set_defaults(run=_data_check)


def _data_make(arguments: argparse.Namespace) -> int:
    from cdseg_teach.experiments.export import write_study

    task = arguments.task or "brain"
    study = task_studies(task, arguments.direction)(seed=number("seed", arguments.seed, int))
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
    for name in names(text):
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
    numbers = [number(what, part, kind) for part in names(text)]
    if len(numbers) != count or not all(0 < number < math.inf for number in numbers):
        raise Problem(f"{what} {text!r}: give {count} positive numbers with commas between them")
    return numbers


def _data_check(arguments: argparse.Namespace) -> int:
    from cdseg_teach.cohorts.checks import check_cohort
    from cdseg_teach.cohorts.report import overview

    problems = check_cohort(arguments.folder)
    for problem in problems:
        print(f"cdseg-teach: {problem}", file=sys.stderr)
    if problems:
        return 2
    there = overview(arguments.folder).reset_index()
    print(f"{arguments.folder}: nothing wrong\n")
    print(there.to_string(index=False, max_colwidth=WIDEST))
    return 0
