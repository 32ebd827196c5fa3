"""The same from a shell: ``cdseg-teach COMMAND``.

Each command is one function that takes the parsed arguments and returns the exit status, next to
one that declares its options. Commands import what they need when they run: ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from cdseg_teach import __version__
from cdseg_teach.cli.arguments import Parser
from cdseg_teach.cli.data import add_data
from cdseg_teach.cli.machine import add_doctor, add_lab
from cdseg_teach.cli.pack import add_pack
from cdseg_teach.cli.runs import add_sweep, add_table
from cdseg_teach.problems import Problem, RunFailed


def build_parser() -> argparse.ArgumentParser:
    """Declare every command and its options."""
    parser = Parser(
        prog="cdseg-teach",
        description="Cross-domain segmentation, from a shell.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.set_defaults(passes_on=False)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add_doctor(commands)
    add_table(commands)
    add_sweep(commands)
    add_data(commands)
    add_pack(commands)
    add_lab(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns
    -------
    int
        0 when all went well, 1 when a run failed, 2 when the input was at fault. The last two
        come with one line on stderr, or one a problem. A traceback means a mistake in this package.
    """
    parser = build_parser()
    try:
        arguments, passed_on = parser.parse_known_args(argv)
        if passed_on and not arguments.passes_on:
            parser.error(f"unrecognized arguments: {' '.join(passed_on)}")
        arguments.passed_on = passed_on
        status: int = arguments.run(arguments)
    except Problem as problem:
        for line in str(problem).split("\n"):
            print(f"cdseg-teach: {line}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `... | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, RunFailed) as error:
        print(f"cdseg-teach: the run failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cdseg-teach: interrupted", file=sys.stderr)
        return 1
    return status
