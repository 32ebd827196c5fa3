"""`doctor` and `lab`: what this machine has, and the lecture opened on it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from cdseg_teach.cli.arguments import Parser
from cdseg_teach.problems import Problem

CHECKOUT = Path(__file__).resolve().parents[2]
START = Path("notebooks") / "00_start_here.ipynb"
# JupyterLab would open with a question about news and ask its servers for updates: these settings
# keep the question from the room, and the network out of it. A user's own settings still win.
SETTINGS = Path(__file__).resolve().parents[1] / "jupyterlab_settings"


def add_doctor(commands: argparse._SubParsersAction[Parser]) -> None:
    """Declare `doctor`."""
    parser = commands.add_parser("doctor", help="say what is installed, and mend what is missing")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    from cdseg_teach import doctor

    findings = doctor.examine()
    print(doctor.as_json(findings) if arguments.json else doctor.as_text(findings))
    return 1 if any(finding.mend for finding in findings) else 0


def add_lab(commands: argparse._SubParsersAction[Parser]) -> None:
    """Declare `lab`."""
    parser = commands.add_parser(
        "lab",
        help="open the notebooks in JupyterLab",
        epilog="Jupyter's own options are passed on: cdseg-teach lab --port 9999 --no-browser",
    )
    parser.set_defaults(run=_lab, passes_on=True)


def _lab(arguments: argparse.Namespace) -> int:
    options = jupyter_options(CHECKOUT, arguments.passed_on)
    try:
        from jupyterlab.labapp import LabApp
    except ImportError:
        raise Problem("JupyterLab is missing; pip install 'cdseg_teach[lab]'") from None
    LabApp.launch_instance(options)
    return 0


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
