"""The same from a shell: ``cdseg-teach COMMAND``.

Each command is one function that takes the parsed arguments and returns the exit status, next to
one that declares its options. Commands import what they need when they run: ``--help`` is quick.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from cdseg_teach import __version__
from cdseg_teach.problems import Problem

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


def _add_doctor(commands: "argparse._SubParsersAction[_Parser]") -> None:
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


def _add_lab(commands: "argparse._SubParsersAction[_Parser]") -> None:
    parser = commands.add_parser(
        "lab",
        help="open the notebooks in JupyterLab",
        epilog="Jupyter's own options are passed on: cdseg-teach lab --port 9999 --no-browser",
    )
    parser.set_defaults(run=_lab, passes_on=True)


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
    except OSError as error:
        print(f"cdseg-teach: the run failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cdseg-teach: interrupted", file=sys.stderr)
        return 1
    return status
