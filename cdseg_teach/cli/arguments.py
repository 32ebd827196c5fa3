"""What the commands' arguments have in common: the parser, lists, numbers, simulated tasks."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn, TypeVar

from cdseg_teach.problems import Problem

if TYPE_CHECKING:
    from cdseg_teach.experiments.jobs import Studies

Number = TypeVar("Number", int, float)

_KINDS = {
    "seed": "whole number",
    "alpha": "number",
    "spacing": "number",
    "plane": "whole number",
}


class Parser(argparse.ArgumentParser):
    """A parser of arguments, for commands and their actions."""

    def error(self, message: str) -> NoReturn:
        """Report a mistake in the arguments as what it is: a `Problem`, in one line."""
        raise Problem(f"{message}; see `{self.prog} --help`")


def names(text: str) -> list[str]:
    """What stands between the commas of a list."""
    return [name.strip() for name in text.split(",") if name.strip()]


def number(what: str, text: str, kind: Callable[[str], Number]) -> Number:
    """The number that a text is; a Problem when it is none."""
    try:
        return kind(text)
    except ValueError:
        raise Problem(f"{what} {text!r} is no {_KINDS[what]}; see --help") from None


def add_task(parser: argparse.ArgumentParser) -> None:
    """Declare the options that name a simulated study."""
    parser.add_argument("--task", metavar="brain|heart", help="the simulated study (brain)")
    parser.add_argument("--direction", metavar="mr_to_ct|ct_to_mr", help="of the heart (mr_to_ct)")


def task_studies(name: str, direction: str | None) -> Studies:
    """What makes the study of each seed of a simulated task; a Problem for an unknown one."""
    from cdseg_teach.cohorts import brain_study, heart_study
    from cdseg_teach.cohorts.heart import DIRECTIONS

    if name not in ("brain", "heart"):
        raise Problem(f"task {name!r} is unknown; use brain or heart")
    if direction is not None and (name != "heart" or direction not in DIRECTIONS):
        raise Problem(f"direction {direction!r}: use {' or '.join(DIRECTIONS)}, with --task heart")
    if name == "brain":
        return brain_study
    return functools.partial(heart_study, direction=direction or DIRECTIONS[0])
