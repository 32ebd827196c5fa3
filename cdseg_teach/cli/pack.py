"""`pack`: the checkpoints and results that ship."""

from __future__ import annotations

import argparse

from cdseg_teach.cli.arguments import Parser


def add_pack(commands: argparse._SubParsersAction[Parser]) -> None:
    """Declare `pack` and its actions."""
    parser = commands.add_parser("pack", help="checkpoints and results that ship with the package")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    build = actions.add_parser("build", help="build what is missing or stale")
    build.add_argument("--only", metavar="NAME", help="one entry")
    build.set_defaults(run=_pack_build)
    verify = actions.add_parser("verify", help="check hashes, repeat first steps and one row")
    verify.set_defaults(run=_pack_verify)


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
